import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '#libs/errors';

declare module 'fastify' {
  interface FastifyInstance {
    allowedMethods: AllowedMethods;
  }
}

/** The methods of every existing path, by its pattern: `/models/:name` → DELETE, GET … */
class AllowedMethods {
  private readonly byPattern = new Map<string, { path: RegExp; methods: Set<string> }>();

  /** Call this before there are routes. */
  constructor(fastify: FastifyInstance) {
    fastify.addHook('onRoute', ({ url, method }) => {
      // A route for middleware, not a path that exists.
      if (url.includes('*')) return;
      const known = this.byPattern.get(url) ?? { path: toRegExp(url), methods: new Set() };
      this.byPattern.set(url, known);
      for (const each of [method].flat()) known.methods.add(each);
    });
  }

  /** The methods that this path takes, in alphabetical order; none if there is no such path. */
  of(url: string): string[] {
    const path = url.split('?', 1)[0]!;
    const found = [...this.byPattern.values()].filter((each) => each.path.test(path));
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].toSorted();
  }
}

export const allowedMethods = plugin(
  async (fastify: FastifyInstance) => {
    fastify.decorate('allowedMethods', new AllowedMethods(fastify));
  },
  { name: 'allowed-methods' },
);

/** A parameter is one segment, whatever it contains. */
function toRegExp(pattern: string): RegExp {
  const segments = pattern
    .split('/')
    .map((segment) =>
      segment.startsWith(':') ? '[^/]+' : segment.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
    );
  return new RegExp(`^${segments.join('/')}$`);
}

/** There is nothing at this path, or it takes other methods. */
export function notHere({ server, raw }: FastifyRequest): Problem {
  const methods = server.allowedMethods.of(raw.url!);
  if (methods.length === 0) return new Problem('not-found', 'There is nothing at this path.');
  const allow = methods.join(', ');
  return new Problem('method-not-allowed', `This path takes ${allow}.`, { headers: { allow } });
}

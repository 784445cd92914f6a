import { isIP } from 'node:net';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * The caller's address, for counting: an IPv4 address, or the first 64 bits of an IPv6 address, because one customer can
 * use every address below those (RFC 6177). A trusted proxy may have written anything into `X-Forwarded-For`; everything
 * that is not an address counts as one caller.
 */
export function callerNetwork({ ip }: Pick<FastifyRequest, 'ip'>): string {
  const text = withoutPort(ip ?? '');
  if (isIP(text) === 0) return 'unknown';
  // This also turns IPv4-mapped IPv6 into IPv4.
  const address = ipaddr.process(text);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  const network = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}

/** Some proxies add a port, which differs for every connection. */
function withoutPort(text: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}

export const CallerNetwork = createParamDecorator((_: unknown, context: ExecutionContext) =>
  callerNetwork(context.switchToHttp().getRequest<FastifyRequest>()),
);

import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Problem, ProblemForm } from '#libs/errors';

type ProblemFormAt = (url: string) => ProblemForm;

declare module 'fastify' {
  interface FastifyInstance {
    /** How refusals are written at a URL, whether or not anything is there. */
    problemFormAt: ProblemFormAt;
  }
}

export const problemForms = plugin(
  async (fastify: FastifyInstance, { problemFormAt }: { problemFormAt: ProblemFormAt }) => {
    fastify.decorate('problemFormAt', problemFormAt);
  },
  { name: 'problem-forms' },
);

export function sendProblem(reply: FastifyReply, problem: Problem, requestId: string): void {
  const form = reply.server.problemFormAt(reply.request.raw.url!);
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  reply
    .code(problem.status)
    // Set here as well: a malformed URL is refused before any hook runs.
    .header('x-request-id', requestId)
    .headers(problem.headers)
    .header('content-type', form.contentType)
    .send(form.write(problem, requestId));
}

import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { Problem, type ErrorCode } from '#libs/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './fastify.js';
import { toProblem } from './to-problem.js';

/** What a service that is asked too much answers: the access log has a line of each, and there is no cause to look for. */
const EXPECTED: readonly ErrorCode[] = ['overloaded', 'prediction-timeout'];

/** That there is nothing at a path, or that it takes other methods. */
function notHere({ server, raw }: FastifyRequest): Problem {
  const methods = server.allowedMethods.of(raw.url!);
  if (methods.length === 0) return new Problem('not-found', 'There is nothing at this path.');
  const allow = methods.join(', ');
  return new Problem('method-not-allowed', `This path takes ${allow}.`, { headers: { allow } });
}

/** Every error leaves as `application/problem+json` (RFC 9457); those of our own making are logged with their cause. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = request.is404 ? notHere(request) : toProblem(error);
    if (problem.status >= 500 && !EXPECTED.includes(problem.code)) {
      const cause = problem.cause instanceof Error ? problem.cause : problem;
      this.logger.error(`${problem.code} (request ${request.id}): ${cause.message}`, cause.stack);
    }
    sendProblem(reply, problem, request.id);
  }
}

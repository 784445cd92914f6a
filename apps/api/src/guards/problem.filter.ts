import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { ErrorCode } from '#libs/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { notHere } from '../server/allowed-methods.js';
import { sendProblem } from '../server/send-problem.js';
import { toProblem } from '../server/to-problem.js';

/** What an overloaded service answers: the access log has a line for each, and there is no cause to look for. */
const EXPECTED: readonly ErrorCode[] = ['overloaded', 'prediction-timeout'];

/** Every error leaves as `application/problem+json` (RFC 9457); internal errors are logged with their cause. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = request.is404 ? notHere(request) : toProblem(error, request.routeOptions.bodyLimit);
    if (problem.status >= 500 && !EXPECTED.includes(problem.code)) {
      const cause = problem.cause instanceof Error ? problem.cause : problem;
      this.logger.error(`${problem.code} (request ${request.id}): ${cause.message}`, cause.stack);
    }
    sendProblem(reply, problem, request.id);
  }
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import type { Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { Metrics, type Logger } from '#libs/observability';

/** `GET /metrics` on a port of its own, if there is one, without authentication and without any other route. */
export async function serveMetrics(
  { metricsPort: port, metricsHost: host }: Pick<Config, 'metricsPort' | 'metricsHost'>,
  text: () => Promise<string>,
  logger: Logger,
) {
  if (port === undefined) return undefined;
  const server = createServer((request, response) => {
    const send = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
      response.end(body);
    };
    const refuse = (problem: Problem) => {
      const body = JSON.stringify(problem.toBody(randomUUID()));
      send(problem.status, 'application/problem+json; charset=utf-8', body);
    };
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || request.url?.split('?')[0] !== '/metrics') {
      refuse(new Problem('not-found', 'Only GET /metrics is served here.'));
      return;
    }
    text().then(
      (body) => send(200, Metrics.contentType, body),
      (err: unknown) => {
        logger.error({ err }, 'the metrics cannot be collected');
        refuse(new Problem('internal-error', 'The metrics cannot be collected. The log says why.'));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new Error(`METRICS_PORT ${port} on ${host} is taken by another program. Set it to a free one.`);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/metrics`,
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

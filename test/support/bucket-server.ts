import type { IncomingMessage } from 'node:http';
import S3rver from '@20minutes/s3rver';
import { S3Client } from '@aws-sdk/client-s3';
import { createFolder } from './folders.js';

export type BucketServer = Awaited<ReturnType<typeof startBucketServer>>;

/** The only account that the server has. */
const KEY = 'S3RVER';

/** An S3 server that checks signatures, on a free port, with a folder of its own. */
export async function startBucketServer() {
  const directory = createFolder();
  const app = new S3rver({ address: '127.0.0.1', port: 0, directory, silent: true, vhostBuckets: false });
  let lastPut: Promise<unknown> = Promise.resolve();
  app.middleware.unshift(async (context, next) => {
    const { method, url } = context.req;
    const path = decodeURIComponent(url!.split('?')[0]!);
    server.requests.push(`${method} ${path}`);
    await server.onRequest?.(context.req);
    if (context.req.socket.destroyed) return;
    if (method !== 'PUT' || context.get('if-none-match') !== '*') return next();
    if (server.conditionalWrites === 'not implemented') {
      context.status = 501;
      return;
    }
    // One at a time: whether an object exists is known only after the previous request.
    const [, bucket, ...key] = path.split('/');
    const put = lastPut.then(async () => {
      if (server.conditionalWrites && (await app.store.existsObject(bucket!, key.join('/'))))
        context.status = 412;
      else await next();
    });
    lastPut = put.catch(() => undefined);
    await put;
  });
  const { port } = await app.run();
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: KEY, secretAccessKey: KEY };
  const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials });
  const server = {
    endpoint,
    /** The environment that a process needs to reach it. */
    environment: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: KEY,
      AWS_SECRET_ACCESS_KEY: KEY,
    },
    /** For changes that a test makes behind the store's back. */
    client,
    createBucket: async (name: string) => void (await app.store.putBucket(name)),
    /** `PUT /<bucket>/<key>` for every request that came, in order. */
    requests: [] as string[],
    /** Called with every request, which waits for it; may destroy its socket. */
    onRequest: undefined as ((request: IncomingMessage) => void | Promise<void>) | undefined,
    /** Like AWS: a PUT with `If-None-Match: *` is refused if the object exists. Otherwise it is ignored. */
    conditionalWrites: true as boolean | 'not implemented',
    stop: async () => {
      client.destroy();
      const closed = app.close();
      app.httpServer.closeAllConnections();
      await closed;
    },
  };
  return server;
}

/** The part of it that the tests use. */
declare module '@20minutes/s3rver' {
  import type { IncomingMessage, Server } from 'node:http';

  interface Context {
    req: IncomingMessage;
    status: number;
    body: unknown;
    get(header: string): string;
  }
  type Middleware = (context: Context, next: () => Promise<void>) => Promise<void>;

  export default class S3rver {
    constructor(options: {
      address: string;
      port: number;
      directory: string;
      silent: boolean;
      vhostBuckets: boolean;
    });
    readonly middleware: Middleware[];
    readonly httpServer: Server;
    readonly store: {
      putBucket(bucket: string): Promise<unknown>;
      existsObject(bucket: string, key: string): Promise<boolean>;
    };
    run(): Promise<{ port: number }>;
    close(): Promise<void>;
  }
}

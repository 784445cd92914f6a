import { createRequire } from 'node:module';

/** The version of this service, from its package. */
export const { version: VERSION } = createRequire(import.meta.url)('#package') as { version: string };

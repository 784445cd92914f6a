import { createRequire } from 'node:module';

/** The version of this service, as its package says. */
export const { version: VERSION } = createRequire(import.meta.url)('#package') as { version: string };

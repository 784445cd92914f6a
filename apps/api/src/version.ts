import { createRequire } from 'node:module';

/** Of this service, as its package says. */
export const { version: VERSION } = createRequire(import.meta.url)('#package') as { version: string };

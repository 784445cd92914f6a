import type { There } from './circle-there.js';

export type Here = There | null;

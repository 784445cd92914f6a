import type { Here } from './circle-here.js';

export type There = Here[];

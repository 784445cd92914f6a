import type { FileFormat } from './file-format.js';
import { shortened } from './messages.js';

export interface ScoringOrder {
  /** The folder of an artifact. */
  model: string;
  /** Standard input without a path. Gzip is recognised by its first bytes. */
  input: { path?: string; format: FileFormat };
  /** Standard output without a path. */
  output: OutputOrder;
  /** Rows with an error go there instead. */
  errorsOutput?: OutputOrder & { path: string };
  /** The first row with an error ends the run. */
  strict?: boolean;
  /** Goes on from the last checkpoint, if there is one. */
  resume?: boolean;
  /** All cores by default. */
  threads?: number;
  /** Ends the run between two chunks; what was written stays, with its checkpoint. */
  signal?: AbortSignal;
  /** The size of the unpacked input; a larger one is refused. */
  maxUnpackedBytes?: number;
  /** Called before the output reaches this many bytes; if it throws, the run fails with that. */
  beforeWrite?(bytes: number): Promise<void>;
  onProgress?(progress: ScoringProgress): void;
}

export interface OutputOrder {
  path?: string;
  format: FileFormat;
  gzip?: boolean;
}

export interface ScoringResult {
  rows: number;
  /** Rows with an error. */
  errors: number;
  /** Rows that were already there when a run was resumed. */
  resumedRows: number;
}

export interface ScoringProgress extends ScoringResult {
  /** The share of the input that is done, 0 to 1; NaN if its size is not known. */
  share: number;
}

/** The input is at fault; the message, which is never long, is for the person who sent it. */
export class InputError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(shortened(message), options);
  }
}

/** What an earlier run left is not what this one could go on from. */
export class NotResumable extends Error {}

/** The run was told to end; it can be resumed. */
export class ScoringInterrupted extends Error {}

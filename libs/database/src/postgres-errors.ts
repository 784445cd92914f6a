import { QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';

/** SQLSTATE classes: https://www.postgresql.org/docs/18/errcodes-appendix.html */
// EPIPE has five letters as well; no class of SQLSTATE begins with E.
function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/** The error of CREATE … IF NOT EXISTS if another process made it at the same moment. */
export function isAlreadyThere(error: unknown): boolean {
  return ['23505', '42P07'].includes(sqlState(error) ?? '');
}

/** A row for which there is no partition. A failed check on a row has the same state, and also a name. */
export function isMissingPartition(error: unknown): boolean {
  return sqlState(error) === '23514' && (error as { constraint?: string }).constraint === undefined;
}

/** Connection, resources, operator, system, read-only, rolled back, not let in (a changed password). */
const UNAVAILABLE_CLASSES = ['08', '53', '57', '58', '25', '40', '28'];
/** Locked too long; accepts no connections (ALTER DATABASE … ALLOW_CONNECTIONS false); does not exist (any more). */
const UNAVAILABLE_STATES = ['55P03', '55000', '3D000'];

/**
 * Whether the database cannot do its work now but may be able to later: it is unreachable, starting, stopping, out of
 * connections, memory or disk, or took too long. Everything else is a mistake in our code or in the data.
 */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  // A failure with no SQLSTATE never came from the server: the connection was refused, cut, or timed out.
  if (state === undefined) return isConnectionFailure(error);
  return UNAVAILABLE_CLASSES.includes(state.slice(0, 2)) || UNAVAILABLE_STATES.includes(state);
}

/** TypeORM's errors inside a transaction whose connection has ended. */
const LOST_IN_A_TRANSACTION = [QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError];

function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (LOST_IN_A_TRANSACTION.some((lost) => error instanceof lost)) return true;
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== undefined) return /^E[A-Z]+$/.test(code);
  return /connection|timeout|pool|not queryable/i.test(error.message);
}

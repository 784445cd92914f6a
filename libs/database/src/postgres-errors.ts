/** SQLSTATE classes: https://www.postgresql.org/docs/18/errcodes-appendix.html */
// EPIPE has five letters as well; no class of SQLSTATE begins with E.
function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && /^(?!E)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/**
 * Whether the database could not do its work now but may later: it is unreachable, starting, stopping, out of
 * connections, memory or disk, or took too long. Everything else is a mistake of ours or of the data.
 */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  // A failure with no SQLSTATE never came from the server: the connection was refused, cut, or timed out.
  if (state === undefined) return isConnectionFailure(error);
  // 55000 is also what a database says that takes no connections (ALTER DATABASE … ALLOW_CONNECTIONS false).
  return (
    ['08', '53', '57', '58', '25', '40'].includes(state.slice(0, 2)) || ['55P03', '55000'].includes(state)
  );
}

function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== undefined) return /^E[A-Z]+$/.test(code);
  return /connection|timeout|pool|not queryable/i.test(error.message);
}

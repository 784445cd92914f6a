import pg from 'pg';

export interface ConnectionOptions extends pg.ClientConfig {
  /** How long a statement may take; without it there is no limit, not even the server's own. */
  queryTimeoutMs?: number;
}

type Callback = (error?: Error | null, result?: pg.QueryResult) => void;
export interface Statement extends pg.QueryConfig {
  /** In milliseconds, instead of the connection's own limit. */
  query_timeout?: number;
}

/**
 * A connection whose state is known, or that is gone. `pg` gives up a statement by forgetting it: the connection stays,
 * inside whatever transaction it is in, and the next borrower works inside that transaction and believes that all went
 * well. Here a statement that is given up takes its connection with it.
 *
 * Invariants
 * - the server gives up first (lock, statement, idle transaction, whole transaction), so most failures leave no doubt;
 * - if the server does not answer in time, the connection ends: everything else on it fails, and it is not used again;
 * - a COMMIT that became a ROLLBACK is an error;
 * - `isIdle` says whether it may be lent again: outside a transaction, with nothing in progress (`ConnectionPool`).
 */
export class Connection extends pg.Client {
  private queryTimeoutMs: number | undefined;
  private pending = 0;
  private ending?: Promise<void>;

  constructor(options: ConnectionOptions) {
    super(options);
    this.queryTimeoutMs = options.queryTimeoutMs;
    // A connection may break while nothing uses it; an 'error' event without a listener would end the process.
    this.on('error', () => undefined);
  }

  get isIdle(): boolean {
    return this.pending === 0 && this.ending === undefined && this.getTransactionStatus() === 'I';
  }

  override connect(): Promise<Connection>;
  override connect(callback: Callback): void;
  override connect(callback?: Callback): Promise<Connection> | void {
    const connected = super
      .connect()
      .then(() => this.limit(this.queryTimeoutMs))
      .catch(async (error: Error) => {
        await this.end();
        throw error;
      });
    if (!callback) return connected.then((): Connection => this);
    connected.then(
      () => process.nextTick(callback),
      (error: Error) => process.nextTick(callback, error),
    );
  }

  // One signature for all of pg's overloads, which its own types still check.
  // oxlint-disable-next-line typescript/no-explicit-any
  override query(given: any, values?: any, callback?: any): any {
    const done: Callback | undefined = typeof values === 'function' ? values : callback;
    const parameters: unknown[] | undefined = typeof values === 'function' ? undefined : values;
    const { query_timeout: timeoutMs = this.queryTimeoutMs, ...statement }: Statement =
      typeof given === 'string' ? { text: given } : given;
    if (done) {
      this.send(statement, parameters, timeoutMs, done);
      return undefined;
    }
    return new Promise((resolve, reject) =>
      this.send(statement, parameters, timeoutMs, (error, result) =>
        error ? reject(error) : resolve(result),
      ),
    ).catch((error: Error) => {
      // The caller's stack, instead of the socket's.
      Error.captureStackTrace(error);
      throw error;
    });
  }

  /** From now on a statement may take this long; without a number there is no limit, not even the server's own. */
  async limit(queryTimeoutMs: number | undefined): Promise<void> {
    const settings = Object.entries(serverLimits(queryTimeoutMs)).map(([name, ms]) => `('${name}', '${ms}')`);
    // A server that is too old for one of these settings does not know its name.
    await this.query(
      `SELECT set_config(name, ms, false) FROM (VALUES ${settings.join(', ')}) AS wanted (name, ms)
       WHERE current_setting(name, true) IS NOT NULL`,
    );
    this.queryTimeoutMs = queryTimeoutMs;
  }

  /** Ends it at once if a statement is in progress. May be called any number of times. */
  override end(): Promise<void>;
  override end(callback: Callback): void;
  override end(callback?: Callback): Promise<void> | void {
    this.ending ??= super.end();
    if (!callback) return this.ending;
    void this.ending.then(() => callback());
  }

  private send(
    statement: Statement,
    values: unknown[] | undefined,
    timeoutMs: number | undefined,
    done: Callback,
  ): void {
    let isGivenUp = false;
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            isGivenUp = true;
            void this.end();
          }, timeoutMs);
    this.pending++;
    const settle = (error: Error | null, result: pg.QueryResult) => {
      clearTimeout(timer);
      this.pending--;
      if (isGivenUp) done(new Error(`timeout: PostgreSQL did not answer within ${timeoutMs} ms`));
      else done(error ?? failureOf(statement, result), result);
    };
    super.query(statement as never, values as never, settle as never);
  }
}

/** In milliseconds; 0 means no limit. A lock is given up while there is still time for another statement. */
function serverLimits(queryTimeoutMs = 0): Record<string, number> {
  return {
    lock_timeout: Math.round(queryTimeoutMs * 0.5),
    statement_timeout: Math.round(queryTimeoutMs * 0.9),
    idle_in_transaction_session_timeout: queryTimeoutMs,
    // PostgreSQL 17 and newer.
    transaction_timeout: queryTimeoutMs * 2,
  };
}

/** PostgreSQL reports the COMMIT of a failed transaction as successful, and rolls it back. */
function failureOf({ text }: Statement, result: pg.QueryResult | undefined): Error | undefined {
  if (result?.command !== 'ROLLBACK' || !/^\s*commit\b/i.test(text)) return undefined;
  return new Error('the transaction was rolled back: a statement in it had failed');
}

/** Lends connections that are idle, and discards any that come back in another state. */
export class ConnectionPool extends pg.Pool {
  constructor(options: pg.PoolConfig) {
    super({ ...options, Client: Connection as unknown as typeof pg.Client });
    this.on('release', (_error, client) => {
      if (!(client as unknown as Connection).isIdle) void client.end();
    });
  }
}

import type { Config } from '#libs/config';
import { openDatabase } from '#libs/database';
import { ServedModels } from '#libs/models';
import { Tracing, type Logger, type Snapshot } from '#libs/observability';
import { migrations } from '#migrations';
import { createApi, entities, type Neighbours } from './app.module.js';
import { ServiceMetrics } from './routes/metrics/service-metrics.js';
import { Draining } from './server/draining.js';
import { VERSION } from './version.js';

export interface Closable {
  close(): Promise<unknown>;
}

/** What serves, and where. */
export interface Booted {
  readonly url: string;
  /** With METRICS_PORT. */
  readonly metricsUrl?: string;
  /** The name and version of the default model. */
  readonly model: string;
  /** Where it is, for people: without a password. */
  readonly database: string;
  /** To be closed in this order. */
  readonly closables: readonly Closable[];
}

export interface BootedApi extends Booted {
  /** What this process measures. */
  snapshot(): Promise<Snapshot>;
}

/** Boots an API process in order; if a step fails, it closes what it has opened. */
export async function boot(
  config: Config,
  logger: Logger,
  purpose: 'service' | 'command',
  neighbours: Neighbours,
): Promise<BootedApi> {
  const database = await openDatabase(config, { purpose, entities, migrations, logger });
  const closables: Closable[] = [database];
  try {
    const tracing =
      config.traces && (await Tracing.open({ ...config.traces, serviceVersion: VERSION }, logger));
    if (tracing) closables.unshift(tracing);
    const api = await createApi(config, database.dataSource, logger, neighbours, tracing);
    closables.unshift(api);
    await api.listen(config.port, config.host).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      throw new Error(
        `Port ${config.port} on ${config.host} is taken by another program. ` +
          `Stop it, or set PORT to a free one, for example PORT=${config.port + 1}.`,
      );
    });
    const { name, version } = api.get(ServedModels).default!;
    return {
      url: await api.getUrl(),
      model: `${name} ${version}`,
      database: database.description,
      closables: [api.get(Draining), ...closables],
      snapshot: () => api.get(ServiceMetrics).snapshot(),
    };
  } catch (error) {
    for (const closable of closables) await closable.close();
    throw error;
  }
}

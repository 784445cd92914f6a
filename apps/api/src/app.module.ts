import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { auditEntities, AuditModule } from '#libs/audit';
import { batchEntities, BatchesModule } from '#libs/batches';
import { ConfigModule, type Config } from '#libs/config';
import { DatabaseModule } from '#libs/database';
import { modelEntities, ModelsModule, ServedModelsModule } from '#libs/models';
import { Metrics, NestLogger, type Logger, type Tracing } from '#libs/observability';
import { otherSpellings, PredictionsModule, problemFormAt } from '#libs/predictions';
import { TokensModule } from '#libs/tokens';
import { Passwords, userEntities, UsersModule, type HashingPurpose } from '#libs/users';
import type { FastifyInstance } from 'fastify';
import type { DataSource } from 'typeorm';
import { AuditController } from './routes/audit/audit.controller.js';
import { RecordKeeper } from './routes/audit/record-keeper.js';
import { BatchesController } from './routes/batches/batches.controller.js';
import { WORKER, WorkerBeside, type WorkerHandle } from './routes/batches/worker-beside.js';
import { HealthController } from './routes/health/health.controller.js';
import { Readiness } from './routes/health/readiness.js';
import { AuthenticationFigures, AuthGuard } from './guards/auth.guard.js';
import { serveDocumentation } from './openapi/documentation.js';
import type { Identify } from './server/large-bodies.js';
import { Draining } from './server/draining.js';
import { createAdapter, registerPlugins } from './server/server.js';
import { SECURITY_HEADERS } from './server/answer-headers.js';
import { ProblemFilter } from './guards/problem.filter.js';
import { RequestDurations } from './server/request-durations.js';
import { RolesGuard } from './guards/roles.guard.js';
import { Door } from './server/door.js';
import { InputValidation } from './guards/input-validation.js';
import { HomeController } from './routes/home/home.controller.js';
import { MetricsController } from './routes/metrics/metrics.controller.js';
import {
  COLLECT_SNAPSHOTS,
  ServiceMetrics,
  type CollectSnapshots,
} from './routes/metrics/service-metrics.js';
import { ModelsController } from './routes/models/models.controller.js';
import { directPredictions } from './routes/predictions/direct-predictions.js';
import { MlflowController } from './routes/predictions/mlflow.controller.js';
import { OipController } from './routes/predictions/oip.controller.js';
import { predictionControllers } from './routes/predictions/prediction.controllers.js';
import { TokensController } from './routes/tokens/tokens.controller.js';
import { UsersController } from './routes/users/users.controller.js';

export const entities = [...userEntities, ...modelEntities, ...auditEntities, ...batchEntities];

/** What a process has next to it: the only difference between one that serves alone and one of several. */
export interface Neighbours {
  /** Undefined if workers are run separately (BATCH_WORKER=separate). */
  readonly worker?: WorkerHandle;
  readonly collectSnapshots: CollectSnapshots;
}

/** What is measured before features exist. */
interface Measured {
  metrics: Metrics;
  requests: RequestDurations;
}

/** The overview: every feature and every controller. */
@Module({
  imports: [
    UsersModule,
    TokensModule,
    ModelsModule,
    ServedModelsModule,
    PredictionsModule,
    BatchesModule,
    AuditModule,
  ],
  controllers: [
    UsersController,
    TokensController,
    ModelsController,
    ...predictionControllers.values(),
    MlflowController,
    OipController,
    BatchesController,
    AuditController,
    HealthController,
    HomeController,
  ],
  providers: [
    Readiness,
    RecordKeeper,
    WorkerBeside,
    AuthenticationFigures,
    ServiceMetrics,
    { provide: APP_FILTER, useClass: ProblemFilter },
    // In this order: who is calling, then what they may do. A route is closed unless it says otherwise.
    AuthGuard,
    { provide: APP_GUARD, useExisting: AuthGuard },
    { provide: APP_GUARD, useClass: RolesGuard },
    { provide: APP_PIPE, useClass: InputValidation },
  ],
})
export class AppModule {
  static forRoot(
    config: Config,
    dataSource: DataSource,
    draining: Draining,
    measured: Measured,
    neighbours: Neighbours,
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [ConfigModule.forRoot(config), DatabaseModule.forRoot(dataSource)],
      controllers: config.metricsPort === undefined ? [MetricsController] : [],
      providers: [
        { provide: Draining, useValue: draining },
        { provide: Metrics, useValue: measured.metrics },
        { provide: RequestDurations, useValue: measured.requests },
        { provide: WORKER, useValue: neighbours.worker },
        { provide: COLLECT_SNAPSHOTS, useValue: neighbours.collectSnapshots },
      ],
    };
  }
}

export async function createApi(
  config: Config,
  dataSource: DataSource,
  logger: Logger,
  neighbours: Neighbours,
  tracing?: Tracing,
): Promise<NestFastifyApplication> {
  const draining = new Draining(config);
  const measured = { metrics: await Metrics.create(), requests: new RequestDurations() };
  const { requests } = measured;
  const door = new Door(requests.shed);
  const api = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot(config, dataSource, draining, measured, neighbours),
    createAdapter(config, { door, requests }, otherSpellings),
    { logger: new NestLogger(logger), bodyParser: false, abortOnError: false },
  );
  const fastify = api.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const guard = api.get(AuthGuard);
  const passwords = api.get(Passwords);
  const identify: Identify = (request) => guard.identify(request);
  await registerPlugins(fastify, {
    requestTimeoutMs: config.requestTimeoutMs,
    logger,
    draining,
    requests,
    door,
    tracing,
    problemFormAt,
    identify,
    isFull: (queue) => passwords.isBusy(queue as HashingPurpose),
  });
  await fastify.register(directPredictions, {
    identify,
    controllerAt: (path) => {
      const controller = predictionControllers.get(path);
      return controller && api.get(controller);
    },
  });
  await serveDocumentation(api, config, SECURITY_HEADERS);
  return api;
}

import { userInfo } from 'node:os';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConfigModule } from '#libs/config';
import { DatabaseModule } from '#libs/database';
import { ComparisonModule } from '#libs/predictions';
import { modelEntities, ModelsModule } from '#libs/models';
import { userEntities, UsersModule } from '#libs/users';
import { withDatabase } from './with-database.js';

const entities = [...userEntities, ...modelEntities];

@Module({ imports: [UsersModule, ModelsModule, ComparisonModule] })
class CommandModule {}

/** Runs `work` with the features a command needs, on the database that the service uses, and closes everything. */
export function withFeatures<T>(work: (features: INestApplicationContext) => Promise<T>): Promise<T> {
  return withDatabase(async ({ dataSource }, config) => {
    const imports = [ConfigModule.forRoot(config), DatabaseModule.forRoot(dataSource)];
    const module = { module: CommandModule, imports };
    const options = { logger: false, abortOnError: false } as const;
    const features = await NestFactory.createApplicationContext(module, options);
    return work(features).finally(() => features.close());
  }, entities);
}

/** The origin that a command records for its changes. */
export function origin(): { from: string } {
  return { from: `command line (${userInfo().username})` };
}

import { userInfo } from 'node:os';
import { Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConfigModule, loadConfig, type Config } from '#libs/config';
import { DatabaseModule, openDatabase } from '#libs/database';
import { ComparisonModule } from '#libs/predictions';
import { modelEntities, ModelsModule } from '#libs/models';
import { userEntities, UsersModule } from '#libs/users';
import { migrations } from '#migrations';
import type { DataSource } from 'typeorm';

const entities = [...userEntities, ...modelEntities];

@Module({ imports: [UsersModule, ModelsModule, ComparisonModule] })
class CommandModule {
  static forRoot(config: Config, dataSource: DataSource): DynamicModule {
    return {
      module: CommandModule,
      imports: [ConfigModule.forRoot(config), DatabaseModule.forRoot(dataSource)],
    };
  }
}

/** Runs `work` with the features a command needs, on the database that the service uses, and closes everything. */
export async function withFeatures<T>(work: (features: INestApplicationContext) => Promise<T>): Promise<T> {
  const config = loadConfig();
  const database = await openDatabase(config, { purpose: 'command', entities, migrations });
  try {
    const features = await NestFactory.createApplicationContext(
      CommandModule.forRoot(config, database.dataSource),
      {
        logger: false,
        abortOnError: false,
      },
    );
    try {
      return await work(features);
    } finally {
      await features.close();
    }
  } finally {
    await database.close();
  }
}

/** As what a command writes down what it did. */
export function origin(): { from: string } {
  return { from: `command line (${userInfo().username})` };
}

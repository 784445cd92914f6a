import { join } from 'node:path';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { beforeAll, expect, test, vi } from 'vitest';
import { ConfigModule, loadConfig } from '#libs/config';
import { DatabaseModule } from '#libs/database';
import { ModelProcess } from '#libs/inference';
import { modelEntities, PromoteVersion, ServedModels, ServedModelsModule } from '#libs/models';
import { userEntities } from '#libs/users';
import { makeArtifact } from '../support/artifacts.js';
import { ARTIFACT_STORE, type ArtifactStore } from '../../libs/models/src/artifacts/stored-artifact.js';
import { createModelDir, openDataSource, prepareDatabase } from '../support/prepared-service.js';

const ORIGIN = { from: 'test' };

const MODEL_DIR = createModelDir({ own: ['iris'] });
const database = prepareDatabase();
let process: INestApplicationContext;

/** A process that serves models, and the registry in it. */
beforeAll(async () => {
  for (const version of ['2', '3']) await makeArtifact(join(MODEL_DIR, 'iris', version), { version });
  const entities = [...userEntities, ...modelEntities];
  const dataSource = await openDataSource(database, { entities });
  const config = loadConfig({ DATA_DIR: join(MODEL_DIR, '.data'), MODEL_DIR, DEFAULT_MODEL: 'iris' });

  @Module({
    imports: [ConfigModule.forRoot(config), DatabaseModule.forRoot(dataSource), ServedModelsModule],
  })
  class ServingModule {}
  process = await NestFactory.createApplicationContext(ServingModule, { logger: false, abortOnError: false });
  await process.init();
  return () => process.close();
});

/** How often the promoting process loads the artifact and hashes its stored files. */
async function costOf(alias: string, version: string): Promise<{ loads: number; hashes: number }> {
  const loads = vi.spyOn(ModelProcess, 'open');
  const hashes = vi.spyOn(process.get<ArtifactStore>(ARTIFACT_STORE, { strict: false }), 'folderOf');
  try {
    const percent = alias === 'canary' ? 5 : undefined;
    const wanted = { name: 'iris', alias, version, percent };
    const promotion = await process.get(PromoteVersion, { strict: false }).promote(wanted, ORIGIN);
    expect(promotion).toMatchObject({ followed: 1, behind: [] });
    expect(process.get(ServedModels).get({ name: 'iris', alias })).toMatchObject({ version });
    return { loads: loads.mock.calls.length, hashes: hashes.mock.calls.length };
  } finally {
    loads.mockRestore();
    hashes.mockRestore();
  }
}

test('the process that promotes a version loads it once and hashes it once', async () => {
  expect(await costOf('production', '1')).toEqual({ loads: 1, hashes: 1 });
  expect(await costOf('shadow', '2')).toEqual({ loads: 1, hashes: 1 });
});

test('a loaded version is not loaded again, but its stored files are still checked', async () => {
  expect(await costOf('canary', '3')).toEqual({ loads: 1, hashes: 1 });
  expect(await costOf('production', '3')).toEqual({ loads: 0, hashes: 1 });
});

import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { Problem } from '#libs/errors';
import {
  CANARY,
  ModelRegistry,
  parseAlias,
  parseModelReference,
  PRODUCTION,
  PromoteVersion,
  RegisterVersion,
  SHADOW,
  VerifyVersion,
  type ModelDetails,
  type Promotion,
  type SettledCanary,
} from '#libs/models';
import { origin, withFeatures } from './command-context.js';
import { compareCommand } from './compare.command.js';

const MODEL = ['<model>', 'its name, or a URI: models:/name/3, models:/name@alias'] as const;

export function modelsCommand(): Command {
  const models = new Command('models').description('register, promote and inspect models');

  models
    .command('register')
    .description('check an artifact folder, store its files and register its version')
    .argument('<folder>')
    .action(async (folder: string) => {
      const { version, isNew, warnings, promotion } = await withFeatures((features) =>
        features.get(RegisterVersion).register(resolve(folder), origin()),
      );
      const { name } = version;
      console.log(
        isNew
          ? `Registered ${name} ${version.version} (sha256 ${version.sha256}).`
          : `${name} ${version.version} was already registered with the same content.`,
      );
      for (const warning of warnings) console.error(`Warning: ${warning}`);
      if (promotion) tell(name, PRODUCTION, promotion);
    });

  models
    .command('list')
    .description('list the models')
    .action(async () => {
      const all = await withFeatures((features) => features.get(ModelRegistry).list());
      if (all.length === 0) {
        console.log('No model is registered. The service registers everything in MODEL_DIR when it starts.');
        return;
      }
      console.table(
        all.map(({ name, versions, aliases }) => ({
          name,
          task: versions.at(-1)!.manifest.task,
          versions: versions.map(({ version }) => version).join(', '),
          aliases: aliases
            .filter(({ version }) => version !== null)
            .map(
              ({ alias, version, percent }) =>
                `${alias}=${version}${percent === null ? '' : ` (${percent} %)`}`,
            )
            .join(', '),
        })),
      );
    });

  models
    .command('show')
    .description('show the versions of a model, its aliases, their history, and what each process serves')
    .argument(...MODEL)
    .action(async (model: string) => {
      print(
        await withFeatures((features) => features.get(ModelRegistry).show(parseModelReference(model).name)),
      );
    });

  models
    .command('promote')
    .description('point an alias at a version, which is checked first, in every process')
    .argument(...MODEL)
    .argument('[version]')
    .option('--alias <alias>', 'which alias', alias, PRODUCTION)
    .action((model: string, version: string | undefined, options: { alias: string }) =>
      promote(model, version, options.alias),
    );

  models
    .command('rollback')
    .description('point an alias back at its previous version')
    .argument(...MODEL)
    .option('--alias <alias>', 'which alias', alias, PRODUCTION)
    .action(async (model: string, options: { alias: string }) => {
      const { name } = parseModelReference(model);
      const promotion = await withFeatures((features) =>
        features.get(PromoteVersion).rollback(name, options.alias, origin()),
      );
      tell(name, options.alias, promotion);
    });

  models
    .command('verify')
    .description('check versions against their golden values; all of them unless one is named')
    .argument('[model]', MODEL[1])
    .argument('[version]')
    .action(verify);

  models
    .command('shadow')
    .description('let a version see what production is asked; its answers go into the record only')
    .argument(...MODEL)
    .argument('[version]')
    .option('--off', 'end it')
    .action((model: string, version: string | undefined, { off }: { off?: boolean }) =>
      off ? takeAway(model, SHADOW) : promote(model, version, SHADOW),
    );

  models
    .command('canary')
    .description('let a version answer a percentage of the users, always the same ones')
    .argument(...MODEL)
    .argument('[version]')
    .option('--percent <percent>', 'percentage of the users', percent, 10)
    .option('--off', 'end it')
    .action((model: string, version: string | undefined, options: { percent: number; off?: boolean }) =>
      options.off ? takeAway(model, CANARY) : promote(model, version, CANARY, options.percent),
    );

  return models.addCommand(compareCommand());
}

async function promote(model: string, version: string | undefined, alias: string, percent?: number) {
  await withFeatures(async (features) => {
    const reference = parseModelReference(model);
    const meant = await features
      .get(ModelRegistry)
      .resolve(version === undefined ? reference : { name: reference.name, version });
    const wanted = { name: meant.name, version: meant.version, alias, percent };
    tell(wanted.name, alias, await features.get(PromoteVersion).promote(wanted, origin()));
  });
}

async function takeAway(model: string, alias: string): Promise<void> {
  const { name } = parseModelReference(model);
  await withFeatures((features) => features.get(PromoteVersion).remove(name, alias, origin()));
  console.log(`${name}@${alias} is removed.`);
}

async function verify(model: string | undefined, version: string | undefined): Promise<void> {
  await withFeatures(async (features) => {
    const registry = features.get(ModelRegistry);
    const reference = model === undefined ? undefined : parseModelReference(model);
    const wanted = version ?? (reference && 'version' in reference ? reference.version : undefined);
    const models = reference ? [await registry.show(reference.name)] : await registry.list();
    const versions = models.flatMap((each) => each.versions);
    const chosen = wanted === undefined ? versions : [await registry.find(reference!.name, wanted)];
    for (const { name, version } of chosen) {
      try {
        await features.get(VerifyVersion).verify(name, version);
        console.log(`${name} ${version} is ready.`);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        console.error(`${name} ${version} failed: ${error.message}`);
        process.exitCode = 1;
      }
    }
  });
}

function tell(name: string, alias: string, promotion: Promotion): void {
  const { version, previous, followed, behind, canary } = promotion;
  const before = previous === null || previous === version ? '' : `, was ${previous}`;
  const processes = followed === 1 ? '1 process serves it' : `${followed} processes serve it`;
  console.log(`${name}@${alias} is version ${version}${before}; ${processes}.`);
  if (behind.length > 0)
    console.error(`Not serving it yet: ${behind.join(', ')}. See "foretell models show ${name}".`);
  if (canary) tellCanary(name, canary);
}

function tellCanary(name: string, { version, percent, hasEnded }: SettledCanary): void {
  if (hasEnded) console.log(`${name}@canary, which was version ${version}, has ended.`);
  else
    console.error(
      `The canary continues: version ${version} answers ${percent} % of the users. ` +
        `End it with "foretell models canary ${name} --off".`,
    );
}

function print({ name, versions, history, processes }: ModelDetails): void {
  console.log(`Versions of ${name}`);
  console.table(
    versions.map((each) => ({
      version: each.version,
      state: each.state,
      sha256: each.sha256.slice(0, 12),
      registered: each.createdDatetime.toISOString(),
      by: by(each.registeredBy, each.registeredFrom),
    })),
  );
  for (const { version, failure } of versions)
    if (failure) console.log(`Version ${version} failed: ${failure}\n`);
  console.log('Aliases, newest first');
  console.table(
    history.map((each) => ({
      alias: each.alias,
      version: each.version ?? '(none)',
      percent: each.percent ?? '',
      from: each.createdDatetime.toISOString(),
      until: each.replacedDatetime?.toISOString() ?? 'now',
      by: by(each.setBy, each.setFrom),
    })),
  );
  console.log('What each process serves');
  console.table(
    processes.flatMap(({ host, pid, serving }) =>
      serving
        .filter((served) => served.name === name)
        .map(({ alias, version, failure }) => ({
          process: `${host}:${pid}`,
          alias,
          version: version ?? '(none)',
          failure: failure ? `version ${failure.version}: ${failure.reason}` : '',
        })),
    ),
  );
}

function by(userId: number | null, from: string): string {
  return userId === null ? from : `user ${userId}, ${from}`;
}

function alias(value: string): string {
  try {
    return parseAlias(value);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function percent(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && number >= 0 && number <= 100) return number;
  throw new InvalidArgumentError('It must be a number from 0 to 100.');
}

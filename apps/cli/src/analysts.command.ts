import { Command } from 'commander';
import { Analysts } from '#libs/audit';
import { askPassword } from './ask-password.js';
import { withFeatures } from './command-context.js';

export function analystsCommand(): Command {
  const analysts = new Command('analysts').description('let people read the record with SQL');

  analysts
    .command('create')
    .description(
      'create a PostgreSQL login that may read; asks for the password, or reads it from standard input',
    )
    .requiredOption('--username <name>')
    .action(async ({ username }: { username: string }) => {
      const password = await askPassword();
      await withAnalysts((service) => service.create(username, password));
      console.log(`${username} may log in to the database and read.`);
    });

  for (const [verb, description, done] of [
    ['grant', 'let an existing login read', 'may read'],
    ['revoke', 'stop a login from reading; the login itself stays', 'may no longer read'],
  ] as const) {
    analysts
      .command(verb)
      .description(description)
      .requiredOption('--username <name>')
      .action(async ({ username }: { username: string }) => {
        await withAnalysts((service) => service[verb](username));
        console.log(`${username} ${done}.`);
      });
  }

  analysts
    .command('list')
    .description('list the logins that may read')
    .action(async () => {
      const names = await withAnalysts((service) => service.list());
      console.log(names.length === 0 ? 'Nobody yet.' : names.join('\n'));
    });

  return analysts;
}

function withAnalysts<T>(work: (analysts: Analysts) => Promise<T>): Promise<T> {
  return withFeatures((features) => work(features.get(Analysts)));
}

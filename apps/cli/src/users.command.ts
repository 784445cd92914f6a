import { Command, InvalidArgumentError, Option } from 'commander';
import { ROLES, type Role } from '#libs/errors';
import { findEmailProblem, findUsernameProblem, UsersService, type User } from '#libs/users';
import { askPassword } from './ask-password.js';
import { withFeatures } from './command-context.js';

const checkedBy = (findProblem: (value: string) => string | undefined) => (value: string) => {
  const problem = findProblem(value);
  if (problem === undefined) return value;
  throw new InvalidArgumentError(`It ${problem}.`);
};
const roleOption = () => new Option('--role <role>', 'what they may do').choices(ROLES);

export function usersCommand(): Command {
  const users = new Command('users').description('create and manage users');

  users
    .command('create')
    .description('create a user; asks for the password on the terminal, or reads it from standard input')
    .requiredOption('--username <name>', 'unique regardless of case', checkedBy(findUsernameProblem))
    .requiredOption('--email <address>', 'an email address', checkedBy(findEmailProblem))
    .addOption(roleOption().default('user'))
    .action(async ({ username, email, role }: { username: string; email: string; role: Role }) => {
      const password = await askPassword();
      const user = await withUsers((service) => service.register({ username, email, password, role }));
      console.log(`Created ${role} ${user.username} with id ${user.id}.`);
    });

  users
    .command('list')
    .description('list the users')
    .action(async () => {
      const rows = await withUsers((service) => service.list());
      console.table(
        rows.map(({ id, username, email, role, enabled, createdDatetime }) => ({
          id,
          username,
          email,
          role,
          enabled,
          created: createdDatetime.toISOString(),
        })),
      );
    });

  for (const [verb, enabled] of [['enable', true] as const, ['disable', false] as const]) {
    changing(users, verb, `${verb} a user`, ({ username }) =>
      change(username, `${verb}d`, (service, user) => service.setEnabled(user.id, enabled)),
    );
  }
  changing(users, 'set-role', 'change what a user may do', ({ username, role }) =>
    change(username, `made ${role}`, (service, user) => service.setRole(user.id, role)),
  ).addOption(roleOption().makeOptionMandatory());
  changing(
    users,
    'set-password',
    'change a password; asks for it on the terminal, or reads it from standard input',
    async ({ username }) => {
      const password = await askPassword();
      await change(username, 'given a new password', (service, user) =>
        service.setPassword(user.id, password),
      );
    },
  );
  users
    .command('revoke')
    .description('end all tokens of a user that were issued so far')
    .argument('[name]')
    .option('--username <name>', 'the same')
    .action(async (name: string | undefined, { username }: { username?: string }, revoke: Command) => {
      if ((name === undefined) === (username === undefined)) revoke.error('error: name one user');
      await change((name ?? username)!, 'logged out everywhere', (service, user) =>
        service.revokeTokens(user.id),
      );
    });
  return users;
}

interface ChangeOptions {
  username: string;
  role: Role;
}

function changing(
  users: Command,
  verb: string,
  description: string,
  action: (options: ChangeOptions) => Promise<void>,
): Command {
  return users.command(verb).description(description).requiredOption('--username <name>').action(action);
}

async function change(
  username: string,
  done: string,
  work: (service: UsersService, user: User) => Promise<void>,
): Promise<void> {
  await withUsers(async (service) => {
    const user = await service.findByUsername(username);
    if (!user) throw new Error(`There is no user ${username}.`);
    await work(service, user);
  });
  console.log(`${username} was ${done}.`);
}

function withUsers<T>(work: (service: UsersService) => Promise<T>): Promise<T> {
  return withFeatures((features) => work(features.get(UsersService)));
}

#!/usr/bin/env node
import { Command } from 'commander';
import type { Problem } from '#libs/errors';

/** Loaded when they are used: a command that needs no database does not wait for one. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  serve: async () => (await import('./serve.command.js')).serveCommand(),
  predict: async () => (await import('./predict.command.js')).predictCommand(),
  migrate: async () => (await import('./migrate.command.js')).migrateCommand(),
  users: async () => (await import('./users.command.js')).usersCommand(),
  analysts: async () => (await import('./analysts.command.js')).analystsCommand(),
  models: async () => (await import('./models.command.js')).modelsCommand(),
  demo: async () => (await import('./demo.command.js')).demoCommand(),
};

const program = new Command('foretell')
  .description(
    'Serves predictions and keeps the record of every one. Reads the same variables as the service.',
  )
  .showHelpAfterError()
  // Wrong arguments end with 2, as in other command lines; a command that failed ends with 1.
  .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2));
const named = COMMANDS[process.argv[2] ?? ''];
for (const load of named ? [named] : Object.values(COMMANDS)) {
  const command = await load();
  program.addCommand(command.copyInheritedSettings(program));
  for (const subcommand of command.commands) subcommand.copyInheritedSettings(program);
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name !== 'Problem') return error.message;
  const { title, members, cause, message } = error as Problem;
  const errors = (members.errors ?? []) as { detail: string; pointer: string }[];
  // The person who runs a command may know which folder of this machine is meant.
  const detail = cause instanceof Error && cause.name === 'ArtifactError' ? cause.message : message;
  return [`${title}: ${detail}`, ...errors.map((each) => `  ${each.pointer} ${each.detail}`)].join('\n');
}

#!/usr/bin/env node
import { Command } from 'commander';
import { ConfigError } from '#libs/config';
import { Problem } from '#libs/errors';
import { ArtifactError } from '#libs/inference';
import { demoCommand } from './demo.command.js';
import { migrateCommand } from './migrate.command.js';
import { modelsCommand } from './models.command.js';
import { serveCommand } from './serve.command.js';
import { usersCommand } from './users.command.js';

const program = new Command('foretell')
  .description(
    'Serves predictions and keeps the record of every one. Reads the same variables as the service.',
  )
  .addCommand(serveCommand())
  .addCommand(migrateCommand())
  .addCommand(usersCommand())
  .addCommand(modelsCommand())
  .addCommand(demoCommand())
  .showHelpAfterError()
  // Wrong arguments end with 2, as other command lines have it; a command that failed ends with 1.
  .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2));
for (const command of program.commands) command.copyInheritedSettings(program);
for (const command of program.commands.flatMap((parent) => parent.commands))
  command.copyInheritedSettings(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}

function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof Problem) {
    const errors = (error.members.errors ?? []) as { detail: string; pointer: string }[];
    // Whoever runs a command may know which folder of this machine is meant.
    const { message } = error.cause instanceof ArtifactError ? error.cause : error;
    return [`${error.title}: ${message}`, ...errors.map((each) => `  ${each.pointer} ${each.detail}`)].join(
      '\n',
    );
  }
  return error instanceof Error ? error.message : String(error);
}

import { createInterface } from 'node:readline';
import { read } from 'read';

/** The password from the terminal, without echo and twice, or the first line of standard input. Never an argument. */
export async function askPassword(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine();
  const prompt = (text: string) => read({ prompt: text, silent: true, replace: '*', output: process.stderr });
  const password = await prompt('Password: ');
  if ((await prompt('Again: ')) !== password) throw new Error('The two passwords are not the same.');
  return password;
}

async function firstLine(): Promise<string> {
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      if (line !== '') return line;
      break;
    }
  } finally {
    // If the other end keeps a pipe open, this process could not end.
    process.stdin.destroy();
  }
  throw new Error('No password on standard input: give it as the first line, or run this on a terminal.');
}

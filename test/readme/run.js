/**
 * `npm run test:readme`: runs what README.md and docs/*.md tell a reader to type, in order, in a fresh clone.
 *
 * - `sh` is run line by line; a failing line fails the run. Its variables ($TOKEN) are kept for later blocks.
 *   `npm start` and `foretell serve` run in the background until the next of them.
 * - `python` is run by README's environment in `.venv`, `sql` as an analyst in the service's database.
 * - `text` is what the block above it prints. `…` stands for any text, on a line of its own for any lines.
 * - `console` is not run. Its first line says what it needs: `# needs Docker`.
 *
 * Arguments name the pages to read after README: `npm run test:readme -- docs/models.md`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openRunFolder } from '../support/run-folder.js';

const project = fileURLToPath(new URL('../..', import.meta.url));
// However this ends, it leaves nothing behind.
const run = openRunFolder();
const place = run.path;
const clone = join(place, 'foretell');
const variables = join(place, 'variables');

const IS_SERVER = /^(\w+=\S+ )*npm (start|run foretell -- serve)\b.*$/;
const READY = 'Stop it with Ctrl+C.';
const READY_WITHIN_MS = 120_000;
const BLOCK_WITHIN_MS = 600_000;
/** Typed if a command asks for a password. */
const PASSWORD = 'correct horse battery staple\n';

/** The ports that the pages name → free ones of this machine. */
const ports = new Map();
for (const port of ['8001', '1234', '9464']) ports.set(port, await freePort());

let server;
const leftOut = [];
let ran = 0;

try {
  await shell(`git clone --quiet '${project}' '${clone}'`, place);
  const wanted = process.argv.slice(2);
  const pages = wanted.length > 0 ? wanted : allPages();
  for (const page of ['README.md', ...pages]) await runPage(page);
  await stopServer();
  console.log(`\n${ran} blocks ran as the pages say. Left out:`);
  for (const line of leftOut) console.log(`  ${line}`);
} catch (error) {
  console.error(`\n${error.message}`);
  process.exitCode = 1;
} finally {
  await run.close();
}

function allPages() {
  return readdirSync(join(clone, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`);
}

async function runPage(page) {
  const blocks = [...readFileSync(join(clone, page), 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
    ({ 1: language, 2: text, index, input }) => ({
      language,
      text,
      at: `${page}:${input.slice(0, index).split('\n').length}`,
    }),
  );
  for (const [index, block] of blocks.entries()) {
    const { language, text, at } = block;
    if (language === 'console') {
      const [, need] = /^# (needs .+)\n/.exec(text) ?? [];
      if (!need) throw new Error(`${at}: the first line of a console block says what it needs: # needs …`);
      leftOut.push(`${at} ${need}`);
    }
    if (!['sh', 'python', 'sql'].includes(language)) continue;
    const began = Date.now();
    const output = await runBlock(block).catch((error) => {
      throw new Error(`${at}: ${error.message}`);
    });
    const next = blocks[index + 1];
    if (next?.language === 'text') compare(next, output);
    ran++;
    console.log(`${at} ${language} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  }
}

async function runBlock({ language, text }) {
  if (language === 'sql') return query(text);
  if (language === 'python') {
    writeFileSync(join(place, 'block.py'), withPorts(text));
    return shell(`.venv/bin/python '${join(place, 'block.py')}'`, clone);
  }
  const command = withPorts(text);
  return IS_SERVER.test(command.trim()) ? startServer(command) : shell(command, clone);
}

/** Runs the lines in order, sharing variables. @returns their output @throws Error for the first failure */
async function shell(lines, cwd) {
  const script = `
    set -Eeuo pipefail
    trap 'echo "failed: $BASH_COMMAND" >&2' ERR
    if [ -e '${variables}' ]; then . '${variables}'; fi
    # As on a terminal, where an answer ends with a new prompt; an answer of 400 or more is a failure.
    curl() { command curl -sS --fail-with-body "$@"; local code=$?; echo; return $code; }
    set -a
    ${lines}
    set +a
    unset -f curl
    declare -px > '${variables}'`;
  const running = start(script, cwd);
  const { child, ended } = running;
  child.stdin.on('error', () => {}).end(PASSWORD);
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), BLOCK_WITHIN_MS);
  const [code] = await ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`ended with code ${code}:\n${running.output}`);
  return running.output;
}

/** In a process group of its own, with all of its output. */
function start(script, cwd) {
  const child = spawn('bash', ['-c', script], { cwd, env: environment(), stdio: 'pipe', detached: true });
  const running = { child, output: '', ended: once(child, 'close') };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      running.output += text;
    });
  }
  return running;
}

/** The environment of a fresh login; no variable of ours reaches the service. */
function environment() {
  const { PATH, HOME, USER, LANG } = process.env;
  return { PATH, HOME, USER, LANG, PORT: ports.get('8001') };
}

async function startServer(command) {
  await stopServer();
  server = start(command, clone);
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!server.output.includes(READY)) {
    if (server.child.exitCode !== null || Date.now() > deadline)
      throw new Error(`the service did not become ready:\n${server.output}`);
    await wait(100);
  }
  return server.output;
}

/** Like Ctrl+C: to everything that the terminal runs. */
async function stopServer() {
  if (!server) return;
  const { child, ended } = server;
  server = undefined;
  if (child.exitCode !== null) throw new Error(`the service has ended with code ${child.exitCode}`);
  process.kill(-child.pid, 'SIGINT');
  if ((await Promise.race([ended, wait(30_000)])) === undefined) {
    process.kill(-child.pid, 'SIGKILL');
    throw new Error('the service did not stop');
  }
}

async function query(sql) {
  const [, url, passwordFile] = /Database\s+(\S+) \(password in (.+)\)/.exec(server?.output ?? '') ?? [];
  const { Client } = createRequire(join(clone, 'package.json'))('pg');
  const database = new URL(url);
  database.password = readFileSync(passwordFile, 'utf8').trim();
  const client = new Client({ connectionString: database.href });
  await client.connect();
  try {
    await client.query('SET ROLE foretell_analyst');
    const results = [await client.query(sql)].flat();
    return results.map(({ rows }) => rows.map((row) => JSON.stringify(row)).join('\n')).join('\n');
  } finally {
    await client.end();
  }
}

/** @throws Error unless the output has these lines, in this order */
function compare({ text, at }, output) {
  const lines = masked(output).split('\n');
  let from = 0;
  for (const group of masked(text).trimEnd().split(/^…\n/m)) {
    const expected = group.trimEnd().split('\n').map(pattern);
    const found = lines.findIndex(
      (_, start) => start >= from && expected.every((each, index) => each.test(lines[start + index])),
    );
    if (found < 0) throw new Error(`${at}: this is not what is printed:\n${group}\nbut:\n${output}`);
    from = found + expected.length;
  }
}

function pattern(line) {
  return new RegExp(
    `^${line
      .split('…')
      .map(RegExp.escape ?? escaped)
      .join('.*')}$`,
  );
}

function escaped(text) {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Without what differs from run to run and from machine to machine. */
function masked(text) {
  let mask = text
    .replace(/\r/g, '\n')
    .replace(/\((password in) .*\)/g, '($1 …)')
    .replace(/(127\.0\.0\.1:)\d+(\/foretell)/g, '$1PORT$2')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID')
    .replace(/\b20\d\d-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  for (const [named, free] of ports) mask = mask.replace(new RegExp(`\\b${free}\\b`, 'g'), named);
  return mask;
}

function withPorts(text) {
  return text.replace(/\b(8001|1234|9464)\b/g, (port) => ports.get(port));
}

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  return String(port);
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * The process of one model: it reads the artifact, loads it, and answers one batch after another. `ModelProcess` is its
 * counterpart; nothing else starts it. Whatever an artifact can do to a process, it can do only to this one.
 */
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { answerInTurn, type Reply } from '#libs/calls';
import { ArtifactError, presentable, readArtifact, type Artifact } from './artifact.js';
import { isBounded } from './bounded-graph.js';
import { MEMORY_EXCEEDED, type Answer, type Described, type Loaded, type Order } from './model-process.js';
import { decideBatch, decidePlace, isQuickToCheck, RUN_BUDGET_MS, type Place } from './place.js';
import type { Session } from './session.js';

const [, , , maxMemoryBytes, parent] = process.argv;

watch();
volunteerForEnding();
// Ctrl+C and process managers signal all of us at once: our parent decides when we end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());

let artifact: Artifact;
let session: Session;
process.on('message', answerInTurn(answer, reply, replyError));

/** In a thread, because this one may be stuck inside ONNX Runtime forever. */
function watch(): void {
  new Worker(new URL('./model-process-watch.js', import.meta.url), {
    workerData: {
      maxMemoryBytes: Number(maxMemoryBytes),
      complaint: MEMORY_EXCEEDED,
      parent: Number(parent),
    },
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8 },
  }).unref();
}

/** When memory runs out, Linux ends the process that offers itself first: neither the service nor PostgreSQL. */
function volunteerForEnding(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    return;
  }
}

async function answer(order: Order): Promise<Answer> {
  if ('read' in order) return read(order.read);
  if ('load' in order) return load(order.load);
  return session.run(order);
}

async function read(folder: string): Promise<Described> {
  artifact = await readArtifact(folder);
  const { manifest, columns, contentSha256 } = artifact;
  return { manifest, columns, contentSha256 };
}

async function load(wanted: Place | undefined): Promise<Loaded> {
  const { Session } = await import('./session.js');
  await Session.startRuntime();
  const started = performance.now();
  session = await Session.open(artifact);
  const openMs = performance.now() - started;
  const sample = session.sampleOf(artifact.golden);
  const runs = await session.warmUp(sample, RUN_BUDGET_MS['own process']);
  const place = wanted ?? decidePlace({ openMs, runs }, () => isBounded(artifact.graph));
  if (place === 'own process') lowerPriority();
  const before = process.cpuUsage();
  const warnings = await session.checkGolden(artifact.golden);
  // Processor time, so that it does not matter how busy the machine is.
  const { user, system } = process.cpuUsage(before);
  const { inputTensors: inputs, elementTypes } = session;
  return {
    place,
    batch: decideBatch(runs, place),
    sample,
    inputs,
    elementTypes,
    warnings,
    isQuickToCheck: isQuickToCheck(place, (user + system) / 1000),
  };
}

/**
 * If the processor is busy, the service's event loop goes first. This is done after measuring, so that a busy machine
 * does not make a quick model look slow. On Linux it applies only to the thread that runs the model.
 */
function lowerPriority(): void {
  try {
    setPriority(10);
  } catch {
    return;
  }
}

function reply(value: Answer): void {
  process.send!({ value } satisfies Reply<Answer>);
}

function replyError(error: Error): void {
  const message = error instanceof ArtifactError ? error.detail : error.message;
  process.send!({ error: presentable(message) } satisfies Reply<Answer>);
}

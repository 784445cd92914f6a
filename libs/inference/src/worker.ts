/**
 * The thread of one model: it loads the artifact, reports what it found, and answers one batch after another until it
 * is told to end. `WorkerSession` is its other side; nothing else starts it.
 */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';
import { ArtifactError, readArtifact } from './artifact.js';
import type { Row } from './row.js';
import { decideBatch, decidePlace, RUN_BUDGET_MS } from './place.js';
import { Session } from './session.js';
import type { Loaded, Order, Reply } from './worker-session.js';

const port = parentPort!;
const { folder, place: wanted } = workerData as Order;

try {
  const { session, loaded } = await load();
  port.on('message', (rows: Row[] | null) => {
    if (rows) void answer(session, rows);
    else void session.release().then(() => port.close());
  });
  reply({ value: loaded });
} catch (error) {
  reply({ error: error instanceof ArtifactError ? error.detail : (error as Error).message });
}

async function load(): Promise<{ session: Session; loaded: Loaded }> {
  const { graph, ...artifact } = await readArtifact(folder);
  await startRuntime();
  const started = performance.now();
  const session = await Session.open({ graph, ...artifact });
  const openMs = performance.now() - started;
  try {
    const runs = await session.warmUp(RUN_BUDGET_MS['worker thread']);
    const place = wanted ?? decidePlace({ openMs, runs });
    if (place === 'worker thread') lowerPriority();
    await session.checkGolden(artifact.golden);
    const batch = decideBatch(runs, place);
    const { inputTensors: inputs, elementTypes } = session;
    const loaded: Loaded = { place, batch, artifact, inputs, elementTypes };
    return { session, loaded: place === 'event loop' ? { ...loaded, graph } : loaded };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** A process's first session also starts ONNX Runtime, 25 to 40 ms that are not the model's; this one has no graph. */
async function startRuntime(): Promise<void> {
  await ort.InferenceSession.create(new Uint8Array()).catch(() => undefined);
}

/**
 * This thread alone: where the processor is short, the event loop goes first. After measuring, so that a busy machine
 * does not make a quick model look slow; and only where it stays, because a thread that has to end first would hold up
 * a promotion. Only Linux has priorities of threads; elsewhere all stay equal.
 */
function lowerPriority(): void {
  try {
    const [, , thread] = readlinkSync('/proc/thread-self').split('/');
    setPriority(Number(thread), 10);
  } catch {
    return;
  }
}

async function answer(session: Session, rows: readonly Row[]): Promise<void> {
  await session.run(rows).then(
    (value) => reply({ value }),
    (error: Error) => reply({ error: error.message }),
  );
}

function reply(reply: Reply): void {
  port.postMessage(reply);
}

import { availableParallelism } from 'node:os';
import { ScoringInterrupted, type ScoringOrder, type ScoringResult } from './order.js';
import { ScoringThreads } from './scoring-threads.js';

/**
 * Scores a file: chunks of it go to threads, and their results are written in the input's order.
 *
 * Invariants
 * - a file under the output's name is complete, and was durable before it got the name;
 * - a checkpoint names only what is durable, so that a resumed run neither loses nor repeats a row;
 * - at most `CHUNKS_PER_THREAD` chunks per thread are in memory, whatever the size of the file.
 *
 * @throws InputError, ScoringInterrupted, ArtifactError
 */
export async function scoreFile(order: ScoringOrder): Promise<ScoringResult> {
  const { signal } = order;
  try {
    signal?.throwIfAborted();
    const threads = new ScoringThreads(order.threads ?? availableParallelism());
    // A thread may be in the middle of a long run: it is not waited for.
    const interrupt = () => void threads.end();
    signal?.addEventListener('abort', interrupt);
    try {
      // While the threads load their modules, this one loads its own.
      const { scoreWith } = await import('./scoring.js');
      return await scoreWith(threads, order);
    } finally {
      signal?.removeEventListener('abort', interrupt);
      await threads.end();
    }
  } catch (error) {
    throw signal?.aborted ? new ScoringInterrupted('The run was interrupted.') : error;
  }
}

import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { AlreadyAnswered, KeptAnswers, type Idempotency } from '#libs/audit';
import { isUnavailable } from '#libs/database';
import { Problem } from '#libs/errors';
import type { PredictionCall } from './prediction-call.js';

/** Answers a question that is sent again under its `Idempotency-Key` with the same answer as before (docs/adr/0012). */
@Injectable()
export class IdempotentAnswers {
  constructor(private readonly keptAnswers: KeptAnswers) {}

  /**
   * The first answer under a key is kept with its record, and returned when the same question comes under it again. A
   * refusal is not kept: what was wrong may be right now. If two come at once, both are computed and one is recorded.
   * @param predict computes an answer, and records it under the key
   */
  async answer(
    call: PredictionCall,
    { key, onReplay }: NonNullable<PredictionCall['idempotency']>,
    predict: (idempotency: Idempotency) => Promise<string>,
  ): Promise<string> {
    const idempotency = { key, fingerprint: fingerprintOf(call) };
    const replay = async () => {
      const kept = await this.findKept(call.actor.userId, idempotency);
      if (kept !== undefined) onReplay();
      return kept;
    };
    const before = await replay();
    if (before !== undefined) return before;
    try {
      return await predict(idempotency);
    } catch (error) {
      const meanwhile = error instanceof AlreadyAnswered ? await replay() : undefined;
      if (meanwhile === undefined) throw error;
      return meanwhile;
    }
  }

  /** @throws Problem `idempotency-key-reused` if the key belonged to another question */
  private async findKept(userId: number, { key, fingerprint }: Idempotency): Promise<string | undefined> {
    const kept = await this.keptAnswers.find(userId, key).catch((error: unknown) => {
      throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    });
    if (kept && kept.fingerprint !== fingerprint) {
      throw new Problem(
        'idempotency-key-reused',
        'A different question was answered under this Idempotency-Key. Send a new key with a new question.',
      );
    }
    return kept?.answer;
  }
}

/** A hash of everything that the caller chose and the answer depends on. */
function fingerprintOf({ dialect, model, headers, body }: PredictionCall): string {
  const asked = JSON.stringify([dialect.name, model ?? null, headers['content-type'] ?? null]);
  return createHash('sha256').update(asked).update(body).digest('hex');
}

import { Injectable } from '@nestjs/common';
import { RecordedAnswers, type AnswerFigures } from '#libs/audit';
import { Problem } from '#libs/errors';
import type { Features, Manifest, Model } from '#libs/inference';
import { ModelRegistry } from '#libs/models';
import { dialectNamed } from './dialects/index.js';
import type { Dialect } from './dialects/dialect.js';
import { gistOf, type Gist } from './dialects/gist.js';

/** What two versions answered for the same inputs. */
export type Differences = ReturnType<Tally['result']>;
export type Comparison = Awaited<ReturnType<ModelComparison['compare']>>;
export type Replay = Awaited<ReturnType<ModelComparison['replay']>>;

/** Compares two versions of a model by what is in the record. */
@Injectable()
export class ModelComparison {
  constructor(
    private readonly registry: ModelRegistry,
    private readonly answers: RecordedAnswers,
  ) {}

  /** If one of the two was the other's shadow, on the same requests. @throws Problem `model-not-found` */
  async compare(model: string, a: string, b: string, since?: Date) {
    /** What each answered to callers, and as a candidate. */
    const served: Record<string, AnswerFigures> = {};
    const shadowed: Record<string, AnswerFigures> = {};
    const tally = new Tally();
    const manifests: Record<string, Manifest> = {};
    for (const version of [a, b]) {
      manifests[version] = (await this.registry.find(model, version)).manifest;
      served[version] = await this.answers.figures({ model, version, since });
      shadowed[version] = await this.answers.shadowFigures({ model, version, since });
    }
    for (const [version, candidate] of [[a, b] as const, [b, a] as const]) {
      for await (const answer of this.answers.shadowed({ model, version, since }, candidate)) {
        const dialect = dialectNamed(answer.dialect);
        if (!dialect) continue;
        tally.add(
          answer.statusCode === 200 ? dialect.recall(answer.output, manifests[version]!) : undefined,
          answer.shadowStatusCode === 200
            ? dialect.recall(answer.shadowOutput, manifests[candidate]!)
            : undefined,
        );
      }
    }
    return { served, shadowed, differences: tally.result() };
  }

  /**
   * Asks the candidate what the served version was asked, and compares its answers with the recorded ones.
   * @param onProgress called with how many of how many requests are done
   * @returns also the times of the candidate's coercion and inference alone, one request after another, in ms
   */
  async replay(
    model: string,
    served: string,
    candidate: string,
    since?: Date,
    onProgress: (done: number, total: number) => void = () => undefined,
  ) {
    const of = { model, version: served, since };
    const { manifest } = await this.registry.find(model, served);
    const { requests, refused } = await this.answers.figures(of);
    const version = await this.registry.find(model, candidate);
    const loaded = await this.registry.load(version, { timeLimitMs: REPLAY_LIMIT_MS });
    const tally = new Tally();
    const times: number[] = [];
    try {
      for await (const answer of this.answers.answered(of)) {
        const dialect = dialectNamed(answer.dialect);
        if (answer.statusCode !== 200 || !dialect) continue;
        const started = performance.now();
        const coerced = read(dialect, answer.input, loaded)?.map(loaded.coerce);
        const isTaken = coerced?.every(({ errors }) => errors.length === 0);
        const predictions = isTaken ? await loaded.infer(coerced!.map(({ row }) => row)) : undefined;
        times.push(performance.now() - started);
        tally.add(
          dialect.recall(answer.output, manifest),
          predictions?.map((each) => gistOf(each, loaded.manifest)),
        );
        onProgress(times.length, requests - refused);
      }
    } finally {
      await loaded.release();
    }
    const sorted = Float64Array.from(times).toSorted();
    const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? NaN;
    return { differences: tally.result(), p50Ms: at(0.5), p95Ms: at(0.95) };
  }
}

/** Undefined if the model cannot take the question, for example one without names and with more or fewer columns. */
function read(dialect: Dialect, input: unknown, model: Model): readonly Features[] | undefined {
  try {
    return dialect.read(input, model).instances;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** No caller waits for the answers of a replay. */
const REPLAY_LIMIT_MS = 3_600_000;

/** Counts as it goes, so that memory does not depend on how much there is. */
class Tally {
  private requests = 0;
  private rows = 0;
  private measured = 0;
  private labelled = 0;
  private agreeing = 0;
  private sum = 0;
  private largest = 0;
  private refusedByOne = 0;

  /** What each of the two answered to one request; undefined if it refused. */
  add(a: readonly Gist[] | undefined, b: readonly Gist[] | undefined): void {
    this.requests++;
    if (!a !== !b) this.refusedByOne++;
    if (!a || !b) return;
    for (const [index, one] of a.entries()) {
      const other = b[index]!;
      this.rows++;
      if (one.number !== undefined && other.number !== undefined) {
        const difference = Math.abs(one.number - other.number);
        this.measured++;
        this.sum += difference;
        this.largest = Math.max(this.largest, difference);
      }
      if (one.label === undefined) continue;
      this.labelled++;
      if (one.label === other.label) this.agreeing++;
    }
  }

  result() {
    const { requests, rows, measured, refusedByOne } = this;
    return {
      requests,
      /** Those of the requests that both answered. */
      rows,
      /** The share of rows with the same label; undefined for a regression. */
      agreement: this.labelled === 0 ? undefined : this.agreeing / this.labelled,
      /** In the second label's probability, the confidence, or the value; undefined if no answer has it. */
      meanDifference: measured === 0 ? undefined : this.sum / measured,
      largestDifference: measured === 0 ? undefined : this.largest,
      /** Requests that one of the two refused. */
      refusedByOne,
    };
  }
}

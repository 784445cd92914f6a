import { Problem, type FieldError, type ProblemForm } from '#libs/errors';
import {
  formatNumber,
  type Column,
  type Features,
  type Manifest,
  type Model,
  type Prediction,
} from '#libs/inference';
import { parseJsonBody } from '#libs/json';
import { LookAlikes } from '../look-alikes.js';
import type { DialectDocument } from './document.js';
import type { LeftOut } from './excess.js';
import { shortened } from './members.js';
import type { PredictionRoute } from './route.js';

export { isObject, shortened } from './members.js';

/** The headers of a request, in lower case. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** A wire format: where and how a body asks, and how an answer or a refusal is written. It knows no HTTP server. */
export interface Dialect {
  /** As recorded. */
  readonly name: string;
  /** The paths that are its own, no other dialect's. Whatever is refused there is told in its form, also where nothing is. */
  readonly paths: RegExp;
  readonly problems: ProblemForm;
  readonly routes: readonly PredictionRoute[];
  readonly document: DialectDocument;
  /** What a body may be declared as, for people. */
  readonly mediaTypes: string;
  /** Whether a body declared so can be read. */
  accepts(contentType: string | undefined): boolean;
  /** A body → the JSON value that is recorded: what was sent, or its equal in JSON. @throws Problem `bad-request` */
  parse(body: Buffer, headers: RequestHeaders, model: Model): unknown;
  /** That value, also when it comes back out of the record, → the question. @throws Problem `bad-request` */
  read(input: unknown, model: Model): Question;
  /**
   * The value of a question that was answered → what is recorded of it where it is large: everything that the answer was
   * made of, so that it reads the same again, and of the rest what there is room for.
   */
  abridge(input: unknown, model: Model, leftOut: LeftOut): unknown;
  /** A recorded answer → what it came to, one per instance. */
  recall(output: unknown, manifest: Manifest): Gist[];
}

/** What a caller asked: one row or more, and how the answer is to be written. */
export interface Question {
  readonly instances: readonly Features[];
  /** What is wrong with values, told by where in the body they stand. */
  refuse(errors: readonly BadValue[]): Problem;
  /** The answer as JSON text, which is sent and recorded as it is; one prediction an instance, in their order. */
  write(predictions: readonly Prediction[], model: Model, requestId: string): string;
}

/** One column of one instance that the model cannot take; the pointer begins at the instance. */
export interface BadValue extends FieldError {
  readonly instance: number;
  /** For a column that is missing: the caller's name that looks like it. */
  readonly lookAlike?: string;
}

/**
 * What a prediction comes to, for comparing one with another: of a binary classifier the probability of its second
 * label, of another the probability of the label it chose, of a regression the value.
 */
export interface Gist {
  label?: string;
  /** Undefined if the answer did not tell. */
  number?: number;
}

/**
 * For dialects that are asked in JSON and in nothing else. What declares nothing is read as JSON, as the tutorial's scripts
 * send it: `requests.post(url, data=json.dumps(x))`.
 */
export const jsonBody: Pick<Dialect, 'mediaTypes' | 'accepts' | 'parse'> = {
  mediaTypes: 'application/json',
  accepts: (contentType = 'application/json') => /^application\/json\s*(;|$)/i.test(contentType),
  parse: (body, _headers, model) => parseJsonBody(body, { values: maxValuesPerRow(model.columns) }),
};

/**
 * So many rows does one call bring at most, however many bytes it may have: they are read and coerced in one go, in
 * which nobody else is answered (100 000 of eight columns: 0.3 s).
 */
export const MAX_ROWS = 100_000;
/**
 * So many values does a row bring at most: those of the model, and room for what it does not know. Each costs some
 * microseconds, also where it is ignored.
 */
export function maxValuesPerRow(columns: readonly Column[]): number {
  return 4 * columns.length + 4_000;
}
/** So many bad values are looked for: a table that is bad throughout has millions. */
export const MAX_BAD_VALUES = 10_000;
const MAX_ERRORS = 100;
const MAX_LOOK_ALIKES = 10;

/**
 * Every bad column of every instance, as far as that is any help.
 * @param locate where in the body an instance stands, as a JSON Pointer: '' for the body itself, '/instances/3'
 */
export function refuseValues(errors: readonly BadValue[], locate: (instance: number) => string): Problem {
  const count = errors.length < MAX_BAD_VALUES ? `${errors.length}` : `At least ${MAX_BAD_VALUES}`;
  const columns = errors.length === 1 ? '1 column is' : `${count} columns are`;
  const more = errors.length > MAX_ERRORS ? ` The first ${MAX_ERRORS} are named.` : '';
  return Problem.badRequest(
    `${columns} missing or not convertible.${more}`,
    errors.slice(0, MAX_ERRORS).map(({ instance, detail, pointer, lookAlike }) => ({
      detail: lookAlike === undefined ? detail : `${detail}: ${lookAlike}`,
      pointer: `#${locate(instance)}${pointer.slice(1)}`,
    })),
  );
}

/** ` Unknown column 'Tenure'; did you mean 'tenure'?`, as the last sentences of a refusal; '' if there is none. */
export function tellLookAlikes(lookAlikes: Iterable<string | undefined>): string {
  const told = [...lookAlikes].filter((each) => each !== undefined).slice(0, MAX_LOOK_ALIKES);
  return told.map((each) => ` ${each[0]!.toUpperCase()}${each.slice(1)}`).join('');
}

/** The names among a caller's columns that the model does not have. */
export function lookAlikesOf(names: readonly string[], columns: readonly Column[]): LookAlikes {
  const isColumn = isColumnOf(columns);
  return new LookAlikes(names.filter((name) => !isColumn(name)));
}

/** The column that a pointer beginning at the instance names. */
export function columnOf({ pointer }: FieldError): string {
  return decodeURIComponent(pointer.slice('#/'.length)).replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Checks a table. @throws Problem `bad-request` */
export function refuseTooManyColumns(count: number, columns: readonly Column[]): void {
  const most = maxValuesPerRow(columns);
  if (count > most) throw Problem.badRequest(`The table has more than ${most} columns.`);
}

/** @throws Problem `bad-request` */
export function refuseTooManyRows(count: number): void {
  if (count <= MAX_ROWS) return;
  throw Problem.badRequest(`One call takes at most ${MAX_ROWS} rows. Send more as a file to POST /batches.`);
}

/** @returns whether a name is that of one of these columns */
export function isColumnOf(columns: readonly Column[]): (name: string) => boolean {
  const known = new Set(columns.map(({ name }) => name));
  return (name) => known.has(name);
}

/** A name that is there twice. */
export function repeatedIn(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** As much of a caller's own name as helps to find it. */
export function quoted(name: string): string {
  return JSON.stringify(shortened(name));
}

/** Whether labels are written as JSON numbers where a format has room for it: "0" and "1" are, "setosa" and "007" not. */
export function areIntegers(labels: readonly string[]): boolean {
  return labels.every((label) => Number.isSafeInteger(Number(label)) && String(Number(label)) === label);
}

/** With the digits that it would be recorded with. */
export function gistOf(prediction: Prediction, manifest: Manifest): Gist {
  if ('value' in prediction) return { number: asRecorded(prediction.value) };
  const { label, probabilities } = prediction;
  return gistOfProbabilities(probabilities.map(asRecorded), manifest, label);
}

/** @param label the one that was chosen, where the answer says so */
export function gistOfProbabilities(
  probabilities: readonly number[],
  manifest: Manifest,
  label?: string,
): Gist {
  if (manifest.task === 'regression') return {};
  const { labels } = manifest;
  if (manifest.task === 'binary_classification') {
    const number = probabilities[1]!;
    return { label: label ?? labels[number > manifest.threshold ? 1 : 0]!, number };
  }
  const index =
    label === undefined ? probabilities.indexOf(Math.max(...probabilities)) : labels.indexOf(label);
  return { label: labels[index]!, number: probabilities[index]! };
}

function asRecorded(number: number): number {
  return Number(formatNumber(number));
}

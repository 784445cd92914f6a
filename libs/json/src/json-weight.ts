import { Problem } from '#libs/errors';

/** Deeper than any features; PostgreSQL and our own serialiser both have a limit. */
export const MAX_DEPTH = 32;

export interface JsonLimits {
  /** Members of one object. */
  members?: number;
  /** Elements of one array. */
  elements?: number;
  /** Members and elements in total; an array or object counts as one more, so that empty ones count too. */
  values?: number;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

/** How much is in each open object and array, the outermost first, and whether it is an object. */
const counts = new Int32Array(MAX_DEPTH + 1);
const isObject = new Array<boolean>(MAX_DEPTH + 1).fill(false);

/**
 * Counts what a body of JSON would become, from its bytes and before it is parsed: the cost depends on members
 * and elements rather than bytes, and 800 kB of 75 000 names blocked the event loop for 250 ms. Counting takes 2 ms per
 * megabyte. The count means nothing if the text is not JSON, which the parser then refuses.
 *
 * @returns how many values there are
 * @throws Problem `bad-request` for more than the limits, and for nesting deeper than `MAX_DEPTH`
 */
export function weighJson(json: Buffer, limits: JsonLimits = {}): number {
  const { members = Infinity, elements = Infinity, values: mostValues = Infinity } = limits;
  counts[0] = 0;
  let depth = 0;
  let values = 0;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case QUOTE:
        at = endOfText(json, at);
        break;
      case COMMA:
        if (++counts[depth]! > (isObject[depth] ? members : elements)) {
          throw isObject[depth]
            ? tooMany('An object of the body', members, 'members')
            : tooMany('A list of the body', elements, 'elements');
        }
        if (++values > mostValues) throw tooMany('The body', mostValues, 'values');
        break;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (++values > mostValues) throw tooMany('The body', mostValues, 'values');
        if (++depth > MAX_DEPTH)
          throw Problem.badRequest(`The body is nested deeper than ${MAX_DEPTH} levels.`);
        counts[depth] = 1;
        isObject[depth] = json[at] === OPEN_OBJECT;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (depth > 0) depth--;
    }
  }
  return values;
}

/** The position of its closing quote, or the end. */
function endOfText(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}

function tooMany(what: string, most: number, noun: string): Problem {
  return Problem.badRequest(`${what} has more than ${most} ${noun}.`);
}

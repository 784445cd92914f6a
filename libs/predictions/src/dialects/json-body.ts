import { parseJsonBody } from '#libs/json';
import type { Dialect } from './dialect.js';
import { maxValuesPerRow } from './row-limits.js';

/**
 * For dialects that only take JSON. A body without a Content-Type is read as JSON, because the tutorial's scripts send
 * it so: `requests.post(url, data=json.dumps(x))`.
 */
export const jsonBody: Pick<Dialect, 'mediaTypes' | 'accepts' | 'parse'> = {
  mediaTypes: 'application/json',
  accepts: (contentType = 'application/json') => /^application\/json\s*(;|$)/i.test(contentType),
  parse: (body, _headers, model) => parseJsonBody(body, { values: maxValuesPerRow(model.columns) }),
};

/**
 * What a cell of a table says if it has no value: the words that pandas writes and reads as a missing value
 * (`na_values` of pandas.read_csv, all of its defaults), so that a table means the same here as where it was made.
 * https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html
 */
export const MISSING_VALUES: ReadonlySet<string> = new Set([
  '',
  '#N/A',
  '#N/A N/A',
  '#NA',
  '-1.#IND',
  '-1.#QNAN',
  '-NaN',
  '-nan',
  '1.#IND',
  '1.#QNAN',
  '<NA>',
  'N/A',
  'NA',
  'NULL',
  'NaN',
  'None',
  'n/a',
  'nan',
  'null',
]);

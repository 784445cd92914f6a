import Papa from 'papaparse';
import { ANYTHING, list, oneOf, record, STRING } from '#libs/json';
import { exampleOf } from '../../features-schema.js';
import type { DialectDocument } from '../document.js';

const INPUT = {
  type: 'object',
  description:
    'Exactly one of `dataframe_split`, `dataframe_records`, `instances`, `inputs` and `data`, and optionally ' +
    '`params`. Foretell adds `data`, rows with their columns in the order of the model, and `columns` beside it, as ' +
    'pandas splits a table.',
  properties: {
    dataframe_split: { type: 'object' },
    dataframe_records: list({ type: 'object' }),
    instances: ANYTHING,
    inputs: ANYTHING,
    data: list(ANYTHING),
    columns: list(STRING),
    params: { type: 'object', properties: { predict_method: oneOf('predict', 'predict_proba') } },
  },
};

const CSV = {
  ...STRING,
  description:
    'A line of column names, then a line for each row. The words that pandas reads as missing values are missing values, ' +
    'unless the column lists them as categories.',
};

export const mlflowDocument: DialectDocument = {
  group: { name: 'MLflow', description: 'What clients of an MLflow scoring server call.' },
  answer: { name: 'MlflowPredictions', schema: record({ predictions: list(ANYTHING) }) },
  answerDescription: 'One entry per row.',
  bodies(_features, columns) {
    const row = exampleOf(columns);
    return {
      'application/json': { name: 'MlflowInput', schema: INPUT, example: { dataframe_records: [row] } },
      'text/csv': { schema: CSV, example: `${Papa.unparse([row], { newline: '\n' })}\n` },
    };
  },
};

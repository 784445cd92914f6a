import { ANYTHING, INTEGER, list, record, STRING } from '#libs/json';
import { exampleOf } from '../../features-schema.js';
import type { DialectDocument } from '../document.js';

const QUESTION = { type: 'object', required: ['inputs'], properties: { inputs: list(ANYTHING) } };

export const oipDocument: DialectDocument = {
  group: {
    name: 'Open Inference Protocol',
    description: 'Version 2, which clients of KServe, Triton and MLServer call.',
  },
  answer: {
    name: 'InferenceResponse',
    schema: record(
      {
        model_name: STRING,
        model_version: STRING,
        outputs: list(record({ name: STRING, datatype: STRING, shape: list(INTEGER), data: list(ANYTHING) })),
      },
      { id: STRING },
    ),
  },
  bodies: (_features, columns) => ({
    'application/json': {
      name: 'InferenceRequest',
      schema: QUESTION,
      // A tensor for each column, which every model takes.
      example: {
        inputs: Object.entries(exampleOf(columns)).map(([name, value]) => ({
          name,
          shape: [1],
          datatype: typeof value === 'string' ? 'BYTES' : 'FP64',
          data: [typeof value === 'boolean' ? Number(value) : value],
        })),
      },
    },
  }),
};

import { dictionary, list, NUMBER, record, STRING } from '#libs/json';
import { exampleOf } from '../../features-schema.js';
import type { DialectDocument } from '../document.js';

export const namedDocument: DialectDocument = {
  answer: {
    name: 'ModelPredictions',
    schema: record({
      request_id: STRING,
      model: record({
        name: { ...STRING, example: 'heart-failure' },
        version: { ...STRING, example: '1' },
      }),
      predictions: {
        ...list(
          record(
            {},
            {
              label: { ...STRING, description: 'For a classifier: one of its labels.' },
              confidence: { ...NUMBER, description: 'For a classifier: the probability of the label.' },
              probabilities: {
                ...dictionary(NUMBER),
                description: 'For a classifier: the probability of each label.',
              },
              prediction: { ...NUMBER, description: 'For a regression: its value.' },
            },
          ),
        ),
        description: 'One per instance, in the same order.',
      },
    }),
  },
  bodies: (features, columns) => ({
    'application/json': {
      schema: {
        anyOf: [
          features,
          { type: 'object', required: ['instances'], properties: { instances: list(features) } },
        ],
      },
      example: exampleOf(columns),
    },
  }),
};

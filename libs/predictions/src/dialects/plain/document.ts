import type { Manifest } from '#libs/inference';
import { oneOf, record, STRING, type JsonSchema } from '#libs/json';
import type { DialectDocument } from '../document.js';

const ANSWERS: Record<Manifest['task'], JsonSchema> = {
  binary_classification: record({
    yhat_prob: {
      ...STRING,
      example: '0.5124506',
      description: 'The probability of the second label: the shortest decimal that is the same float32.',
    },
    yhat: { ...oneOf('0', '1'), example: '1', description: '1 if the probability is over the threshold.' },
  }),
  multiclass_classification: record({
    prediction: { ...STRING, description: 'One of the labels.' },
    confidence: { ...STRING, description: 'The probability of the label.' },
  }),
  regression: record({ prediction: { ...STRING, description: 'The value.' } }),
};

export const plainDocument: DialectDocument = {
  group: { name: 'Start here' },
  answer: { name: 'Prediction', schema: ANSWERS.binary_classification },
  answerOf: (task) => ANSWERS[task],
  // Its example is in the schema.
  bodies: (features) => ({ 'application/json': { schema: features } }),
};

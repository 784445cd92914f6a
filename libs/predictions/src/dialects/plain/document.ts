import { oneOf, record, STRING } from '#libs/json';
import type { DialectDocument } from '../document.js';

export const plainDocument: DialectDocument = {
  tag: 'predictions',
  isForEachModel: false,
  answer: {
    name: 'Prediction',
    schema: record({
      yhat_prob: {
        ...STRING,
        example: '0.5124506',
        description: 'Probability of the second label: the shortest decimal of a float32.',
      },
      yhat: {
        ...oneOf('0', '1'),
        example: '1',
        description: '1 where the probability is over the threshold.',
      },
    }),
  },
  // Its example stands in the schema.
  bodies: (features) => ({ 'application/json': { schema: features } }),
};

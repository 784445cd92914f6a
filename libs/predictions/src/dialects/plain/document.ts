import { oneOf, record, STRING } from '#libs/json';
import type { DialectDocument } from '../document.js';

export const plainDocument: DialectDocument = {
  group: { name: 'Start here', description: 'Register, get a token, predict.' },
  isForEachModel: false,
  answer: {
    name: 'Prediction',
    schema: record({
      yhat_prob: {
        ...STRING,
        example: '0.5124506',
        description: 'The probability of the second label: the shortest decimal that is the same float32.',
      },
      yhat: {
        ...oneOf('0', '1'),
        example: '1',
        description: '1 if the probability is over the threshold.',
      },
    }),
  },
  // Its example stands in the schema.
  bodies: (features) => ({ 'application/json': { schema: features } }),
};

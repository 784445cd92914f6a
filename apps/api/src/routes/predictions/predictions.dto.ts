import { dictionary, list, named, NUMBER, oneOf, record, STRING } from '../../openapi/schemas.js';

export const PREDICTION = named(
  'Prediction',
  record({
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
);

export const MODEL_PREDICTIONS = named(
  'ModelPredictions',
  record({
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
            label: { ...STRING, description: 'From a classifier: one of its labels.' },
            confidence: { ...NUMBER, description: 'From a classifier: the probability of the label.' },
            probabilities: {
              ...dictionary(NUMBER),
              description: 'From a classifier: a probability for each label.',
            },
            prediction: { ...NUMBER, description: 'From a regression: its value.' },
          },
        ),
      ),
      description: 'One per instance, in their order.',
    },
  }),
);

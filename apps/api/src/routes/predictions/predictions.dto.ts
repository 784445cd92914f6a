import { dictionary, list, named, NUMBER, oneOf, record, STRING } from '../../openapi/schemas.js';

export const PREDICTION = named(
  'Prediction',
  record({
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
            label: { ...STRING, description: 'Of a classifier: one of its labels.' },
            confidence: { ...NUMBER, description: 'Of a classifier: the probability of the label.' },
            probabilities: {
              ...dictionary(NUMBER),
              description: 'Of a classifier: a probability each label.',
            },
            prediction: { ...NUMBER, description: 'Of a regression: its value.' },
          },
        ),
      ),
      description: 'One an instance, in their order.',
    },
  }),
);

import { CreateUsers1763600000000 } from './1763600000000-create-users.js';
import { CreatePredictions1763600100000 } from './1763600100000-create-predictions.js';
import { CreatePredictionLog1763600200000 } from './1763600200000-create-prediction-log.js';

/** In order. A migration that has been released is never changed. */
export const migrations = [
  CreateUsers1763600000000,
  CreatePredictions1763600100000,
  CreatePredictionLog1763600200000,
];

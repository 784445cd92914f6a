import { CreateUsers1763600000000 } from './1763600000000-create-users.js';
import { CreatePredictions1763600100000 } from './1763600100000-create-predictions.js';
import { CreatePredictionLog1763600200000 } from './1763600200000-create-prediction-log.js';
import { CreateModelRegistry1763600300000 } from './1763600300000-create-model-registry.js';
import { CreateShadowResponses1763600400000 } from './1763600400000-create-shadow-responses.js';
import { AddRowCount1763600500000 } from './1763600500000-add-row-count.js';
import { CreateBatches1763600600000 } from './1763600600000-create-batches.js';
import { PartitionRecords1763600700000 } from './1763600700000-partition-records.js';
import { CreateIdempotencyKeys1763600800000 } from './1763600800000-create-idempotency-keys.js';
import { AddAccountKeys1763600900000 } from './1763600900000-add-account-keys.js';
import { IndexRequestUuids1763601000000 } from './1763601000000-index-request-uuids.js';
import { LockRecordTables1763601010000 } from './1763601010000-lock-record-tables.js';
import { BoundBatches1763601100000 } from './1763601100000-bound-batches.js';
import { RememberChecks1763601200000 } from './1763601200000-remember-checks.js';
import { RecordCommits1763601300000 } from './1763601300000-record-commits.js';

/** In order. A migration that has been released is never changed. */
export const migrations = [
  CreateUsers1763600000000,
  CreatePredictions1763600100000,
  CreatePredictionLog1763600200000,
  CreateModelRegistry1763600300000,
  CreateShadowResponses1763600400000,
  AddRowCount1763600500000,
  CreateBatches1763600600000,
  PartitionRecords1763600700000,
  CreateIdempotencyKeys1763600800000,
  AddAccountKeys1763600900000,
  IndexRequestUuids1763601000000,
  LockRecordTables1763601010000,
  BoundBatches1763601100000,
  RememberChecks1763601200000,
  RecordCommits1763601300000,
];

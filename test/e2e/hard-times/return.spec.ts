import { describeReturns } from './describe-return.js';

describeReturns({ keyspace: 'returns', killedForMs: 5_000, rounds: 1, flapsForMs: 15_000 });

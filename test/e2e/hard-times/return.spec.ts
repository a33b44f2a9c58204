import { describeFlapping, describeReturns } from './describe-return.js';

describeReturns({ keyspace: 'returns', killedForMs: 5_000, rounds: 1 });
// Most openings are in the beginning: later it is asked less often.
describeFlapping({
  keyspace: 'flapping',
  ways: ['refuses connections'],
  forMs: 15_000,
  mostPings: 30,
  mostOpenings: 6,
});

import { describeCrash } from '../e2e/hard-times/describe-crash.js';
import { describeDeadlines } from '../e2e/hard-times/describe-deadlines.js';
import { describeFalseAlarms } from '../e2e/hard-times/describe-false-alarms.js';
import { describeFrozenNode } from '../e2e/hard-times/describe-frozen-node.js';
import { describeHangs, everyHang } from '../e2e/hard-times/describe-hangs.js';
import { describeFlapping, describeReturns } from '../e2e/hard-times/describe-return.js';

describeHangs('every_hang', everyHang, true);
describeDeadlines('deadlines');
describeCrash('crash');
describeFalseAlarms({ keyspace: 'false_alarms', steadyForMs: 20_000, withReadsAtOnce: true });
describeReturns({ keyspace: 'returns', killedForMs: 20_000, rounds: 5 });
describeFlapping({
  keyspace: 'flapping',
  ways: ['refuses connections', 'hangs'],
  forMs: 60_000,
  mostPings: 90,
  mostOpenings: 20,
});
describeFrozenNode('one_frozen_node');

import { describeFalseAlarms } from './describe-false-alarms.js';

// overload.spec.ts has the reads that come at once.
describeFalseAlarms({ keyspace: 'false_alarms', steadyForMs: 3_000, withReadsAtOnce: false });

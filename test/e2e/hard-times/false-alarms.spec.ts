import { describeFalseAlarms } from './describe-false-alarms.js';

describeFalseAlarms({ keyspace: 'false_alarms', steadyForMs: 4_500 });

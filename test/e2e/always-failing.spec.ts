import { describeAlwaysFailing } from './support/always-failing.js';

// All 2,000 of each: test/soak/always-failing.spec.ts.
describeAlwaysFailing(12, 6);

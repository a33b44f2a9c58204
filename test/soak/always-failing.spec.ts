import { describeAlwaysFailing } from '../e2e/support/always-failing.js';

describeAlwaysFailing(2_000, 60);

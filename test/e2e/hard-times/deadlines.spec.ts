import { describeDeadlines } from './describe-deadlines.js';

describeDeadlines('deadlines');

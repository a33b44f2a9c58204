import { describeHangs, someHangs } from './describe-hangs.js';

describeHangs('some_hangs', someHangs, false);

import { describeCrash } from './describe-crash.js';

describeCrash('crash');

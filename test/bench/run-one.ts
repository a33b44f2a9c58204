/**
 * Runs one comparison in a process of its own: what another one has taught the compiler about Helix's code,
 * such as that there are two sides or one, must not slow this one down.
 */
import { COMPARISONS } from './comparisons.js';
import { compare, type Settings } from './harness.js';
import type { RunMessage } from './messages.js';

// The parent has gone: nobody waits for the result, and stub servers end with this process.
process.on('disconnect', () => process.exit());

const [name, settings = '{}'] = process.argv.slice(2);
const comparison = COMPARISONS.find((each) => each.name === name);
if (!comparison) throw new Error(`No comparison is called ${name ?? ''}`);
const result = await compare(comparison, JSON.parse(settings) as Settings);
process.send?.({ result } satisfies RunMessage, () => process.disconnect());

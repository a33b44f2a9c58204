import { describeSchemaChanges } from './describe-changes.js';
import { oneOf } from './generate.js';

// All of them: test/soak/schema-changes.spec.ts.
describeSchemaChanges('A fifth of the table', 'schema_changes', (rounds, seed) => oneOf(5, rounds, seed));

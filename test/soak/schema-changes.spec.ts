import { describeSchemaChanges } from '../e2e/schema-changes/describe-changes.js';

describeSchemaChanges('The whole table', 'all_schema_changes', (rounds) => rounds);

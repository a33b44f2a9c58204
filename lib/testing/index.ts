/**
 * Tests of an application without servers: two clusters in memory that can be made to fail, and a clock.
 *
 * @module nestjs-helix/testing
 */
export { FakeClock } from './fake-clock.js';
export { type ClusterFailure, type StatementPattern } from './faults.js';
export { HelixTestingModule, type HelixTestingOptions } from './helix-testing.module.js';
export { type GivenRows } from './in-memory-client.js';
export { type ExecutedStatement, type InMemoryCluster, type Respond } from './in-memory-cluster.js';
export { type StoredCell } from './stored-cells.js';
export { type CellDifference, HelixTestingClusters } from './testing-clusters.js';

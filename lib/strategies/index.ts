export {
  type ConcurrentDualWriteOptions,
  ConcurrentDualWriteStrategy,
} from './concurrent-dual-write.strategy.js';
export { PrimaryOnlyReadStrategy } from './primary-only-read.strategy.js';
export { RoundRobinReadStrategy } from './round-robin-read.strategy.js';
export { type StickyReadOptions, StickyReadStrategy } from './sticky-read.strategy.js';
export { type SyncDualWriteOptions, SyncDualWriteStrategy } from './sync-dual-write.strategy.js';

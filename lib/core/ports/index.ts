export * from './envelope.js';
export * from './failover-policy.js';
export * from './read-strategy.js';
export * from './replay-target.js';
export * from './replayer.js';
export * from './topology-watcher.js';
export * from './write-strategy.js';

export { decodeEnvelope, encodeEnvelope, UndecodableEnvelopeError } from './codec.js';
export { type ReplayHooks, type ReplayLog } from './hooks.js';
export { MemoryReplayer } from './memory/memory-replayer.js';
export { type MemoryReplayerOptions } from './memory/memory-replayer.options.js';
export { type ReplayWatcher, WatchedReplayer } from './watched-replayer.js';
export { ReplayWorker, type ReplayWorkerDependencies, type ReplayWorkerOptions } from './worker.js';

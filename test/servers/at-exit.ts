import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const cleanups = new Set<() => void>();

function cleanUp(): void {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch {
      // The others still get their turn; what stays behind is swept by the next run.
    }
  }
}

function onSignal(signal: NodeJS.Signals): void {
  // Someone else listens: the application decides whether this signal ends it, `exit` does the rest.
  if (process.listenerCount(signal) > 1) return;
  process.exit(128 + constants.signals[signal]);
}

/**
 * Runs a synchronous cleanup when this process ends by `process.exit`, an uncaught error or a signal
 * nobody else handles, the latest first. Returns what withdraws it; with the last one the listeners go as well.
 */
export function atExit(cleanup: () => void): () => void {
  if (cleanups.size === 0) {
    process.on('exit', cleanUp);
    // First in line: an application's `once` listener must still be there to be counted.
    for (const signal of signals) process.prependListener(signal, onSignal);
  }
  cleanups.add(cleanup);
  return () => {
    if (!cleanups.delete(cleanup) || cleanups.size > 0) return;
    process.off('exit', cleanUp);
    for (const signal of signals) process.off(signal, onSignal);
  };
}

import type { Clock } from '../../core/index.js';
import type { ControlConnection } from './driver-internals.js';

const RETRY_MS = 1_000;

/**
 * Keeps the driver's control connection from ending the process.
 *
 * In `cassandra-driver` 4.x one socket close can start two refreshes at once: `_initializeConnection` has set
 * the health listeners already when `_refresh` sets them again. One of the two clears `this.connection` while
 * the other awaits, and that one then reads `this.connection.endpoint` in its catch block; started by a timer,
 * the TypeError becomes an unhandled rejection. One refresh at a time removes the cause; catching alone would
 * leave the doubled listeners.
 *
 * @returns false if the driver has no such method any more and nothing was guarded
 */
export function guardControlConnection(
  control: ControlConnection | undefined,
  clock: Clock,
  /** Told of the end of each refresh. */
  onRefreshed: () => void = () => undefined,
): boolean {
  const original = control?._refresh;
  if (!control || typeof original !== 'function') return false;
  let running: Promise<void> | undefined;

  const refresh = (): Promise<void> => {
    running ??= original
      .call(control)
      .catch(() => {
        if (!control._isShuttingDown) clock.setTimer(() => void refresh(), RETRY_MS);
      })
      .finally(() => {
        running = undefined;
        onRefreshed();
      });
    return running;
  };
  // With an iterator it is the driver's own recursion within a running refresh.
  control._refresh = (hostIterator) =>
    hostIterator === undefined ? refresh() : original.call(control, hostIterator);
  return true;
}

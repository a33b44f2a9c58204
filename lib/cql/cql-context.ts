import type {
  CallContexts,
  Clock,
  OperationIds,
  Priority,
  ReadPath,
  TimestampProvider,
  WritePath,
} from '../core/index.js';
import type { CqlSessions, Statements } from './statement.js';

/** What every query of an instance shares. */
export interface CqlContext {
  readonly namespace: string;
  readonly sessions: CqlSessions;
  readonly statements: Statements;
  /** What decorated methods ask of the calls made inside them. */
  readonly contexts: CallContexts;
  readonly writePath: WritePath;
  readonly readPath: ReadPath;
  /** Write times, from a fresh reading of the monotonic clock if they need one. */
  readonly timestamps: (monotonicMs: number) => ReturnType<TimestampProvider>;
  readonly ids: OperationIds;
  readonly clock: Clock;
  readonly priority: Priority;
  readonly ack: 'any' | 'both';
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
}

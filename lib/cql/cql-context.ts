import {
  type Clock,
  type OperationIds,
  type Priority,
  type ReadPath,
  type TimestampProvider,
  type WritePath,
} from '../core/index.js';
import { type CqlSessions, type Statements } from './statement.js';

/** What every query of an instance shares. */
export interface CqlContext {
  readonly namespace: string;
  readonly sessions: CqlSessions;
  readonly statements: Statements;
  readonly writePath: WritePath;
  readonly readPath: ReadPath;
  readonly timestamps: TimestampProvider;
  readonly ids: OperationIds;
  readonly clock: Clock;
  readonly priority: Priority;
  readonly writeTimeoutMs: number;
  readonly readTimeoutMs: number;
}

import type {
  ClusterId,
  ClusterSession,
  ReplayContext,
  ReplayTarget,
  WriteReceipt,
} from '../../../lib/core/index.js';
import type { HelixInstance } from '../../../lib/helix.instance.js';
import type { ReadStep, Setup, WriteStep } from '../history.js';
import type { ReadRecord, SeenRow, WriteRecord } from '../ledger.js';
import type { RequestObserver } from '../model/operations.js';
import type { ModelConnection, PingObserver } from '../model/session.js';
import type { ProcessClock } from '../process-clock.js';
import type { World } from '../world.js';

/** What a surface needs of the process that it belongs to. */
export interface Caller extends RequestObserver, PingObserver {
  readonly world: World;
  readonly isClosing: boolean;
  readonly clock: ProcessClock;
  /** Aborts after so long, as long as the process lives. */
  abortAfter(ms: number, as?: 'timeout'): AbortSignal;
  /** Sides that drain, for all the process knows. */
  drainingNow(): ClusterId[];
  onReplayRequest(cluster: ClusterId, kind: 'ping' | 'envelope'): void;
}

/** How a process makes its calls. */
export interface Calls {
  /** Sets the write time that the write is made with, as soon as it has one. */
  write(record: WriteRecord): Promise<WriteReceipt>;
  /** Sides where preparing what a call needs is under way, so that it may have to wait although the side is well. */
  heldUp(step: WriteStep | ReadStep): readonly ClusterId[];
  /** By version, what could have been heard of each schema by now. */
  heard(): Readonly<Record<ClusterId, number>>;
  /** Runs a text on each cluster, if there is something that can. */
  onBoth(text: string): Promise<void>;
  /** Sets who has given the answer. */
  read(record: ReadRecord): Promise<SeenRow>;
}

/** One of the ways into Helix: what a process has of its clusters there, and how it calls them. */
export interface Surface {
  readonly sessions: Readonly<Record<ClusterId, ClusterSession>>;
  readonly targets: Readonly<Record<ClusterId, ReplayTarget>>;
  readonly describe: ReplayContext['describe'];
  /** Calls of the instance that was made with these sessions and targets. */
  callsOn(instance: HelixInstance): Calls;
}

export type Connections = Readonly<Record<ClusterId, ModelConnection>>;

/** Keyspace of a cluster. They differ where a session is asked for its own, so that none is taken for the other. */
export function keyspaceOf({ surface }: Setup, cluster: ClusterId): string {
  return surface === 'cql' && cluster === 'B' ? 'model_b' : 'model';
}

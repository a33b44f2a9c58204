import {
  CallContext,
  type ClusterId,
  type ReplayContext,
  type WriteReceipt,
} from '../../../lib/core/index.js';
import type { HelixInstance } from '../../../lib/helix.instance.js';
import type { ReadRecord, SeenRow, WriteRecord } from '../ledger.js';
import { ModelRead, ModelReplayTarget, type ModelSessions, ModelWrite } from '../model/operations.js';
import { ModelSession } from '../model/session.js';
import type { Caller, Calls, Connections, Surface } from './surface.js';

/** From the core up: operations of the model in the place of everything that knows a database. */
export class CoreSurface implements Surface {
  readonly sessions: ModelSessions;
  readonly targets: Surface['targets'];

  constructor(
    private readonly caller: Caller,
    connections: Connections,
  ) {
    const { ledger, setup } = caller.world;
    const sessionOn = (cluster: 'A' | 'B'): ModelSession =>
      new ModelSession(connections[cluster], caller.clock, caller);
    this.sessions = { A: sessionOn('A'), B: sessionOn('B') };
    const targetOn = (session: ModelSession): ModelReplayTarget =>
      new ModelReplayTarget(session, ledger, caller, setup.driverPatience);
    this.targets = { A: targetOn(this.sessions.A), B: targetOn(this.sessions.B) };
  }

  readonly describe: ReplayContext['describe'] = ({ operationId }) => ({ statement: operationId });

  callsOn(instance: HelixInstance): Calls {
    return new CoreCalls(this.caller, instance, this.sessions);
  }
}

class CoreCalls implements Calls {
  readonly #calls = new Map<string, CallContext>();
  readonly #stickyCalls = new Map<string, CallContext>();

  constructor(
    private readonly caller: Caller,
    private readonly instance: HelixInstance,
    private readonly sessions: ModelSessions,
  ) {}

  heldUp(): readonly ClusterId[] {
    return [];
  }

  heard(): Readonly<Record<ClusterId, number>> {
    return { A: 0, B: 0 };
  }

  onBoth(): Promise<void> {
    return Promise.resolve();
  }

  write(record: WriteRecord): Promise<WriteReceipt> {
    const { caller, sessions } = this;
    const { world } = caller;
    const { ledger, setup } = world;
    const { step } = record;
    record.timestampUs = this.instance.timestamps(record.startedMs);
    world.onTimestamp(record);
    const operation = new ModelWrite(
      step,
      record,
      record.timestampUs,
      sessions,
      setup.driverPatience * setup.writeTimeoutMs,
      caller,
    );
    const { call, timeoutMs, abortAfterMs, abortsAs, firstUseMs } = step;
    const settings = {
      ...(call !== undefined && { context: this.#call(call) }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(abortAfterMs !== undefined && { signal: caller.abortAfter(abortAfterMs, abortsAs) }),
    };
    const isPlain = call === undefined && timeoutMs === undefined && abortAfterMs === undefined;
    const { writePath } = this.instance;
    const prepare = async (ms: number): Promise<ModelWrite> => {
      await sessions.A.connection.takesTime(ms);
      record.draining = caller.drainingNow();
      return operation;
    };
    ledger.accepting = record;
    const answered =
      firstUseMs === undefined
        ? writePath.run(operation, isPlain ? undefined : settings)
        : writePath.runPrepared(() => prepare(firstUseMs), step.id, isPlain ? undefined : settings);
    ledger.accepting = undefined;
    return answered;
  }

  read(record: ReadRecord): Promise<SeenRow> {
    const { caller } = this;
    const { call, isSticky, timeoutMs, abortAfterMs, abortsAs, hedgeAfterMs } = record.step;
    const { readTimeoutMs, driverPatience } = caller.world.setup;
    const operation = new ModelRead(
      record.step,
      record,
      this.sessions,
      driverPatience * readTimeoutMs,
      caller,
    );
    const answered = this.instance.readPath.run(operation, {
      ...(call !== undefined && { context: isSticky ? this.#stickyCall(call) : this.#call(call) }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(hedgeAfterMs !== undefined && { hedgeAfterMs }),
      ...(abortAfterMs !== undefined && { signal: caller.abortAfter(abortAfterMs, abortsAs) }),
    });
    answered.then(
      (row) => (record.answeredBy = operation.cluster(row)),
      () => undefined,
    );
    return answered;
  }

  #call(name: string): CallContext {
    let context = this.#calls.get(name);
    if (!context) this.#calls.set(name, (context = CallContext.dualWrite({})));
    return context;
  }

  #stickyCall(name: string): CallContext {
    let context = this.#stickyCalls.get(name);
    if (!context) this.#stickyCalls.set(name, (context = CallContext.stickyRead({}, this.#call(name))));
    return context;
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ClusterId,
  type Envelope,
  HazardousStatementError,
  type ReplayContext,
  type ReplayTarget,
  type SettledOutcome,
  type SignOfLife,
} from '../../../lib/core/index.js';
import { CqlReplayTarget, CqlSession, type Driver, Statements } from '../../../lib/cql/index.js';
import type { HelixInstance } from '../../../lib/helix.instance.js';
import type { FullDriver } from '../../../lib/testing/driver.js';
import type { WriteRecord } from '../ledger.js';
import { wrongWithEnvelope } from '../model/cql-envelopes.js';
import { clusterDefaults } from '../model/cql-checks.js';
import { type ClientWorld, ModelCqlClient, type Purpose } from '../model/cql-client.js';
import { wrongWithRefusal } from '../model/cql-types.js';
import type { ModelConnection } from '../model/session.js';
import { CqlCalls } from './cql-calls.js';
import { type Caller, type Calls, type Connections, keyspaceOf, type Surface } from './surface.js';

/** One for all processes: each that was ever used costs every promise for good. */
const purposes = new AsyncLocalStorage<Purpose>();

/** All of CQL as it ships, sessions included, over clients of the model. */
export class CqlSurface implements Surface {
  readonly sessions: Readonly<Record<ClusterId, CqlSession>>;
  readonly targets: Readonly<Record<ClusterId, ReplayTarget>>;
  readonly describe: ReplayContext['describe'];
  readonly statements: Statements;
  readonly clients: Readonly<Record<ClusterId, ModelCqlClient>>;
  readonly world: ClientWorld;

  constructor(
    readonly caller: Caller,
    connections: Connections,
    driver: Driver,
  ) {
    const { clock, world } = caller;
    this.world = {
      driver: driver as unknown as FullDriver,
      setup: world.setup,
      ledger: world.ledger,
      clusters: world.clusters,
      texts: world.texts,
      purposes,
      observer: caller,
      note: (what) => world.note('driver', what),
    };
    const sessionOn = (cluster: ClusterId): ObservedCqlSession => {
      const options = {
        contactPoints: ['model'],
        localDataCenter: 'dc1',
        keyspace: keyspaceOf(world.setup, cluster),
        ...clusterDefaults(cluster),
      };
      return new ObservedCqlSession(this.#driverOn(driver, connections[cluster]), cluster, options, caller);
    };
    this.sessions = { A: sessionOn('A'), B: sessionOn('B') };
    const clientOf = (cluster: ClusterId): ModelCqlClient => this.sessions[cluster].client as ModelCqlClient;
    this.clients = { A: clientOf('A'), B: clientOf('B') };
    this.statements = new Statements(this.sessions, clock);
    this.describe = (envelope) => this.statements.describe(envelope);
    this.targets = { A: this.#targetOn('A'), B: this.#targetOn('B') };
  }

  callsOn(instance: HelixInstance): Calls {
    return new CqlCalls(this, instance);
  }

  /** The driver that is installed, but for what goes over the network. */
  #driverOn(driver: Driver, connection: ModelConnection): Driver {
    const { world } = this;
    const Client = class extends ModelCqlClient {
      constructor(options: object) {
        super(world, connection, options);
      }
    };
    return { ...driver, Client: Client as unknown as Driver['Client'] };
  }

  #targetOn(cluster: ClusterId): ReplayTarget {
    const target = new CqlReplayTarget(this.sessions[cluster], this.statements, this.caller.clock);
    return new ObservedReplayTarget(target, cluster, this);
  }

  /** By version, what could have been heard of each schema by now. */
  heard(): Readonly<Record<ClusterId, number>> {
    return { A: this.clients.A.heard, B: this.clients.B.heard };
  }

  /** Judges a refusal for types or hazards. `cluster`: whose it is. */
  onRefused(record: WriteRecord, error: Error, cluster?: ClusterId, envelope?: Envelope): void {
    if (!(error instanceof HazardousStatementError)) return;
    const wrong = wrongWithRefusal(this.world, record, error, this.heard(), envelope);
    const where = cluster === undefined ? '' : ` on ${cluster}`;
    if (wrong) this.world.ledger.violate('types', `${record.step.id}${where}: ${wrong}: ${error.message}`);
    else if (cluster) record[cluster].refusesTypes = true;
  }
}

/** Tells how its pings end, and when it is suspected. */
class ObservedCqlSession extends CqlSession {
  constructor(
    driver: Driver,
    cluster: ClusterId,
    options: object,
    private readonly caller: Caller,
  ) {
    super(driver, cluster, cluster, options, caller.clock);
  }

  override ping(timeoutMs: number): Promise<void> {
    const answer = super.ping(timeoutMs);
    answer.then(
      () => this.caller.onPinged(this.cluster, true),
      () => this.caller.onPinged(this.cluster, false),
    );
    return answer;
  }

  /** Also when nobody waits for it any more. */
  protected override pingAnswered(startedMs: number): void {
    this.caller.onPinged(this.cluster, true, this.clock.monotonicMs() - startedMs);
    super.pingAnswered(startedMs);
  }

  override askEveryHost(timeoutMs: number): Promise<SignOfLife> {
    const sign = super.askEveryHost(timeoutMs);
    this.caller.onSuspected(this.cluster, timeoutMs, sign);
    return sign;
  }

  protected override hostUp(): void {
    this.caller.onHostUp(this.cluster);
    super.hostUp();
  }
}

/** Sees that envelopes are whole, and what is made of their failures. */
class ObservedReplayTarget implements ReplayTarget {
  constructor(
    private readonly target: CqlReplayTarget,
    private readonly cluster: ClusterId,
    private readonly surface: CqlSurface,
  ) {}

  get caller(): Caller {
    return this.surface.caller;
  }

  get world(): ClientWorld {
    return this.surface.world;
  }

  ping(timeoutMs: number): Promise<void> {
    this.caller.onReplayRequest(this.cluster, 'ping');
    return this.target.ping(timeoutMs);
  }

  async apply(envelope: Envelope, timeoutMs: number): Promise<SettledOutcome> {
    const { caller, cluster, target } = this;
    const { ledger, purposes } = this.world;
    const { operationId } = envelope;
    caller.onReplayRequest(cluster, 'envelope');
    ledger.replayed.push({ id: operationId, cluster, atMs: caller.world.scheduler.nowMs });
    const record = ledger.writeOf(envelope);
    if (!record) return target.apply(envelope, timeoutMs);
    const wrong = wrongWithEnvelope(this.world, envelope, record, cluster);
    if (wrong) ledger.violate('envelope', `${operationId} came to ${cluster} changed: ${wrong}`);
    const purpose: Purpose = {
      kind: 'replay',
      record,
      timeoutMs,
      startedMs: caller.world.scheduler.nowMs,
      wasSent: false,
    };
    const outcome = await purposes.run(purpose, () => target.apply(envelope, timeoutMs));
    if ('error' in outcome) {
      const isOfMany = record.step.batch !== undefined;
      this.surface.onRefused(record, outcome.error, cluster, envelope);
      caller.onOutcome(operationId, cluster, outcome, { wasSent: purpose.wasSent, isOfMany });
    } else if (!purpose.wasSent) {
      ledger.violate('outcome', `${operationId} counts as applied on ${cluster}, and was never sent`);
    }
    return outcome;
  }
}

import {
  APPLIED,
  type Clock,
  type EncodedStatement,
  type Envelope,
  type ReplayTarget,
  SchemaMismatchError,
  type SettledOutcome,
  type Stage,
} from '../core/index.js';
import { classifyWriteError, type CqlSession, isUnprepared, type PreparedText } from './driver/index.js';
import type { Statement, Statements } from './statement.js';

/** So often an envelope is prepared anew because a schema has changed in the meantime. */
const MOST_ATTEMPTS = 5;

/** Applies envelopes to one cluster: the same bytes, with the same write time, as the first attempt. */
export class CqlReplayTarget implements ReplayTarget {
  constructor(
    private readonly session: CqlSession,
    private readonly statements: Statements,
    private readonly clock: Clock,
  ) {}

  ping(timeoutMs: number): Promise<void> {
    return this.session.ping(timeoutMs);
  }

  async apply(envelope: Envelope, timeoutMs: number): Promise<SettledOutcome> {
    // Once: a long text is not kept, and would be another statement each time.
    const statements = envelope.statements.map(({ text }) => this.statements.get(text));
    const deadlineMs = this.clock.monotonicMs() + timeoutMs;
    const first = await this.#attempt(envelope, statements, deadlineMs, timeoutMs);
    // Nothing was executed, and what it was sent by is forgotten.
    if (!('error' in first) || !isUnprepared(first.error)) return first;
    return this.#attempt(envelope, statements, deadlineMs, timeoutMs);
  }

  async #attempt(
    envelope: Envelope,
    statements: readonly Statement[],
    deadlineMs: number,
    timeoutMs: number,
  ): Promise<SettledOutcome> {
    const { session } = this;
    let stage: Stage = 'prepare';
    let prepared: PreparedText[] = [];
    try {
      if (!session.hasConnected) throw session.notConnected();
      prepared = await this.#prepare(envelope, statements);
      if (this.clock.monotonicMs() > deadlineMs) {
        throw new Error('Its time was over before it could be sent');
      }
      stage = 'execute';
      await this.#send(envelope, prepared, timeoutMs);
      return APPLIED;
    } catch (thrown) {
      if (isUnprepared(thrown)) {
        for (const [i, by] of prepared.entries()) statements[i]?.forget(session.cluster, by);
      }
      const [only] = statements;
      const singlePartition = statements.length === 1 && !(only?.facts.multiPartitionPossible ?? true);
      return classifyWriteError(thrown, { stage, singlePartition });
    }
  }

  async #prepare(envelope: Envelope, statements: readonly Statement[]): Promise<PreparedText[]> {
    const { cluster } = this.session;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      for (const [i, statement] of statements.entries()) {
        await this.#checkTypes(statement, envelope.statements[i]?.signature ?? '');
      }
      const prepared = statements.flatMap((statement) => statement.preparedOn(cluster) ?? []);
      // A schema may have changed while the last of many was prepared.
      if (prepared.length === statements.length) return prepared;
    }
    throw new Error('What was prepared was out of date each time before it could be sent');
  }

  async #checkTypes(statement: Statement, signature: string): Promise<void> {
    if (await statement.takes(this.session.cluster, signature)) return;
    throw new SchemaMismatchError(
      `The parameter types on ${this.session.name} are not those the write was encoded for: ${statement.facts.masked}`,
    );
  }

  #send(envelope: Envelope, prepared: readonly PreparedText[], timeoutMs: number): Promise<unknown> {
    const { session } = this;
    const options = {
      consistency: envelope.consistency,
      serialConsistency: envelope.serialConsistency,
      timestampUs: envelope.timestampUs,
      timeoutMs,
    };
    const items = envelope.statements.flatMap((each, i) => {
      const statement = prepared[i];
      return statement ? [{ statement, params: this.#params(each) }] : [];
    });
    const [only] = items;
    if (envelope.batch === undefined && only) return session.write(only.statement, only.params, options);
    return session.writeBatch(items, envelope.batch ?? 'logged', options);
  }

  #params({ params }: EncodedStatement): unknown[] {
    return params.map((value) => {
      if (value === undefined) return this.session.unset;
      // The driver passes a Buffer through as it is, but not a plain Uint8Array.
      return value === null || Buffer.isBuffer(value)
        ? value
        : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    });
  }
}

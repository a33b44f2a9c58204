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
import { classifyWriteError, type CqlSession } from './driver/index.js';
import type { Statements } from './statement.js';

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
    let stage: Stage = 'prepare';
    const startMs = this.clock.monotonicMs();
    try {
      if (!this.session.hasConnected) throw this.session.notConnected();
      for (const statement of envelope.statements) await this.#checkTypes(statement);
      if (this.clock.monotonicMs() - startMs > timeoutMs) {
        throw new Error('Its time was over before it could be sent');
      }
      stage = 'execute';
      await this.#send(envelope, timeoutMs);
      return APPLIED;
    } catch (thrown) {
      return classifyWriteError(thrown, { stage, singlePartition: this.#isSinglePartition(envelope) });
    }
  }

  async #checkTypes({ text, signature }: EncodedStatement): Promise<void> {
    const statement = this.statements.get(text);
    const prepared = await statement.prepareOn(this.session.cluster);
    if (prepared.signature !== signature) {
      throw new SchemaMismatchError(
        `The parameter types on ${this.session.name} are not those the write was encoded for: ${statement.facts.masked}`,
      );
    }
  }

  #isSinglePartition({ statements }: Envelope): boolean {
    const [first] = statements;
    return (
      statements.length === 1 &&
      first !== undefined &&
      !this.statements.get(first.text).facts.multiPartitionPossible
    );
  }

  #send(envelope: Envelope, timeoutMs: number): Promise<unknown> {
    const { session } = this;
    const options = {
      consistency: envelope.consistency,
      serialConsistency: envelope.serialConsistency,
      timestampUs: envelope.timestampUs,
      timeoutMs,
    };
    const [first] = envelope.statements;
    if (envelope.batch === undefined && first) {
      return session.write(first.text, this.#params(first), options);
    }
    const queries = envelope.statements.map((each) => ({ query: each.text, params: this.#params(each) }));
    return session.writeBatch(queries, envelope.batch ?? 'logged', options);
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

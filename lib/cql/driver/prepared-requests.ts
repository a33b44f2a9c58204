import { createHash } from 'node:crypto';
import { type Clock, delay, HelixConfigError, toError } from '../../core/index.js';
import type { CqlClientResult } from '../cql-client.js';
import type {
  DriverClient,
  PrepareHandler,
  PrepareHandlerClass,
  PreparedInfo,
  PreparingClient,
} from './driver-internals.js';
import { parametersSignature } from './types.js';
import { isUnprepared } from './unprepared.js';

/** A statement as a cluster has it: what it is executed by, and the types that its parameters are encoded for. */
export interface PreparedText extends PreparedInfo {
  /** The text that its id stands for. */
  readonly query: string;
  readonly signature: string;
}

export interface PreparedBatchItem {
  readonly statement: PreparedText;
  readonly params: readonly unknown[];
}

/** Statements of one client that nobody but Helix prepares, renews and executes. */
export interface PreparedRequests {
  /** Asks the cluster, whatever is known already. Nothing is executed. */
  prepare(text: string): Promise<PreparedText>;
  /**
   * Executes it by its own id with its own types. A cluster that does not have the id any more executes nothing, and
   * the promise rejects with what {@link isUnprepared} recognises.
   */
  execute(statement: PreparedText, params: unknown, options: object): Promise<CqlClientResult>;
  batch(items: readonly PreparedBatchItem[], options: object): Promise<CqlClientResult>;
  /** @throws HelixConfigError the client renews statements behind one's back: nothing may be executed through it */
  check(): Promise<void>;
  /** Leaves the client as it was found. */
  release(): void;
}

/** Another host is asked too if there is no answer by then. */
const HEDGE_MS = 500;
/** Once one host has answered, the others are waited for no longer than this. */
const OTHER_HOSTS_MS = 500;
/** So often a statement is prepared anew because its types have changed in the meantime. */
const MOST_ATTEMPTS = 3;
/** Sets Helix's statements apart: an id is a hash of keyspace and text, so nobody else's PREPARE brings one back. */
const MARK = '/* helix';
/** As {@link digest} makes them; a comment of the application's own is another one. */
const OUR_NAME = /\/\* helix [\w-]{12} \*\/$/;

/**
 * Through `cassandra-driver`, which looks up in its client's metadata what it executes a text by. For its own texts
 * Helix answers there with its own id and types. The driver does not know these ids: on UNPREPARED it gives up
 * (`request-execution.js`, `_prepareAndRetry`) where it would otherwise prepare again by itself and send the bytes
 * that were encoded for other types; a host that comes up, a full cache and `clearPrepared()` concern none of them.
 * What the application executes by itself is left to the driver.
 *
 * An id says nothing of the types that it stands for: once a table is made again, whoever prepares the text makes its
 * old id valid for new types. So a text is prepared twice: first to learn its types, then under a name that spells
 * them, which no process that knows others uses.
 */
export class DriverPreparedRequests implements PreparedRequests {
  readonly #client: DriverClient;
  readonly #clock: Clock;
  readonly #Handler: PrepareHandlerClass;
  readonly #release: () => void;
  /** Of the request that is being made just now. */
  #current: PreparedText | undefined;
  /** Of batches, which look their texts up one after the other. */
  readonly #inBatches = new Map<string, { readonly statement: PreparedText; uses: number }>();

  constructor(client: DriverClient, handlerClass: PrepareHandlerClass, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#Handler = patient(handlerClass, clock);
    const { metadata } = client;
    const original = metadata.getPreparedInfo;
    if (typeof original !== 'function') throw isMissing('metadata.getPreparedInfo');
    const lookUp = (keyspace: string | undefined, query: string): PreparedInfo => {
      // The very same string, nearly always.
      if (this.#current?.query === query) return this.#current;
      // Another instance may share the client; if it is nobody's, the driver would prepare it by itself.
      const info = this.#inBatches.get(query)?.statement ?? original.call(metadata, keyspace, query);
      if (!OUR_NAME.test(query)) return info;
      if (!('signature' in info)) throw isMissing('a synchronous look-up of prepared statements');
      return info;
    };
    metadata.getPreparedInfo = lookUp;
    this.#release = () => {
      if (metadata.getPreparedInfo === lookUp) metadata.getPreparedInfo = original;
    };
  }

  async prepare(text: string): Promise<PreparedText> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const { signature } = await this.#ask(`${text} ${MARK} */`, false);
      const prepared = await this.#ask(`${text} ${MARK} ${digest(signature)} */`, true);
      if (prepared.signature === signature) return prepared;
    }
    throw new Error('The types of the statement changed each time that it was prepared');
  }

  execute(statement: PreparedText, params: unknown, options: object): Promise<CqlClientResult> {
    this.#current = statement;
    try {
      return this.#client.execute(statement.query, params, options);
    } finally {
      this.#current = undefined;
    }
  }

  async batch(items: readonly PreparedBatchItem[], options: object): Promise<CqlClientResult> {
    for (const { statement } of items) this.#hold(statement);
    try {
      const queries = items.map(({ statement, params }) => ({ query: statement.query, params }));
      return await this.#client.batch(queries, options);
    } finally {
      for (const { statement } of items) this.#letGo(statement);
    }
  }

  async check(): Promise<void> {
    const id = Buffer.alloc(16, 0xff);
    const nobodys: PreparedText = {
      query: `SELECT key FROM system.local ${MARK} check */`,
      queryId: id,
      meta: { columns: [], resultId: id },
      signature: '',
    };
    try {
      await this.execute(nobodys, [], { prepare: true, isIdempotent: true });
    } catch (error) {
      if (isUnprepared(error)) return;
      throw error;
    }
    throw isMissing('a way to keep it from preparing statements again by itself');
  }

  release(): void {
    this.#release();
  }

  #hold(statement: PreparedText): void {
    const held = this.#inBatches.get(statement.query);
    if (held) held.uses++;
    else this.#inBatches.set(statement.query, { statement, uses: 1 });
  }

  #letGo({ query }: PreparedText): void {
    const held = this.#inBatches.get(query);
    if (held && --held.uses === 0) this.#inBatches.delete(query);
  }

  /** A host that hangs must not keep back what another can answer. */
  #ask(query: string, everywhere: boolean): Promise<PreparedText> {
    return new Promise((resolve, reject) => {
      let waiting = 0;
      const ask = (): void => {
        waiting++;
        this.#askOnce(query, everywhere)
          .then(resolve, (error: unknown) => {
            if (--waiting === 0) reject(toError(error));
          })
          .finally(() => hedge?.cancel());
      };
      const isAlone = (this.#client.hosts?.length ?? 1) < 2;
      const hedge = isAlone ? undefined : this.#clock.setTimer(ask, HEDGE_MS);
      ask();
    });
  }

  async #askOnce(query: string, everywhere: boolean): Promise<PreparedText> {
    const { keyspace, options, profileManager } = this.#client;
    // The driver's own cache is left as it is.
    const asking: PreparingClient = {
      options: Object.create(options, { prepareOnAllHosts: { value: everywhere } }) as object,
      profileManager,
      metadata: { setPreparedById: () => undefined },
    };
    const handler = new this.#Handler(asking, profileManager?.getDefaultLoadBalancing());
    const info = { query, keyspace, emit: () => false };
    const { queryId, meta } = await handler._prepare(info, query, keyspace);
    return { query, queryId, meta, signature: parametersSignature(meta.columns) };
  }
}

/** The driver waits for every host before it says what the first one has answered. */
function patient(handlerClass: PrepareHandlerClass, clock: Clock): PrepareHandlerClass {
  return class extends handlerClass implements PrepareHandler {
    override _prepareOnAllHosts(...others: unknown[]): Promise<unknown> {
      return Promise.race([super._prepareOnAllHosts(...others), delay(clock, OTHER_HOSTS_MS)]);
    }
  };
}

function digest(signature: string): string {
  return createHash('sha256').update(signature).digest('base64url').slice(0, 12);
}

function isMissing(what: string): HelixConfigError {
  return new HelixConfigError(
    `This version of cassandra-driver has not got what Helix executes its statements through (${what}): install 4.9 or 4.10`,
  );
}

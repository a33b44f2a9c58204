import { createHash } from 'node:crypto';
import { type Clock, HelixConfigError, resolvesWithin, type Timer, toError } from '../../core/index.js';
import type { CqlClientResult } from '../cql-client.js';
import {
  type DriverClient,
  type DriverHost,
  IGNORED,
  type LookUp,
  type NoHostAvailable,
  type PreparedInfo,
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
/** So often a statement is prepared anew because its types have changed in the meantime, or differ by host. */
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
  readonly #NoHost: NoHostAvailable;
  readonly #release: () => void;
  /** Of the request that is being made just now. */
  #current: PreparedText | undefined;
  /** Of batches, which look their texts up one after the other. */
  readonly #inBatches = new Map<string, { readonly statement: PreparedText; uses: number }>();

  constructor(
    client: DriverClient,
    noHost: NoHostAvailable,
    clock: Clock,
    /** A host has other types than the others, as it turns out late. */
    private readonly onDifference: () => void,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#NoHost = noHost;
    this.#release = onLookUps(client.metadata as SharedMetadata, (query) =>
      // The very same string, nearly always.
      this.#current?.query === query ? this.#current : this.#inBatches.get(query)?.statement,
    );
  }

  async prepare(text: string): Promise<PreparedText> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const { signature } = await this.#askFirst(`${text} ${MARK} */`);
      const prepared = await this.#askAll(`${text} ${MARK} ${digest(signature)} */`, signature);
      if (prepared) return prepared;
    }
    throw new Error(
      'The hosts of the cluster have different types for the statement: its schema is changing',
    );
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

  /** The first answer of any host: one that hangs must not keep back what another can say. */
  async #askFirst(query: string): Promise<PreparedText> {
    const hosts = await this.#hosts();
    const failures: Record<string, unknown> = {};
    return new Promise((resolve, reject) => {
      let waiting = 0;
      let hedge: Timer | undefined;
      const askNext = (): void => {
        hedge?.cancel();
        const host = hosts.shift();
        if (!host) {
          if (waiting === 0) reject(new this.#NoHost(failures));
          return;
        }
        waiting++;
        if (hosts.length > 0) hedge = this.#clock.setTimer(askNext, HEDGE_MS);
        this.#ask(host, query).then(
          (prepared) => {
            hedge?.cancel();
            resolve(prepared);
          },
          (error: unknown) => {
            waiting--;
            failures[host.address] = error;
            if (isOfHost(error)) {
              askNext();
              return;
            }
            hedge?.cancel();
            reject(toError(error));
          },
        );
      };
      askNext();
    });
  }

  /** Every host has it then that answers in time; `undefined` if one of them has other types. */
  async #askAll(query: string, signature: string): Promise<PreparedText | undefined> {
    const hosts = await this.#hosts();
    const failures: Record<string, unknown> = {};
    const answers: PreparedText[] = [];
    let isDecided = false;
    const asked = hosts.map(async (host) => {
      try {
        const prepared = await this.#ask(host, query);
        answers.push(prepared);
        if (isDecided && prepared.signature !== signature) this.onDifference();
      } catch (error) {
        failures[host.address] = error;
        throw error;
      }
    });
    await Promise.any(asked).catch(() => undefined);
    await resolvesWithin(this.#clock, OTHER_HOSTS_MS, Promise.allSettled(asked));
    isDecided = true;
    const [prepared] = answers;
    if (prepared) return answers.every((each) => each.signature === signature) ? prepared : undefined;
    const refusal = Object.values(failures).find((error) => !isOfHost(error));
    throw refusal === undefined ? new this.#NoHost(failures) : toError(refusal);
  }

  /** Those that can be asked, in the order of the driver's policy. */
  async #hosts(): Promise<DriverHost[]> {
    const { keyspace, profileManager } = this.#client;
    const policy = profileManager?.getDefaultLoadBalancing();
    if (!profileManager || !policy) throw isMissing('its load balancing policy');
    const plan = await new Promise<Iterable<DriverHost>>((resolve, reject) => {
      policy.newQueryPlan(keyspace, null, (error, iterator) => {
        if (error) reject(error);
        else resolve({ [Symbol.iterator]: () => iterator });
      });
    });
    // Asking for the distance is what makes the driver open connections to a host.
    return [...plan].filter((host) => profileManager.getDistance(host) !== IGNORED && host.isUp());
  }

  async #ask(host: DriverHost, query: string): Promise<PreparedText> {
    const { keyspace } = this.#client;
    const connection = host.borrowConnection();
    if (keyspace && connection.keyspace !== keyspace) await connection.changeKeyspace(keyspace);
    const { id, meta } = await connection.prepareOnceAsync(query, keyspace);
    return { query, queryId: id, meta, signature: parametersSignature(meta.columns) };
  }
}

/** What another host may do better: not what a server has answered. */
function isOfHost(error: unknown): boolean {
  return toError(error).name !== 'ResponseError';
}

/** Who looks up statements on one client: several instances may share it. */
const FINDERS = Symbol('finders of prepared statements');

type Finder = (query: string) => PreparedText | undefined;

interface SharedFinders {
  readonly finders: Finder[];
  readonly lookUp: LookUp;
  readonly original: LookUp;
}

interface SharedMetadata {
  getPreparedInfo?: LookUp;
  [FINDERS]: SharedFinders | undefined;
}

/** Asks first whether a text is a statement of Helix, whenever the driver looks one up. */
function onLookUps(metadata: SharedMetadata, finder: Finder): () => void {
  const shared = (metadata[FINDERS] ??= findersOn(metadata));
  shared.finders.push(finder);
  return () => {
    shared.finders.splice(shared.finders.indexOf(finder), 1);
    if (shared.finders.length > 0 || metadata.getPreparedInfo !== shared.lookUp) return;
    metadata.getPreparedInfo = shared.original;
    metadata[FINDERS] = undefined;
  };
}

function findersOn(metadata: SharedMetadata): SharedFinders {
  const original = metadata.getPreparedInfo;
  if (typeof original !== 'function') throw isMissing('metadata.getPreparedInfo');
  const finders: Finder[] = [];
  const lookUp: LookUp = (keyspace, query) => {
    for (const find of finders) {
      const found = find(query);
      if (found) return found;
    }
    // The driver would prepare it by itself.
    if (OUR_NAME.test(query)) throw isMissing('a synchronous look-up of prepared statements');
    return original.call(metadata, keyspace, query);
  };
  metadata.getPreparedInfo = lookUp;
  return { finders, lookUp, original };
}

function digest(signature: string): string {
  return createHash('sha256').update(signature).digest('base64url').slice(0, 12);
}

function isMissing(what: string): HelixConfigError {
  return new HelixConfigError(
    `This version of cassandra-driver has not got what Helix executes its statements through (${what}): install 4.9 or 4.10`,
  );
}

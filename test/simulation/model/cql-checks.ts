import type { ClusterId } from '../../../lib/core/index.js';
import type { FullDriver } from '../../../lib/testing/driver.js';
import type { ReadStep, Setup } from '../history.js';
import type { Purpose } from './cql-client.js';
import { isTyped, type Spelled, spellRead, spellWrite } from './cql-statements.js';

// What a request to a driver must be like, and what is wrong with one.

/** Options of the driver, as far as they matter. */
export interface RequestOptions {
  readonly prepare?: unknown;
  readonly isIdempotent?: unknown;
  readonly retry?: unknown;
  readonly consistency?: number;
  readonly serialConsistency?: number | undefined;
  readonly timestamp?: number;
  readonly readTimeout?: number;
  readonly fetchSize?: number | undefined;
  readonly pageState?: string | undefined;
  readonly routingKey?: unknown;
}

interface Query {
  readonly query: string;
  readonly params?: unknown;
}

interface World {
  readonly driver: FullDriver;
  readonly setup: Setup;
}

/** Consistency of a cluster where nothing else is asked for: they differ, so that none is taken for the other. */
const DEFAULTS = {
  A: { consistency: 0x06, serialConsistency: undefined },
  B: { consistency: 0x04, serialConsistency: 0x09 },
} as const;

/** Helix keeps the time of a request itself; the driver's own limit is so many times as long. */
const DRIVER_TIMEOUT_FACTOR = 2;

/** What a cluster is configured with. */
export function clusterDefaults(cluster: ClusterId): { consistency?: number; serialConsistency?: number } {
  const { consistency, serialConsistency } = DEFAULTS[cluster];
  return cluster === 'A' ? {} : { consistency, ...(serialConsistency && { serialConsistency }) };
}

/** What a call asks for; `undefined`: nothing, so that each cluster uses its own. */
export function askedConsistency({ consistency }: { readonly consistency?: number }): number | undefined {
  return consistency === DEFAULTS.A.consistency ? undefined : consistency;
}

export function dueConsistency(step: { readonly consistency?: number }, cluster: ClusterId): number {
  return askedConsistency(step) ?? DEFAULTS[cluster].consistency;
}

export function dueSerialConsistency(
  { serialConsistency }: { readonly serialConsistency?: number },
  cluster: ClusterId,
): number | undefined {
  return serialConsistency ?? DEFAULTS[cluster].serialConsistency;
}

export function checkWrite(
  { driver, setup }: World,
  cluster: ClusterId,
  purpose: Exclude<Purpose, { kind: 'read' }>,
  kind: 'logged' | 'unlogged' | undefined,
  queries: readonly Query[],
  options: RequestOptions,
): string[] {
  const { step, timestampUs } = purpose.record;
  const statements = spellWrite(step);
  const wrong: string[] = [];
  if (kind !== step.batch?.kind) wrong.push(`is sent as a batch of kind ${kind}`);
  if (queries.length !== statements.length) wrong.push(`has ${queries.length} statements`);
  for (const [index, statement] of statements.entries()) {
    const difference = differenceOf(driver, statement, queries[index]);
    if (difference) wrong.push(difference);
  }
  const timeoutMs = purpose.kind === 'write' ? setup.writeTimeoutMs : purpose.timeoutMs;
  if (options.timestamp !== timestampUs) wrong.push(`has timestamp ${options.timestamp}`);
  if (options.readTimeout !== DRIVER_TIMEOUT_FACTOR * timeoutMs) {
    wrong.push(`has readTimeout ${options.readTimeout}`);
  }
  if (options.prepare !== true) wrong.push('is not prepared');
  if (options.isIdempotent !== false) wrong.push('may be repeated by the driver');
  if (!isNever(options.retry)) wrong.push('is retried by the driver');
  return [...wrong, ...wrongWithConsistency(step, cluster, options)];
}

export function checkRead(
  { driver, setup }: World,
  cluster: ClusterId,
  step: ReadStep,
  query: string,
  params: unknown,
  options: RequestOptions,
): string[] {
  const wrong: string[] = [];
  const statement = spellRead(step);
  const { parameters } = statement;
  const values = (params ?? []) as Record<string, unknown>;
  const encoder = encoderOf(driver);
  const encoded = parameters.map(([name], index) => {
    const value = Array.isArray(params) ? (params as unknown[])[index] : values[name];
    return encoder.encode(value, TEXT);
  });
  const isKnown = Array.isArray(params) || parameters.length === 0 || step.isNamed === true;
  const difference = differenceOf(driver, statement, { query, params: isKnown ? encoded : [] });
  if (difference) wrong.push(difference);
  if (options.readTimeout !== DRIVER_TIMEOUT_FACTOR * setup.readTimeoutMs) {
    wrong.push(`has readTimeout ${options.readTimeout}`);
  }
  if (options.prepare !== true) wrong.push('is not prepared');
  if (options.isIdempotent !== true) wrong.push('may not be repeated by the driver');
  if (options.fetchSize !== step.pageSize) wrong.push(`has fetchSize ${options.fetchSize}`);
  return [...wrong, ...wrongWithConsistency(step, cluster, options)];
}

/** What reads have parameters of. */
const TEXT = { code: 0x0d };

const encoders = new WeakMap<FullDriver, InstanceType<FullDriver['Encoder']>>();

function encoderOf(driver: FullDriver): InstanceType<FullDriver['Encoder']> {
  let encoder = encoders.get(driver);
  if (!encoder) encoders.set(driver, (encoder = new driver.Encoder(4, {})));
  return encoder;
}

function wrongWithConsistency(
  step: { readonly consistency?: number; readonly serialConsistency?: number },
  cluster: ClusterId,
  { consistency, serialConsistency, routingKey }: RequestOptions,
): string[] {
  const wrong: string[] = [];
  if (consistency !== dueConsistency(step, cluster)) wrong.push(`has consistency ${consistency}`);
  if (serialConsistency !== dueSerialConsistency(step, cluster)) {
    wrong.push(`has serial consistency ${serialConsistency}`);
  }
  if (routingKey !== undefined) wrong.push('has a routing key');
  return wrong;
}

/**
 * Text, and parameters byte by byte, as the driver takes them: a Buffer, `null`, or its own unset. What may be of one
 * type or another is judged where it is stored.
 */
function differenceOf(driver: FullDriver, { text, parameters }: Spelled, query?: Query): string | undefined {
  if (query?.query !== text) return `is sent as ${query?.query}`;
  const params = query.params as readonly unknown[];
  if (!Array.isArray(params) || params.length !== parameters.length) return 'has other parameters';
  for (const [index, [name, value]] of parameters.entries()) {
    const param: unknown = params[index];
    const isSame =
      value === null || value === undefined
        ? param === (value === null ? null : driver.types.unset)
        : Buffer.isBuffer(param) && (isTyped(name) || param.equals(Buffer.from(value)));
    if (!isSame) return `has another ${name}`;
  }
  return undefined;
}

const known = new WeakMap<object, boolean>();

/** Whether a retry policy never repeats anything. */
function isNever(retry: unknown): boolean {
  if (typeof retry !== 'object' || retry === null) return false;
  let isKnownNever = known.get(retry);
  if (isKnownNever === undefined) {
    const policy = retry as Record<string, () => { decision?: number }>;
    const calls = ['onReadTimeout', 'onRequestError', 'onUnavailable', 'onWriteTimeout'];
    isKnownNever = calls.every((name) => policy[name]?.().decision === RETHROW);
    known.set(retry, isKnownNever);
  }
  return isKnownNever;
}

/** `RetryPolicy.retryDecision.rethrow` of the driver. */
const RETHROW = 0;

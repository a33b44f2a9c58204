import type { LoggerService } from '@nestjs/common';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HelixEvent } from '../../lib/index.js';
import { AlwaysFirst } from './support/always-first.js';
import { startApplication, stopApplications, type TestApplication } from './support/application.js';
import { clusterPair, createKeyspace, type TestPair } from './support/clusters.js';
import { Load } from './support/load.js';

const keyspace = 'events';
let pair: TestPair;

beforeAll(async () => {
  pair = await clusterPair();
  await createKeyspace(pair, keyspace, ['CREATE TABLE $ks.users (id int PRIMARY KEY, name text)']);
});

afterEach(async () => {
  await stopApplications();
  await Promise.all([pair.A.heal(), pair.B.heal()]);
});

/** What Helix says, with the level before it. */
class Log implements LoggerService {
  readonly lines: string[] = [];

  log = (message: string, context?: string): void => this.#add('log', message, context);
  warn = (message: string, context?: string): void => this.#add('warn', message, context);
  error = (message: string, ...rest: string[]): void => this.#add('error', message, rest.at(-1));

  #add(level: string, message: string, context: string | undefined): void {
    if (context === 'Helix') this.lines.push(`${level} ${message}`);
  }
}

interface Started extends TestApplication {
  readonly log: Log;
  readonly events: HelixEvent[];
  /** Waits for an event that has not been waited for. */
  readonly next: (what: string, is: (event: HelixEvent) => boolean) => Promise<HelixEvent>;
}

async function start(): Promise<Started> {
  const log = new Log();
  const started = await startApplication(
    {
      cql: { A: pair.A.options(keyspace), B: pair.B.options(keyspace) },
      clusterNames: { A: 'us_east', B: 'us_west' },
      readStrategy: new AlwaysFirst('B'),
    },
    { logger: log },
  );
  const events: HelixEvent[] = [];
  started.helix.events$.subscribe((event) => events.push(event));
  let looked = 0;
  const next = async (what: string, is: (event: HelixEvent) => boolean): Promise<HelixEvent> => {
    let found: HelixEvent | undefined;
    const look = (): boolean => {
      while (!found && looked < events.length) {
        const event = events[looked++]!;
        if (is(event)) found = event;
      }
      return found !== undefined;
    };
    await expect.poll(look, { timeout: 40_000, interval: 20, message: what }).toBe(true);
    return found!;
  };
  return { ...started, log, events, next };
}

/** Writes and reads until it is stopped. */
function loadOn({ cql }: TestApplication): Load {
  return new Load(
    async (id) => {
      const receipt = await cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, `n${id}`]).exec();
      await cql.query('SELECT name FROM users WHERE id = ?', [id]).one();
      return receipt;
    },
    { total: Infinity, inFlight: 4, pauseMs: 20 },
  );
}

describe('An outage', () => {
  it('of B is told in order and with figures, in few lines', async () => {
    const started = await start();
    const { helix, log, events, next } = started;
    const load = loadOn(started);
    await load.more(50);
    expect(log.lines).toEqual([
      `log Connected to cluster A ("us_east") at ${pair.A.proxy.host}:${pair.A.proxy.port} and ` +
        `cluster B ("us_west") at ${pair.B.proxy.host}:${pair.B.proxy.port}`,
    ]);
    expect(events).toEqual([]);

    await pair.B.kill();
    await next('B is left', ({ type }) => type === 'disconnected');
    await expect.poll(() => log.lines.join('\n')).toMatch(/is behind/);
    expect(helix.status().B).toMatchObject({ state: 'avoided', connected: false });
    await load.more(200);
    await pair.B.restart();
    const caughtUp = await next('B has caught up', ({ type }) => type === 'caughtUp');
    load.stop();
    const results = await load.done();
    await helix.syncPoint({ timeoutMs: 10_000 });
    await expect.poll(() => helix.status().B?.state).toBe('well');

    // A ping that decides is told each time: what matters is that it was open, then closed.
    const turns = events
      .filter((event) => event.type !== 'breaker' || event.state !== 'half-open')
      .map((event) => (event.type === 'breaker' ? event.state : event.type));
    const first = (turn: (typeof turns)[number]): number => turns.indexOf(turn);
    expect([...new Set(turns)].toSorted()).toEqual(
      ['caughtUp', 'closed', 'connected', 'disconnected', 'open', 'queued', 'readsMoved'].toSorted(),
    );
    expect(first('queued')).toBeLessThan(first('disconnected'));
    expect(first('open')).toBeLessThan(first('disconnected'));
    expect(first('readsMoved')).toBeLessThan(first('disconnected'));
    expect(first('disconnected')).toBeLessThan(first('connected'));
    expect(first('connected')).toBeLessThan(first('closed'));
    expect(first('closed')).toBeLessThan(first('caughtUp'));
    expect(events.find(({ type }) => type === 'readsMoved')).toMatchObject({ from: 'B', to: 'A' });

    const replayed = events.reduce((sum, event) => sum + (event.type === 'caughtUp' ? event.replayed : 0), 0);
    const { enqueued, applied } = helix.status().replay.B;
    const queued = results.filter((result) => 'receipt' in result && result.receipt.B === 'queued').length;
    expect([replayed, applied]).toEqual([enqueued, enqueued]);
    expect(queued).toBe(enqueued);
    if (caughtUp.type !== 'caughtUp') throw new Error('It was waited for');
    const behindSince = events.find(({ type }) => type === 'queued')!.at.getTime();
    expect(Math.abs(caughtUp.at.getTime() - behindSince - caughtUp.behindMs)).toBeLessThan(500);
    expect(caughtUp.tookMs).toBeLessThan(caughtUp.behindMs);

    const B = String.raw`cluster B \("us_west"\)`;
    const seconds = String.raw`[\d.]+ s`;
    const times = (turn: (typeof turns)[number]): number => turns.filter((each) => each === turn).length;
    // A cluster that has just started may be avoided once more: each happening has its line, and nothing else has.
    const isNews = (event: HelixEvent): boolean => event.type === 'caughtUp' && event.behindMs >= 1_000;
    const expected: [pattern: string, count: number][] = [
      [`warn ${B} is being avoided: its breaker is open`, times('closed')],
      [`warn Reads go to cluster A .* instead of ${B}, which .*`, 1],
      [`warn ${B} cannot be reached: its driver has no host left that is up`, times('disconnected')],
      [
        `warn ${B} is behind: \\d+ writes queued for it, \\d+ more a second; the queue holds 10,000, full in about \\d+ s at this rate`,
        1,
      ],
      [`log ${B} can be reached again`, times('connected')],
      [`log ${B} is in use again: its breaker is closed, [\\d,]+ writes to replay`, times('closed')],
      [
        `log ${B} has caught up: [\\d,]+ writes in ${seconds}, ${seconds} behind`,
        events.filter(isNews).length,
      ],
    ];
    const counted = expected.map(([pattern]): [string, number] => [
      pattern,
      log.lines.filter((line) => new RegExp(`^${pattern}$`).test(line)).length,
    ]);
    expect(counted).toEqual(expected);
    const isExpected = (line: string): boolean =>
      expected.some(([pattern]) => new RegExp(`^${pattern}$`).test(line));
    expect(log.lines.slice(1).filter((line) => !isExpected(line))).toEqual([]);
  });

  it('of both is two lines a second at most, whatever fails', async () => {
    const started = await start();
    const { cql, helix, log, next } = started;
    await cql.query('INSERT INTO users (id, name) VALUES (1, ?)', ['n']).exec();
    for (const { proxy } of [pair.A, pair.B]) proxy.refuse();
    const load = loadOn(started);
    const failing = async (): Promise<boolean> => (await load.more(20)).every((result) => 'error' in result);
    await expect.poll(failing, { timeout: 20_000 }).toBe(true);
    await next('one is left', ({ type }) => type === 'disconnected');
    await next('both are left', ({ type }) => type === 'disconnected');

    const saidBefore = log.lines.length;
    const startMs = performance.now();
    const results = await load.more(1_000);
    const tookSeconds = (performance.now() - startMs) / 1_000;
    expect(results.filter((result) => 'receipt' in result)).toEqual([]);
    expect(log.lines.slice(saidBefore).length).toBeLessThanOrEqual(Math.ceil(2 * tookSeconds));
    // From the beginning to now: what has happened to each cluster, and no call.
    expect(log.lines.length).toBeLessThanOrEqual(12);

    for (const { proxy } of [pair.A, pair.B]) proxy.pass();
    const isUsed = (): boolean => helix.status().A.state === 'well' && helix.status().B?.state === 'well';
    await expect.poll(isUsed, { timeout: 40_000 }).toBe(true);
    load.stop();
    await load.done();
  });

  it('ends with the application: that is the last event', async () => {
    const { helix, events, log } = await start();
    await helix.close();
    expect(events.map(({ type }) => type)).toEqual(['shutdown']);
    expect(log.lines).toHaveLength(1);
  });
});

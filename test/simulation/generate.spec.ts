import { describe, expect, it } from 'vitest';
import { generate } from './generate.js';
import { roundTripMs } from './generate/setup.js';
import type { FaultStep, History, Setup, Step } from './history.js';

type StepOf<Kind extends Step['do']> = Extract<Step, { do: Kind }>;

const histories = Array.from({ length: 500 }, (_, seed) => generate(seed));

/** The steps of some kinds, in all histories. */
function all<Kind extends Step['do']>(...kinds: Kind[]): StepOf<Kind>[] {
  return histories.flatMap((history) => only(history, ...kinds));
}

function only<Kind extends Step['do']>({ steps }: History, ...kinds: Kind[]): StepOf<Kind>[] {
  return steps.filter((step): step is StepOf<Kind> => (kinds as string[]).includes(step.do));
}

function operations(history: History): StepOf<'write' | 'read'>[] {
  return only(history, 'write', 'read');
}

function calls(history: History): StepOf<'write' | 'read'>[][] {
  const byName = new Map<string, StepOf<'write' | 'read'>[]>();
  for (const step of operations(history)) {
    if (step.call === undefined) continue;
    const call = byName.get(step.call);
    if (call) call.push(step);
    else byName.set(step.call, [step]);
  }
  return [...byName.values()];
}

/** Share of those for which it holds. */
function share<T>(items: readonly T[], holds: (item: T, index: number) => boolean): number {
  return items.filter(holds).length / items.length;
}

describe('A generated history', () => {
  it('is the same for the same seed', () => {
    expect(JSON.stringify(generate(4_711))).toBe(JSON.stringify(generate(4_711)));
  });

  it('differs from those of other seeds', () => {
    expect(new Set(histories.map(({ steps }) => JSON.stringify(steps))).size).toBe(500);
  });

  it('has at least 200 operations and 5 faults, whatever the seed', { timeout: 30_000 }, () => {
    const faults = ['fault', 'queue fault', 'stall', 'control partition', 'restart'] as const;
    const tooSmall = Array.from({ length: 2_000 }, (_, seed) => seed).filter((seed) => {
      const history = generate(seed);
      return operations(history).length < 200 || only(history, ...faults).length < 5;
    });
    expect(tooSmall).toEqual([]);
  });

  it('has as many operations and faults as it is asked for, on the same setup', () => {
    for (const { seed, setup } of histories.slice(0, 50)) {
      const history = generate(seed, { operations: 1_000, faults: 25 });
      expect(operations(history).length).toBeGreaterThanOrEqual(1_000);
      expect(operations(history).length).toBeLessThan(1_010);
      const ofClusters = only(history, 'fault').filter(
        ({ fault }) => !(fault.kind === 'refuse' && fault.error === 'bad credentials'),
      );
      expect(ofClusters).toHaveLength(25);
      expect(history.setup).toEqual(setup);
    }
  });

  it('has its steps in the order of their moments', () => {
    for (const { steps } of histories) {
      const moments = steps.map(({ atMs }) => atMs);
      expect(moments).toEqual(moments.toSorted((a, b) => a - b));
      expect(moments[0]).toBeGreaterThanOrEqual(0);
    }
  });

  it('names every operation once', () => {
    for (const history of histories) {
      const ids = operations(history).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.filter((id) => !/^[wr][1-9]\d*$/.test(id))).toEqual([]);
    }
  });

  it('lasts from some seconds to about a minute', () => {
    const lastsMs = histories.map(({ steps }) => steps.at(-1)?.atMs ?? 0);
    expect(Math.min(...lastsMs)).toBeGreaterThan(1_500);
    expect(Math.min(...lastsMs)).toBeLessThan(5_000);
    expect(Math.max(...lastsMs)).toBeLessThan(75_000);
    expect(Math.max(...lastsMs)).toBeGreaterThan(45_000);
  });
});

describe('Among 500 seeds', () => {
  it.each<[string, readonly string[], (string | undefined)[]]>([
    [
      'step',
      [
        ...['write', 'read', 'fault', 'queue fault', 'stall', 'set clock', 'drain', 'control partition'],
        ...['pause replay', 'sync point', 'requeue', 'purge', 'restart'],
      ],
      histories.flatMap(({ steps }) => steps.map((step) => step.do)),
    ],
    [
      'fault of a cluster',
      [
        ...['crash', 'hang', 'slow', 'partition', 'answers lost', 'requests lost', 'disconnect', 'reorder'],
        'refuse',
      ],
      all('fault').map(({ fault }) => fault.kind),
    ],
    [
      'error of a server',
      [
        ...[
          'overloaded',
          'shutting down',
          'unavailable',
          'write timeout',
          'read failure',
          'locked out',
          'bad credentials',
        ],
        'unknown',
      ],
      all('fault').map(({ fault }) => (fault.kind === 'refuse' ? fault.error : undefined)),
    ],
    [
      'fault of the queue',
      ['down', 'answers lost', 'full', 'redelivers'],
      all('queue fault').map(({ fault }) => fault),
    ],
    ['change', ['set', 'unset', 'delete', 'add'], all('write').map(({ change }) => change.kind)],
    ['end of a process', ['kill', 'shut down'], all('restart').map(({ how }) => how)],
    ['write strategy', ['concurrent', 'straggler', 'A first', 'B first', 'hasty'], setups('writeStrategy')],
    ['read strategy', ['sticky', 'primary only', 'round robin'], setups('readStrategy')],
    ['policy', ['active', 'breaker', 'latency breaker'], setups('policy')],
    ['queue', ['memory', 'encoding', 'durable', 'none'], setups('queue')],
    ['onReplayLost', ['throw', 'report'], setups('onReplayLost')],
    ['whenBothFail', ['throw', 'queue'], setups('whenBothFail')],
    ['preferred side', ['A', 'B'], setups('preferred')],
    ['connect', ['any', 'lazy'], setups('connect')],
    ['threshold', ['1', '2', '3', '4', '5'], setups('threshold')],
    ['consistency', ['1', '4', '6', '10'], all('write').map(({ consistency }) => String(consistency))],
    ['ack', ['any', 'both'], all('write').map(({ ack }) => ack)],
    ['priority', ['high', 'low'], all('write').map(({ priority }) => priority)],
    ['refusal', ['A', 'B', 'A,B'], all('write').map(({ refusedBy }) => refusedBy?.join())],
  ])('every kind of %s occurs, and nothing else', (_, expected, found) => {
    expect(new Set(found.filter((each) => each !== undefined))).toEqual(new Set(expected));
  });

  it.each<[keyof Setup, number, number]>([
    ['writeTimeoutMs', 50, 2_500],
    ['readTimeoutMs', 50, 2_500],
    ['suspectAfterMs', 0, 500],
    ['enqueueTimeoutMs', 20, 200],
    ['executeTimeoutMs', 100, 1_000],
    ['resetTimeoutMs', 100, 5_000],
    ['cooldownMs', 0, 60_000],
    ['shutdownTimeoutMs', 500, 5_000],
    ['maxInFlight', 1, 1_024],
    ['capacity', 5, 10_000],
    ['stragglerMs', 0, 1_500],
    ['maxReadLagMs', 1, 5_000],
  ])('%s reaches from %d to %d', (field, min, max) => {
    const values = histories.map(({ setup }) => Number(setup[field]));
    expect([Math.min(...values), Math.max(...values)]).toEqual([min, max]);
    expect(values.every(Number.isInteger)).toBe(true);
  });

  it.each<['write' | 'read', string]>([
    ...['call', 'prepareMs', 'firstUseMs', 'timeoutMs', 'abortAfterMs', 'refusedBy'].map(
      (field) => ['write', field] as const,
    ),
    ...['call', 'hedgeAfterMs', 'timeoutMs', 'abortAfterMs', 'isBad'].map(
      (field) => ['read', field] as const,
    ),
  ] as ['write' | 'read', string][])('a %s with %s occurs', (kind, field) => {
    const having = all(kind).filter((step) => field in step);
    expect(having.length).toBeGreaterThan(100);
    expect(having.length).toBeLessThan(all(kind).length * 0.7);
  });

  it('a third of the time limits are longer than it takes to find a cluster dead, and clusters hang for longer', () => {
    const isFound = ({ suspectAfterMs = 0, writeTimeoutMs }: Setup): boolean =>
      suspectAfterMs > 0 && writeTimeoutMs > suspectAfterMs + 500;
    expect(share(histories, ({ setup }) => isFound(setup))).toBeGreaterThan(0.25);
    const hang = histories.filter((history) =>
      only(history, 'fault').some(({ fault, forMs }) => {
        const { suspectAfterMs = 0 } = history.setup;
        return (fault.kind === 'hang' || fault.kind === 'partition') && forMs > suspectAfterMs + 500;
      }),
    );
    expect(hang.length).toBeGreaterThan(200);
  });

  it('some signals are time limits', () => {
    const signals = all('write', 'read').filter(({ abortAfterMs }) => abortAfterMs !== undefined);
    expect(share(signals, ({ abortsAs }) => abortsAs === 'timeout')).toBeGreaterThan(0.3);
    expect(share(signals, ({ abortsAs }) => abortsAs === 'timeout')).toBeLessThan(0.6);
  });

  it('a caller has gone at once, and none has a time limit that the library would refuse', () => {
    expect(all('write', 'read').some(({ abortAfterMs }) => abortAfterMs === 0)).toBe(true);
    const limits = all('write', 'read').flatMap((step) => [
      step.timeoutMs,
      step.do === 'read' ? step.hedgeAfterMs : undefined,
    ]);
    expect(Math.min(...limits.filter((limit) => limit !== undefined))).toBe(1);
  });

  it('every length is a whole number of ms, 1 or more', () => {
    for (const { steps } of histories) {
      const wrong = steps.filter(
        (step) => 'forMs' in step && !(step.forMs >= 1 && Number.isInteger(step.forMs)),
      );
      expect(wrong).toEqual([]);
    }
  });

  it('only a durable queue has faults, or gets what both sides missed', () => {
    for (const history of histories.filter(({ setup }) => setup.queue !== 'durable')) {
      expect(only(history, 'queue fault')).toEqual([]);
      expect(history.setup.whenBothFail).toBe('throw');
    }
  });

  it('without a queue nobody looks after it', () => {
    for (const history of histories.filter(({ setup }) => setup.queue === 'none')) {
      expect(only(history, 'pause replay', 'requeue', 'purge')).toEqual([]);
    }
  });

  it('writes that add are of class once, on rows of their own, and never go to a durable queue', () => {
    for (const history of histories) {
      const isAllowed = (write: StepOf<'write'>): boolean =>
        write.change.kind === 'add'
          ? write.class === 'once' && /^n[01]$/.test(write.key) && history.setup.queue !== 'durable'
          : write.class === 'idempotent' && /^k[0-5]$/.test(write.key);
      expect(only(history, 'write').filter((write) => !isAllowed(write))).toEqual([]);
    }
  });

  it('calls have 2 to 10 operations on one or two rows', () => {
    for (const history of histories) {
      const wrong = calls(history).filter((call) => {
        const rows = new Set(call.map(({ key }) => key).filter((key) => key.startsWith('k')));
        return call.length < 2 || call.length > 10 || rows.size > 2;
      });
      expect(wrong).toEqual([]);
    }
  });

  it('no operation is wasted on a moment at which no process is there to make it', () => {
    for (const history of histories) {
      for (const restart of only(history, 'restart')) {
        const wasted = operations(history).filter(
          ({ atMs }) => atMs >= restart.atMs + 1 && atMs < restart.atMs + restart.afterMs,
        );
        expect(wasted, `seed ${history.seed}`).toEqual([]);
      }
    }
  });

  it('about a quarter of the processes are restarted, and a bit more than half of the restarts are kills', () => {
    const restarted = share(histories, (history) => only(history, 'restart').length > 0);
    expect(restarted).toBeGreaterThan(0.2);
    expect(restarted).toBeLessThan(0.3);
    const killed = share(all('restart'), ({ how }) => how === 'kill');
    expect(killed).toBeGreaterThan(0.5);
    expect(killed).toBeLessThan(0.7);
  });
});

describe('Things that matter come together:', () => {
  /** Faults of the other side that have something to do with this one. */
  function others(history: History, { cluster }: FaultStep): FaultStep[] {
    return only(history, 'fault').filter((other) => other.cluster !== cluster);
  }

  function shareOfFaults(holds: (fault: FaultStep, history: History) => boolean): number {
    const found = histories.flatMap((history) =>
      only(history, 'fault').map((fault) => holds(fault, history)),
    );
    return share(found, Boolean);
  }

  it('a side is hurt just when the other one comes back', () => {
    const found = shareOfFaults((fault, history) =>
      others(history, fault).some((other) => Math.abs(other.atMs + other.forMs - fault.atMs) <= 3),
    );
    expect(found).toBeGreaterThan(0.15);
  });

  it('a side is hurt while the other one is', () => {
    const found = shareOfFaults((fault, history) =>
      others(history, fault).some(
        (other) => other.atMs <= fault.atMs && fault.atMs <= other.atMs + other.forMs,
      ),
    );
    expect(found).toBeGreaterThan(0.3);
  });

  it.each(['writeTimeoutMs', 'resetTimeoutMs'] as const)('a fault lasts about %s', (limit) => {
    const found = shareOfFaults(({ forMs }, { setup }) => Math.abs(forMs - setup[limit]) <= 3);
    expect(found).toBeGreaterThan(0.05);
  });

  it('faults are hardly there, or last for seconds', () => {
    expect(shareOfFaults(({ forMs }) => forMs <= 5)).toBeGreaterThan(0.1);
    expect(shareOfFaults(({ forMs }) => forMs >= 2_000)).toBeGreaterThan(0.05);
  });

  it('the same fault comes 3 times in a row, and more', () => {
    const flapping = share(histories, (history) =>
      only(history, 'fault').some((fault, _, faults) => {
        const same = faults.filter((other) => other.cluster === fault.cluster && other.fault === fault.fault);
        return same.length >= 3;
      }),
    );
    expect(flapping).toBeGreaterThan(0.1);
  });

  it('crashes lose nothing more often than something', () => {
    const losses = all('fault').flatMap(({ fault }) => (fault.kind === 'crash' ? [fault.losesMs] : []));
    expect(share(losses, (losesMs) => losesMs === 0)).toBeGreaterThan(0.6);
    expect(share(losses, (losesMs) => losesMs === 0)).toBeLessThan(0.8);
    expect(Math.max(...losses)).toBe(50);
  });

  it('most operations are begun within 3 ms of the one before', () => {
    const close = histories.map((history) => {
      const steps = operations(history);
      return share(steps.slice(1), (step, index) => step.atMs - (steps[index]?.atMs ?? 0) <= 3);
    });
    expect(close.reduce((sum, each) => sum + each, 0) / close.length).toBeGreaterThan(0.5);
  });

  it('many operations are begun at a moment at which a fault begins or ends', () => {
    const found = histories.map((history) => {
      const moments = only(history, 'fault').flatMap(({ atMs, forMs }) => [atMs, atMs + forMs]);
      return share(operations(history), ({ atMs }) => moments.some((moment) => Math.abs(moment - atMs) <= 5));
    });
    expect(found.reduce((sum, each) => sum + each, 0) / found.length).toBeGreaterThan(0.15);
  });

  it('about half of the operations are made in calls', () => {
    const found = share(all('write', 'read'), ({ call }) => call !== undefined);
    expect(found).toBeGreaterThan(0.4);
    expect(found).toBeLessThan(0.6);
  });

  it('a row is read in the call that wrote it: at once, and after the answer', () => {
    const gaps = { close: 0, answered: 0 };
    for (const history of histories) {
      for (const call of calls(history)) {
        call.forEach((step, index) => {
          const before = call[index - 1];
          if (step.do !== 'read' || before?.do !== 'write' || before.key !== step.key) return;
          const gapMs = step.atMs - before.atMs;
          const answeredMs = roundTripMs(history.setup);
          if (gapMs <= 3) gaps.close++;
          else if (gapMs > answeredMs && gapMs <= answeredMs + 10) gaps.answered++;
        });
      }
    }
    expect(gaps.close).toBeGreaterThan(1_000);
    expect(gaps.answered).toBeGreaterThan(1_000);
  });
});

function setups(field: Exclude<keyof Setup, 'latency'>): string[] {
  return histories.map(({ setup }) => String(setup[field]));
}

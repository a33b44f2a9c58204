import { describe, expect, it } from 'vitest';
import { generate } from './generate.js';
import { PLAIN_SETUP } from './generate/setup.js';
import type { FaultStep, History, Setup, Step, WriteStep } from './history.js';
import { shrink } from './shrink.js';

const history = generate(7);

/** The first write that is under way while cluster B is crashed, in the first history that has one. */
function writeDuringCrash(): { history: History; write: WriteStep } {
  for (let seed = 0; ; seed++) {
    const candidate = generate(seed);
    const crash = candidate.steps.find(
      (step): step is FaultStep => step.do === 'fault' && step.cluster === 'B' && step.fault.kind === 'crash',
    );
    if (!crash || crash.forMs < 200) continue;
    const write = candidate.steps.find(
      (step) => step.do === 'write' && step.atMs > crash.atMs + 50 && step.atMs <= crash.atMs + crash.forMs,
    );
    if (write?.do === 'write') return { history: candidate, write };
  }
}

function has(id: string): (candidate: History) => Promise<boolean> {
  return async ({ steps }) => steps.some((step) => step.do === 'write' && step.id === id);
}

function someWrite(): WriteStep {
  const write = history.steps.find((step) => step.do === 'write' && step.call !== undefined);
  if (write?.do !== 'write') throw new Error('The history has no write in a call');
  return write;
}

function withSteps(...steps: Step[]): History {
  return { ...history, setup: PLAIN_SETUP, steps };
}

describe('shrink', () => {
  it('leaves the write and the crash that overlaps it, and of them only what matters', async () => {
    const found = writeDuringCrash();
    const result = await shrink(found.history, async ({ steps }) => {
      const write = steps.find((step) => step.do === 'write' && step.id === found.write.id);
      return steps.some(
        (step) =>
          write &&
          step.do === 'fault' &&
          step.cluster === 'B' &&
          step.fault.kind === 'crash' &&
          step.atMs < write.atMs &&
          step.atMs + step.forMs >= write.atMs,
      );
    });
    expect(result.setup).toEqual(PLAIN_SETUP);
    const [crash, write] = result.steps;
    expect(result.steps).toHaveLength(2);
    expect(crash).toMatchObject({ do: 'fault', cluster: 'B', fault: { kind: 'crash', losesMs: 0 } });
    expect(Object.keys(write ?? {}).toSorted()).toEqual(
      ['atMs', 'do', 'id', 'key', 'change', 'class', 'ack', 'priority', 'consistency'].toSorted(),
    );
    // No shorter crash reaches the write.
    expect(crash).toMatchObject({ forMs: (write?.atMs ?? NaN) - (crash?.atMs ?? NaN) });
  });

  it('returns only what failed when it was asked', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const failed = new Set<string>();
      // Fails for reasons nobody understands: whatever is left must be one of those that did.
      const result = await shrink(generate(seed), async (candidate) => {
        const text = JSON.stringify(candidate);
        const isFailure = candidate.steps.length > 100 || text.length % 3 === 0;
        if (isFailure) failed.add(text);
        return isFailure;
      });
      expect(failed).toContain(JSON.stringify(result));
    }
  });

  it('takes away a step that only another one, which is gone by now, needed', async () => {
    // Every sync point needs the one after it, so only the first one can go, again and again.
    const chain = Array.from({ length: 9 }, (_, index): Step => ({ atMs: index, do: 'sync point' }));
    const result = await shrink(withSteps(...chain), async ({ steps }) =>
      steps.every(({ atMs }, index) => atMs === chain.length - steps.length + index),
    );
    expect(result.steps).toEqual([]);
  });

  it('leaves nothing that can go by itself', async () => {
    const ids = history.steps.flatMap((step) => ('id' in step ? [step.id] : []));
    const needed = [0, 1, 77, ids.length - 1].map((index) => ids[index]);
    const { steps } = await shrink(history, async (candidate) => {
      const left = new Set(candidate.steps.map((step) => ('id' in step ? step.id : undefined)));
      return needed.every((id) => left.has(id));
    });
    expect(steps.map((step) => ('id' in step ? step.id : step.do))).toEqual(needed);
  });

  it('keeps the moments of the steps while it takes others away', async () => {
    const moments = new Map(history.steps.map((step) => ['id' in step ? step.id : step, step.atMs]));
    const seen: boolean[] = [];
    let shortest = history.steps.length;
    let areAsTheyWere = true;
    await shrink(history, async (candidate) => {
      const keepsMoments = candidate.steps.every(
        (step) => moments.get('id' in step ? step.id : step) === step.atMs,
      );
      const isShorter = candidate.steps.length < shortest;
      // Once a step has been made simpler there is nothing to compare with any more.
      if (isShorter && areAsTheyWere) seen.push(keepsMoments);
      const fails = await has(someWrite().id)(candidate);
      if (fails && isShorter) shortest = candidate.steps.length;
      else if (fails && candidate.steps.length < history.steps.length) areAsTheyWere = false;
      return fails;
    });
    expect(seen.length).toBeGreaterThan(10);
    expect(seen).not.toContain(false);
  });

  it.each([1, 2, 10, 100])('asks %d times at most, and returns the best by then', async (runs) => {
    let asked = 0;
    const result = await shrink(
      history,
      async (candidate) => {
        asked++;
        return has(someWrite().id)(candidate);
      },
      { runs },
    );
    expect(asked).toBeLessThanOrEqual(runs);
    expect(await has(someWrite().id)(result)).toBe(true);
    if (runs === 1) expect(result).toBe(history);
    if (runs === 100) expect(result.steps.length).toBeLessThan(10);
  });

  it('needs no more than a few hundred runs for a failure of two steps', async () => {
    let asked = 0;
    const isThere = has(someWrite().id);
    await shrink(history, async (candidate) => {
      asked++;
      return (await isThere(candidate)) && candidate.steps.some((step) => step.do === 'fault');
    });
    expect(asked).toBeLessThan(300);
  });

  it('refuses a history that does not fail', async () => {
    await expect(shrink(history, async () => false)).rejects.toThrow('seed 7 does not fail');
  });

  it('keeps the steps in order', async () => {
    const steps = withSteps(
      { atMs: 1_234, do: 'sync point' },
      { atMs: 1_236.5, do: 'requeue' },
      { atMs: 2_345, do: 'purge' },
    );
    // The first one cannot move, the others may come as close as they like.
    const result = await shrink(
      steps,
      async (candidate) => candidate.steps.length === 3 && candidate.steps[0]?.atMs === 1_234,
    );
    expect(result.steps.map(({ atMs }) => atMs)).toEqual([1_234, 1_236, 2_000]);
  });

  const fault = { atMs: 0, do: 'fault', cluster: 'A', forMs: 1 } as const;
  const write: Step = {
    ...{ atMs: 0, do: 'write', id: 'w1', key: 'k0', change: { kind: 'set', columns: ['a'] } },
    ...{ class: 'idempotent', ack: 'any', priority: 'high', consistency: 6 },
  };
  const read = { atMs: 0, do: 'read', id: 'r1', key: 'k0' } as const;

  it.each<[Step, Step]>([
    [
      { ...fault, atMs: 777, fault: { kind: 'crash', losesMs: 7 }, forMs: 500 },
      { ...fault, fault: { kind: 'crash', losesMs: 0 } },
    ],
    [
      { ...fault, fault: { kind: 'partition', thenReset: true } },
      { ...fault, fault: { kind: 'partition', thenReset: false } },
    ],
    [
      { ...fault, fault: { kind: 'answers lost', share: 0.2 } },
      { ...fault, fault: { kind: 'answers lost', share: 1 } },
    ],
    [
      { atMs: 0.25, do: 'restart', how: 'kill', afterMs: 300 },
      { atMs: 0, do: 'restart', how: 'kill', afterMs: 1 },
    ],
    [
      {
        ...{ ...write, change: { kind: 'set', columns: ['a', 'b'] }, ack: 'both', priority: 'low' },
        ...{ consistency: 1, call: 'c0', prepareMs: 1, timeoutMs: 2, abortAfterMs: 3, refusedBy: ['A'] },
      },
      write,
    ],
    [{ ...read, call: 'c0', hedgeAfterMs: 1, timeoutMs: 2, abortAfterMs: 3, isBad: true }, read],
  ])('makes the only step as simple as it can be: %o', async (step, simplest) => {
    const result = await shrink(withSteps(step), async ({ steps }) => steps.length === 1);
    expect(result.steps).toEqual([simplest]);
  });

  it('finds the shortest fault that fails', async () => {
    const hang: Step = { ...fault, fault: { kind: 'hang' }, forMs: 7_351 };
    const lasts = async (candidate: History, ms: number): Promise<boolean> =>
      candidate.steps.some((step) => step.do === 'fault' && step.forMs >= ms);
    expect(await shrink(withSteps(hang), (candidate) => lasts(candidate, 1))).toMatchObject({
      steps: [{ forMs: 1 }],
    });
    expect(await shrink(withSteps(hang), (candidate) => lasts(candidate, 903))).toMatchObject({
      steps: [{ forMs: 903 }],
    });
  });

  it('takes from the setup what does not matter, one thing at a time', async () => {
    const { setup } = await shrink(history, async (candidate) => candidate.setup.writeTimeoutMs < 1_000);
    expect(setup).toEqual({ ...PLAIN_SETUP, writeTimeoutMs: history.setup.writeTimeoutMs });
  });

  it.each<[string, Partial<Setup>, Step[], Setup['queue']]>([
    ['gives up a durable queue', {}, [], 'memory'],
    ['gives up one that gets what both sides missed', { whenBothFail: 'queue' }, [], 'memory'],
    ['keeps one that has a fault', {}, [{ atMs: 0, do: 'queue fault', fault: 'down', forMs: 1 }], 'durable'],
  ])('%s', async (_, setup, steps, queue) => {
    const seen: History[] = [];
    const durable = { ...PLAIN_SETUP, queue: 'durable' as const, ...setup };
    const result = await shrink({ seed: 1, setup: durable, steps }, async (candidate) => {
      seen.push(candidate);
      return candidate.steps.length === steps.length;
    });
    expect(result.setup.queue).toBe(queue);
    for (const candidate of seen.filter((each) => each.setup.queue !== 'durable')) {
      expect(candidate.setup.whenBothFail).toBe('throw');
    }
  });
});

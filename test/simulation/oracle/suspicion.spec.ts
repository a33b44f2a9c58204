import { describe, expect, it } from 'vitest';
import type { ClusterId, SignOfLife } from '../../../lib/core/index.js';
import type { Setup } from '../history.js';
import { brokenRules, HandMadeRun, REPLAYED } from './hand-made.js';

/** A hangs from the beginning: a read has waited for it since 10 ms; asked at 600, and silent until 1,100 ms. */
class Hang {
  readonly run: HandMadeRun;

  constructor(setup: Partial<Setup> = {}) {
    this.run = new HandMadeRun({ writeTimeoutMs: 5_000, readTimeoutMs: 5_000, ...setup });
    this.run.read({}, { asked: ['A'], startedMs: 10, tookMs: 3_000 });
  }

  asked(fromMs = 600, sign: SignOfLife = 'silent', cluster: ClusterId = 'A', forMs = 500): this {
    const end = { atMs: fromMs + forMs, sign };
    this.run.ledger.suspicions.push({ process: 1, cluster, fromMs, limitMs: 500, end });
    return this;
  }

  heard(atMs: number, cluster: ClusterId = 'A'): this {
    this.run.ledger.heard.push({ process: 1, cluster, atMs, isUnsure: false });
    return this;
  }

  stalled(fromMs: number, toMs: number): this {
    this.run.ledger.stalls.push({ fromMs, toMs });
    return this;
  }

  released(atMs: number, step: { class?: 'once' } = {}): this {
    const A = { attemptedMs: 20, releasedMs: atMs, ...REPLAYED, handedAs: ['envelope' as const] };
    const B = { attemptedMs: 20, acknowledgedMs: 22 };
    this.run.write(step, { startedMs: 20, tookMs: atMs - 20, A, B, told: ['queued', 'applied'] });
    return this;
  }

  get isSuspicious(): boolean {
    return brokenRules(this.run).includes('suspicion');
  }
}

describe('A cluster is asked for a sign of life', () => {
  it('when a request has waited long enough, and nothing has come', () => {
    expect(new Hang().asked().isSuspicious).toBe(false);
    expect(new Hang().asked(510).isSuspicious).toBe(false);
    expect(new Hang().asked(509).isSuspicious).toBe(true);
    expect(new Hang({ suspectAfterMs: 400 }).asked(410).isSuspicious).toBe(false);
  });

  it('only of the cluster that is waited for', () => {
    expect(new Hang().asked(600, 'silent', 'B').isSuspicious).toBe(true);
  });

  it('not where nobody is to be suspected', () => {
    expect(new Hang({ suspectAfterMs: 0 }).asked().isSuspicious).toBe(true);
  });

  it('not when something has come from it meanwhile', () => {
    expect(new Hang().heard(101).asked().isSuspicious).toBe(true);
    expect(new Hang().heard(99).asked().isSuspicious).toBe(false);
    expect(new Hang().heard(300, 'B').asked().isSuspicious).toBe(false);
  });

  it('not when the process stood still meanwhile', () => {
    expect(new Hang().stalled(300, 460).asked().isSuspicious).toBe(true);
    expect(new Hang().stalled(300, 400).asked().isSuspicious).toBe(false);
    expect(new Hang().stalled(11, 99).asked().isSuspicious).toBe(false);
  });

  it('not so soon after it was cleared', () => {
    expect(new Hang().asked(600, 'notSent', 'A', 10).asked(1_110).isSuspicious).toBe(false);
    expect(new Hang().asked(600, 'notSent', 'A', 10).asked(1_109).isSuspicious).toBe(true);
  });

  it('every 2 s while it is dead', () => {
    expect(new Hang().asked().asked(2_600).isSuspicious).toBe(false);
    expect(new Hang().asked().asked(2_599).isSuspicious).toBe(true);
  });
});

describe('A side is given up', () => {
  it('when it was found dead', () => {
    expect(new Hang().asked().released(1_100).isSuspicious).toBe(false);
    expect(new Hang().asked().released(2_000).isSuspicious).toBe(false);
  });

  it('not before the ping has gone unanswered for its time', () => {
    expect(new Hang().released(1_100).isSuspicious).toBe(true);
    expect(new Hang().asked().released(1_099).isSuspicious).toBe(true);
    expect(new Hang().asked(600, 'silent', 'A', 400).released(1_100).isSuspicious).toBe(true);
    expect(new Hang().asked(600, 'silent', 'A', 700).released(1_400).isSuspicious).toBe(true);
    expect(new Hang().asked(600, 'notSent').released(1_200).isSuspicious).toBe(true);
  });

  it('not when something has come from it since it was asked', () => {
    expect(new Hang().asked().heard(800).released(1_100).isSuspicious).toBe(true);
    expect(new Hang().asked().heard(1_150).released(1_200).isSuspicious).toBe(true);
    expect(new Hang().asked().heard(1_150).released(1_140).isSuspicious).toBe(false);
  });

  it('not while the other side is silent too', () => {
    const both = (...heardMs: number[]): Hang => {
      const hang = new Hang().asked().asked(700, 'silent', 'B');
      hang.run.read({}, { asked: ['B'], startedMs: 30, tookMs: 3_000 });
      for (const atMs of heardMs) hang.heard(atMs, 'B');
      return hang;
    };
    expect(both().released(1_150).isSuspicious).toBe(true);
    expect(both().released(1_300).isSuspicious).toBe(true);
    expect(both(1_000).released(1_150).isSuspicious).toBe(false);
  });

  it('not of a write that must not be applied twice', () => {
    expect(new Hang().asked().released(1_100, { class: 'once' }).isSuspicious).toBe(true);
  });

  it('by a read as by a write', () => {
    const reading = (secondMs: number, failedMs?: number): Hang => {
      const hang = new Hang().asked();
      const read = hang.run.read({}, { asked: ['A', 'B'], startedMs: 40, tookMs: 2_000 });
      Object.assign(read.asked[1] as object, { atMs: secondMs });
      Object.assign(read.asked[0] as object, { failedMs });
      return hang;
    };
    expect(reading(1_100).isSuspicious).toBe(false);
    expect(reading(1_000).isSuspicious).toBe(true);
    expect(reading(1_000, 1_000).isSuspicious).toBe(false);
  });
});

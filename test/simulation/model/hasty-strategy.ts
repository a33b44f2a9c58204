import { type Outcome, type SideWrite, WriteStrategy } from '../../../lib/core/index.js';
import type { Random } from '../engine/random.js';

/**
 * A strategy as somebody may write it who does not like to wait: it sends to both sides and answers at once, or with
 * the first outcome, whatever that is, and whatever the caller has asked for. The rest is the write path's to await.
 */
export class HastyWriteStrategy extends WriteStrategy {
  constructor(private readonly random: Random) {
    super();
  }

  override async execute(a: SideWrite, b: SideWrite): Promise<readonly [Outcome, Outcome]> {
    const sentA = a.send();
    const sentB = b.send();
    const pendingA: Outcome = { kind: 'pending', settled: sentA };
    const pendingB: Outcome = { kind: 'pending', settled: sentB };
    if (this.random.chance(0.3)) return [pendingA, pendingB];
    return Promise.race([
      sentA.then((outcome): [Outcome, Outcome] => [outcome, pendingB]),
      sentB.then((outcome): [Outcome, Outcome] => [pendingA, outcome]),
    ]);
  }
}

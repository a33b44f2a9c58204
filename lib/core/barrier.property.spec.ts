import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noBreaches } from '../../test/support/invariants.js';
import { Barrier, type Inside } from './barrier.js';

/** A thing that does nothing but to be inside a barrier. */
class Stay implements Inside {
  since: Inside['since'];
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('enter' as const) }),
  fc.record({ kind: fc.constant('barrier' as const) }),
  fc.record({ kind: fc.constant('leave' as const), which: fc.nat() }),
);

describe('Barrier', () => {
  it('is passed exactly when all that entered before it have left, in any history', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const barrier = new Barrier(noBreaches());
        let inside: { thing: Stay; id: number }[] = [];
        const waits: { waitsFor: Set<number>; isOpen: boolean }[] = [];
        let ids = 0;
        for (const each of steps) {
          if (each.kind === 'enter') {
            const thing = new Stay();
            barrier.enter(thing);
            inside.push({ thing, id: ids++ });
          } else if (each.kind === 'barrier') {
            const wait = { waitsFor: new Set(inside.map(({ id }) => id)), isOpen: false };
            waits.push(wait);
            void barrier.passed().then(() => (wait.isOpen = true));
          } else if (inside.length > 0) {
            const leaving = inside[each.which % inside.length]!;
            inside = inside.filter((other) => other !== leaving);
            for (const { waitsFor } of waits) waitsFor.delete(leaving.id);
            barrier.leave(leaving.thing);
          }
          await Promise.resolve();
          await Promise.resolve();
          expect(waits.map(({ isOpen }) => isOpen)).toEqual(waits.map((b) => b.waitsFor.size === 0));
        }
      }),
    );
  });
});

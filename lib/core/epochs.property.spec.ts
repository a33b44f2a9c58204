import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Epoch, Epochs } from './epochs.js';

const step = fc.oneof(
  fc.record({ kind: fc.constant('enter' as const) }),
  fc.record({ kind: fc.constant('barrier' as const) }),
  fc.record({ kind: fc.constant('leave' as const), which: fc.nat() }),
);

describe('Epochs', () => {
  it('have each barrier open exactly when all that entered before it have left, in any history', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const epochs = new Epochs();
        let inside: { epoch: Epoch; id: number }[] = [];
        const barriers: { waitsFor: Set<number>; isOpen: boolean }[] = [];
        let ids = 0;
        for (const each of steps) {
          if (each.kind === 'enter') {
            inside.push({ epoch: epochs.enter(), id: ids++ });
          } else if (each.kind === 'barrier') {
            const barrier = { waitsFor: new Set(inside.map(({ id }) => id)), isOpen: false };
            barriers.push(barrier);
            void epochs.barrier().then(() => (barrier.isOpen = true));
          } else if (inside.length > 0) {
            const leaving = inside[each.which % inside.length]!;
            inside = inside.filter((other) => other !== leaving);
            for (const { waitsFor } of barriers) waitsFor.delete(leaving.id);
            epochs.leave(leaving.epoch);
          }
          await Promise.resolve();
          await Promise.resolve();
          expect(barriers.map(({ isOpen }) => isOpen)).toEqual(barriers.map((b) => b.waitsFor.size === 0));
        }
      }),
    );
  });
});

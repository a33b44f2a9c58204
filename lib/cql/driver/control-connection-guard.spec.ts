import { describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { guardControlConnection } from './control-connection-guard.js';

/** A control connection whose refreshes end when they are told to. */
class FakeControl {
  readonly refreshes: { iterator: unknown; end(error?: Error): Promise<void> }[] = [];
  _isShuttingDown = false;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  _refresh(hostIterator?: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      this.refreshes.push({
        iterator: hostIterator,
        end: (error) => {
          if (error) reject(error);
          else resolve();
          return this.#clock.settle();
        },
      });
    });
  }
}

function guarded() {
  const clock = new FakeClock();
  const control = new FakeControl(clock);
  expect(guardControlConnection(control, clock)).toBe(true);
  return { clock, control, refreshes: control.refreshes };
}

const boom = (): Error => new TypeError("Cannot read properties of null (reading 'endpoint')");

describe('guardControlConnection', () => {
  it('lets one refresh run at a time, whose end all callers await', async () => {
    const { control, refreshes } = guarded();
    const both = Promise.all([control._refresh(), control._refresh()]);
    expect(refreshes).toHaveLength(1);
    await refreshes[0]?.end();
    await expect(both).resolves.toBeDefined();
  });

  it('starts another refresh after the one before has ended', async () => {
    const { control, refreshes } = guarded();
    const first = control._refresh();
    await refreshes[0]?.end();
    await first;
    void control._refresh();
    expect(refreshes).toHaveLength(2);
  });

  it('lets the recursion of a running refresh through', () => {
    const { control, refreshes } = guarded();
    const iterator = [][Symbol.iterator]();
    void control._refresh();
    void control._refresh(iterator);
    expect(refreshes.map((each) => each.iterator)).toEqual([undefined, iterator]);
  });

  it('does not reject when a refresh fails', async () => {
    const { control, refreshes } = guarded();
    const refresh = control._refresh();
    await refreshes[0]?.end(boom());
    await expect(refresh).resolves.toBeUndefined();
  });

  it('tries again after a second when a refresh has failed', async () => {
    const { clock, control, refreshes } = guarded();
    void control._refresh();
    await refreshes[0]?.end(boom());
    await clock.advance(999);
    expect(refreshes).toHaveLength(1);
    await clock.advance(1);
    expect(refreshes).toHaveLength(2);
  });

  it('goes on trying until a refresh succeeds', async () => {
    const { clock, control, refreshes } = guarded();
    void control._refresh();
    for (let i = 0; i < 5; i++) {
      await refreshes[i]?.end(boom());
      await clock.advance(1_000);
    }
    await refreshes[5]?.end();
    await clock.advance(60_000);
    expect(refreshes).toHaveLength(6);
  });

  it('does not try again while the client is shutting down', async () => {
    const { clock, control, refreshes } = guarded();
    void control._refresh();
    control._isShuttingDown = true;
    await refreshes[0]?.end(boom());
    await clock.advance(60_000);
    expect(refreshes).toHaveLength(1);
  });

  it('calls the method on the control connection itself', async () => {
    const control = { _refresh: vi.fn(() => Promise.resolve()) };
    const original = control._refresh;
    guardControlConnection(control, new FakeClock());
    await control._refresh();
    expect(original.mock.contexts).toEqual([control]);
  });

  it.each([
    ['there is no control connection', undefined],
    ['it has no such method', {}],
  ])('answers false when %s', (_why, control) => {
    expect(guardControlConnection(control, new FakeClock())).toBe(false);
  });
});

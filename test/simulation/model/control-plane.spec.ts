import { describe, expect, it } from 'vitest';
import type { TopologyUpdate } from '../../../lib/core/index.js';
import { Random } from '../engine/random.js';
import { Scheduler } from '../engine/scheduler.js';
import { ModelControlPlane, ModelTopologyWatcher } from './control-plane.js';

const LONG_MS = 5_000;

class Fleet {
  readonly scheduler = new Scheduler(new Random(1));
  readonly plane = new ModelControlPlane(this.scheduler, new Random(2));

  /** A process that watches, and what it hears. */
  start(): { watcher: ModelTopologyWatcher; heard: TopologyUpdate[]; kill: () => void } {
    let isAlive = true;
    const watcher = new ModelTopologyWatcher(this.plane, () => isAlive);
    const heard: TopologyUpdate[] = [];
    watcher.changes.subscribe((update) => {
      expect(watcher.isDraining(update.cluster)).toBe(update.draining);
      heard.push(update);
    });
    watcher.open();
    return { watcher, heard, kill: () => (isAlive = false) };
  }

  pass(ms = LONG_MS): Promise<number> {
    this.scheduler.after(ms, 'world', () => undefined);
    return this.scheduler.run(this.scheduler.nowMs + ms);
  }
}

describe('ModelControlPlane', () => {
  it('tells every process of a change, each after a moment', async () => {
    const fleet = new Fleet();
    const one = fleet.start();
    const other = fleet.start();
    await fleet.pass();
    fleet.plane.set('B', true, 'repair');
    expect(one.watcher.isDraining('B')).toBe(false);
    await fleet.pass();
    fleet.plane.set('B', true);
    fleet.plane.set('B', false);
    await fleet.pass();
    const expected = [
      { cluster: 'B', draining: true, reason: 'repair' },
      { cluster: 'B', draining: false },
    ];
    expect(one.heard).toEqual(expected);
    expect(other.heard).toEqual(expected);
    expect(one.watcher.isDraining('A')).toBe(false);
  });

  it('leaves a process that hears nothing with what it knew, and tells it the latest afterwards', async () => {
    const fleet = new Fleet();
    const { watcher, heard } = fleet.start();
    fleet.plane.set('A', true);
    await fleet.pass();
    fleet.plane.beginPartition();
    fleet.plane.set('A', false);
    await fleet.pass();
    fleet.plane.set('B', true);
    fleet.plane.set('B', false);
    fleet.plane.set('B', true, 'again');
    expect(watcher.isDraining('A')).toBe(true);
    fleet.plane.endPartition();
    await fleet.pass();
    expect(heard).toEqual([
      { cluster: 'A', draining: true },
      { cluster: 'A', draining: false },
      { cluster: 'B', draining: true, reason: 'again' },
    ]);
  });

  it('ends a partition with the last that overlaps', async () => {
    const fleet = new Fleet();
    const { watcher } = fleet.start();
    fleet.plane.beginPartition();
    fleet.plane.beginPartition();
    fleet.plane.endPartition();
    fleet.plane.set('A', true);
    await fleet.pass();
    expect(watcher.isDraining('A')).toBe(false);
  });

  it('loses what is on its way when a partition begins', async () => {
    const fleet = new Fleet();
    const { watcher } = fleet.start();
    fleet.plane.set('A', true);
    fleet.plane.beginPartition();
    await fleet.pass();
    expect(watcher.isDraining('A')).toBe(false);
  });

  it('outlives a process: the next one begins with nobody draining and learns', async () => {
    const fleet = new Fleet();
    const first = fleet.start();
    await fleet.pass();
    first.kill();
    fleet.plane.set('A', true, 'repair');
    fleet.plane.set('A', true, 'said again');
    await fleet.pass();
    expect(first.heard).toEqual([]);
    const second = fleet.start();
    expect(second.watcher.isDraining('A')).toBe(false);
    await fleet.pass();
    expect(second.heard).toEqual([{ cluster: 'A', draining: true, reason: 'repair' }]);
  });

  it('takes a change from a process, in force there when the promise resolves', async () => {
    const fleet = new Fleet();
    const one = fleet.start();
    const other = fleet.start();
    let isDrainingThen: boolean | undefined;
    void one.watcher.setDrain('B', true, 'repair').then(() => (isDrainingThen = one.watcher.isDraining('B')));
    await fleet.pass();
    expect(isDrainingThen).toBe(true);
    expect(other.heard).toEqual([{ cluster: 'B', draining: true, reason: 'repair' }]);
  });

  it('takes no change while partitioned, and says so', async () => {
    const fleet = new Fleet();
    const { watcher } = fleet.start();
    fleet.plane.beginPartition();
    let error: unknown;
    watcher.setDrain('B', true).catch((thrown: unknown) => (error = thrown));
    await fleet.pass();
    expect(error).toMatchObject({ message: expect.stringContaining('nothing has changed') as string });
    fleet.plane.endPartition();
    await fleet.pass();
    expect(watcher.isDraining('B')).toBe(false);
  });

  it('answers for a change once it is heard of when the answer itself is lost', async () => {
    const fleet = new Fleet();
    const { watcher } = fleet.start();
    await fleet.pass();
    let isResolved = false;
    void watcher.setDrain('B', true).then(() => (isResolved = true));
    await fleet.scheduler.run(Infinity, () => fleet.plane.state('B').draining);
    fleet.plane.beginPartition();
    await fleet.pass();
    expect(isResolved).toBe(false);
    fleet.plane.endPartition();
    await fleet.pass();
    expect(isResolved).toBe(true);
  });
});

import { expect, it } from 'vitest';
import { FakeClock } from '../test/support/fake-clock.js';
import { BurstLog } from './helix.burst-log.js';

function setUp() {
  const clock = new FakeClock();
  const lines: string[] = [];
  return { clock, lines, log: new BurstLog(clock, (message) => lines.push(message)) };
}

it('says the first, and counts the others when the burst is over', async () => {
  const { clock, lines, log } = setUp();
  for (let i = 1; i <= 30; i++) log.add('A write is lost for cluster B', `, operation ${i}`);
  expect(lines).toEqual(['A write is lost for cluster B, operation 1']);
  await clock.advance(1_000);
  expect(lines.slice(1)).toEqual(['29 more: A write is lost for cluster B']);
  await clock.advance(60_000);
  expect(lines).toHaveLength(2);
  expect(clock.pendingTimers).toBe(0);
});

it('counts a burst that goes on every ten seconds, all kinds in one line', async () => {
  const { clock, lines, log } = setUp();
  for (let i = 0; i < 40; i++) {
    log.add('A write is lost for cluster A', '');
    log.add('A write is lost for cluster B', '');
    await clock.advance(500);
  }
  expect(lines).toEqual([
    'A write is lost for cluster A',
    'A write is lost for cluster B',
    '1 more: A write is lost for cluster A; 1 more: A write is lost for cluster B',
    '20 more: A write is lost for cluster A; 20 more: A write is lost for cluster B',
  ]);
});

it('says one in full again that comes when nothing was left to count', async () => {
  const { clock, lines, log } = setUp();
  log.add('lost', ' 1');
  await clock.advance(1_000);
  log.add('lost', ' 2');
  expect(lines).toEqual(['lost 1', 'lost 2']);
});

it('says at once what it has counted when it is flushed, and leaves no timer', () => {
  const { clock, lines, log } = setUp();
  for (let i = 1; i <= 1_235; i++) log.add('lost', ` ${i}`);
  log.flush();
  expect(lines).toEqual(['lost 1', '1,234 more: lost']);
  expect(clock.pendingTimers).toBe(0);
  log.flush();
  expect(lines).toHaveLength(2);
});

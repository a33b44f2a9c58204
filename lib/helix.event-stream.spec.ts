import { filter, firstValueFrom, map, Subject } from 'rxjs';
import { expect, it } from 'vitest';
import { EventStream } from './helix.event-stream.js';

function setUp() {
  const source = new Subject<number>();
  const errors: Error[] = [];
  return { source, errors, stream: new EventStream(source, (error) => errors.push(error)) };
}

const mistake = new TypeError('of a listener');
const throwIt = (): never => {
  throw mistake;
};

it('gives every listener what comes, until it unsubscribes', () => {
  const { source, stream } = setUp();
  const seen: number[] = [];
  const subscription = stream.subscribe((value) => seen.push(value));
  stream.subscribe({ next: (value) => seen.push(10 * value), complete: () => seen.push(-1) });
  source.next(1);
  subscription.unsubscribe();
  source.next(2);
  source.complete();
  expect(seen).toEqual([1, 10, 20, -1]);
});

it.each<[listener: string, subscribe: (stream: EventStream<number>) => unknown]>([
  ['a function', (stream) => stream.subscribe(throwIt)],
  ['an observer', (stream) => stream.subscribe({ next: throwIt })],
  ['an async function', (stream) => stream.subscribe((async () => throwIt()) as () => void)],
  [
    'a listener behind operators',
    (stream) =>
      stream
        .pipe(
          filter((value) => value > 0),
          map((value) => `${value}`),
        )
        .subscribe(throwIt),
  ],
  ['an operator', (stream) => stream.pipe(map(throwIt)).subscribe()],
  ['a listener of errors', (stream) => stream.pipe(map(throwIt)).subscribe({ error: throwIt })],
])('survives %s that throws, and so do the others', async (_, subscribe) => {
  const { source, errors, stream } = setUp();
  const seen: number[] = [];
  subscribe(stream);
  stream.subscribe((value) => seen.push(value));
  source.next(1);
  source.next(2);
  // rxjs would throw from a timer, and fail this test by that.
  await new Promise((resolve) => setTimeout(resolve));
  expect(seen).toEqual([1, 2]);
  expect(errors[0]).toBe(mistake);
});

it('leaves errors to a listener that wants them', () => {
  const { source, errors, stream } = setUp();
  const caught: unknown[] = [];
  stream.pipe(map(throwIt)).subscribe({ error: (error) => caught.push(error) });
  source.next(1);
  expect([caught, errors]).toEqual([[mistake], []]);
});

it('can be awaited', async () => {
  const { source, stream } = setUp();
  const second = firstValueFrom(stream.pipe(filter((value) => value === 2)));
  source.next(1);
  source.next(2);
  expect(await second).toBe(2);
});

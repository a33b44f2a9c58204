import { APPLIED, type Clock, delay, type Envelope, type SettledOutcome } from '../../lib/core/index.js';
import { FakeDriverError } from './fake-operations.js';

/**
 * `hangs`: answers nothing. When that ends, it applies what it was sent, or, if it is then down, has lost it.
 * `doubtful`: every answer is lost, every other write is applied all the same. `refuses`: takes no write at all.
 */
export type Weather = 'well' | 'down' | 'hangs' | 'doubtful' | 'refuses';

export interface Cell {
  readonly value: string;
  readonly timestampUs: number;
}

/** A cluster of one table that keeps, for every key, the cell with the highest write time, as Cassandra does. */
export class ModelCluster {
  readonly cells = new Map<string, Cell>();
  weather: Weather = 'well';
  readonly #hanging: ((weather: Weather) => void)[] = [];
  #doubts = 0;

  constructor(
    private readonly clock: Clock,
    private readonly latencyMs: number,
  ) {}

  change(weather: Weather): void {
    this.weather = weather;
    if (weather === 'hangs') return;
    for (const goOn of this.#hanging.splice(0)) goOn(weather);
  }

  async write(key: string, cell: Cell): Promise<void> {
    await delay(this.clock, this.latencyMs);
    switch (this.weather) {
      case 'down':
        throw new FakeDriverError('unreached');
      case 'refuses':
        throw new FakeDriverError('rejected');
      case 'doubtful':
        if (this.#doubts++ % 2 === 0) this.#apply(key, cell);
        throw new FakeDriverError('ambiguous');
      case 'hangs':
        if ((await this.#changed()) === 'down') throw new FakeDriverError('ambiguous');
        this.#apply(key, cell);
        return;
      case 'well':
        this.#apply(key, cell);
    }
  }

  async ping(): Promise<void> {
    await delay(this.clock, this.latencyMs);
    if (this.weather === 'down') throw new FakeDriverError('unreached');
    if (this.weather === 'hangs') await this.#changed();
  }

  /** As a replay target does it: never rejects, and answers within the time. */
  async replay({ statements, timestampUs }: Envelope, timeoutMs: number): Promise<SettledOutcome> {
    const [key, value] = JSON.parse(statements[0]?.text ?? '[]') as [string, string];
    const answered = this.write(key, { value, timestampUs }).then(
      (): SettledOutcome => APPLIED,
      (error: unknown): SettledOutcome => ({
        kind: (error as FakeDriverError).kind,
        error: error as FakeDriverError,
      }),
    );
    const late = delay(this.clock, timeoutMs).then((): SettledOutcome => ({
      kind: 'ambiguous',
      error: new FakeDriverError('ambiguous'),
    }));
    return Promise.race([answered, late]);
  }

  /** The weather that ends the hanging. */
  #changed(): Promise<Weather> {
    return new Promise((resolve) => this.#hanging.push(resolve));
  }

  #apply(key: string, cell: Cell): void {
    const present = this.cells.get(key);
    if (!present || present.timestampUs < cell.timestampUs) this.cells.set(key, cell);
  }
}

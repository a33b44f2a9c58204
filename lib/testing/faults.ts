import type { Clock, Timer } from '../core/index.js';
import type { FullDriver } from './driver.js';

/**
 * How a statement fails.
 *
 * | | applied | Helix calls it |
 * |---|---|---|
 * | `unreachable` | no | `unreached` |
 * | `unavailable` (too few replicas) | no | `unreached` |
 * | `connectionLost` (on the way there) | no | `ambiguous` |
 * | `answerLost` (on the way back) | yes | `ambiguous` |
 * | `writeTimeout`, `overloaded` | no | `ambiguous` |
 * | `invalid` | no | `rejected` |
 * | `unauthorized` | no | `rejected` |
 */
export type ClusterFailure =
  | 'unreachable'
  | 'unavailable'
  | 'connectionLost'
  | 'answerLost'
  | 'writeTimeout'
  | 'overloaded'
  | 'invalid'
  | 'unauthorized';

/** Statements by a part of their text, or by a regular expression. */
export type StatementPattern = string | RegExp;

export function matches(pattern: StatementPattern, cql: string): boolean {
  return typeof pattern === 'string' ? cql.includes(pattern) : cql.search(pattern) >= 0;
}

/** What is on its way to the cluster. */
interface Call<T> {
  /** Text of a statement of the application; `undefined` for what the driver and Helix ask by themselves. */
  readonly cql?: string | undefined;
  /** Part of preparing: its answer is never lost. */
  readonly isPreparing?: boolean;
  /** The driver gives up after so long; 0: never. */
  readonly timeoutMs: number;
  readonly run: () => T;
}

interface UnderWay {
  arrive(): void;
  fail(error: Error): void;
}

const RESPONSES: Readonly<Record<string, readonly [code: number, message: string]>> = {
  unavailable: [0x1000, 'Cannot achieve consistency level LOCAL_QUORUM'],
  overloaded: [0x1001, 'Too many requests'],
  writeTimeout: [0x1100, 'Server timeout during write query'],
  unauthorized: [0x2100, 'User has no MODIFY permission'],
  invalid: [0x2200, 'Refused by the test'],
};

/** The way to a cluster, which is where everything goes wrong. */
export class Faults {
  #state: 'up' | 'down' | 'hanging' = 'up';
  #latencyMs = 0;
  #losesAnswers = false;
  #refusals: { readonly pattern: StatementPattern; readonly failure: ClusterFailure | Error }[] = [];
  #next: (ClusterFailure | Error)[] = [];
  readonly #underWay = new Set<UnderWay>();
  readonly #held: UnderWay[] = [];

  constructor(
    private readonly driver: FullDriver,
    private readonly clock: Clock,
    private readonly host: string,
  ) {}

  get isDown(): boolean {
    return this.#state === 'down';
  }

  goDown(): void {
    this.#state = 'down';
    this.#held.length = 0;
    for (const call of [...this.#underWay]) call.fail(this.#connectionLost());
  }

  hang(): void {
    this.#state = 'hanging';
  }

  loseAnswers(): void {
    this.#losesAnswers = true;
  }

  slowDown(latencyMs: number): void {
    this.#latencyMs = latencyMs;
  }

  refuse(pattern: StatementPattern, failure: ClusterFailure | Error): void {
    this.#refusals.push({ pattern, failure });
  }

  failNext(failure: ClusterFailure | Error, times: number): void {
    for (let i = 0; i < times; i++) this.#next.push(failure);
  }

  comeBack(): void {
    this.#state = 'up';
    this.#losesAnswers = false;
    this.#latencyMs = 0;
    this.#refusals = [];
    this.#next = [];
    for (const call of this.#held.splice(0)) call.arrive();
  }

  /** What nobody will end any more ends now: what hangs is lost, and what is slow arrives. */
  stopWaiting(): void {
    this.#latencyMs = 0;
    if (this.#state === 'hanging') this.goDown();
    for (const call of [...this.#underWay]) call.arrive();
  }

  send<T>(call: Call<T>): Promise<T> {
    if (this.isDown) return Promise.reject(this.#unreachable());
    return new Promise<T>((resolve, reject) => {
      const timers: Timer[] = [];
      const end = (settle: () => void): void => {
        this.#underWay.delete(underWay);
        for (const timer of timers) timer.cancel();
        settle();
      };
      const underWay: UnderWay = {
        arrive: () => {
          if (this.#state === 'hanging') this.#held.push(underWay);
          else end(() => this.#answer(call, resolve, reject));
        },
        fail: (error) => end(() => reject(error)),
      };
      this.#underWay.add(underWay);
      if (call.timeoutMs > 0) {
        // What the driver gives up is still on its way.
        timers.push(this.clock.setTimer(() => reject(this.#timedOut(call.timeoutMs)), call.timeoutMs));
      }
      if (this.#latencyMs > 0) timers.push(this.clock.setTimer(() => underWay.arrive(), this.#latencyMs));
      else underWay.arrive();
    });
  }

  #answer<T>(call: Call<T>, resolve: (answer: T) => void, reject: (error: Error) => void): void {
    const failure = this.#failureOf(call);
    if (failure !== undefined && failure !== 'answerLost') {
      reject(this.#error(failure));
      return;
    }
    try {
      const answer = call.run();
      if (failure === 'answerLost') reject(this.#connectionLost());
      else resolve(answer);
    } catch (error) {
      reject(error as Error);
    }
  }

  #failureOf({ cql, isPreparing }: Call<unknown>): ClusterFailure | Error | undefined {
    if (cql !== undefined) {
      const refusal = this.#refusals.find(({ pattern }) => matches(pattern, cql));
      const failure = refusal?.failure ?? this.#next.shift();
      if (failure !== undefined) return failure;
    }
    return this.#losesAnswers && !isPreparing ? 'answerLost' : undefined;
  }

  #error(failure: Exclude<ClusterFailure, 'answerLost'> | Error): Error {
    if (failure instanceof Error) return failure;
    if (failure === 'unreachable') return this.#unreachable();
    const response = RESPONSES[failure];
    return response ? new this.driver.errors.ResponseError(...response) : this.#connectionLost();
  }

  #unreachable(): Error {
    return new this.driver.errors.NoHostAvailableError({});
  }

  #connectionLost(): Error {
    return Object.assign(new this.driver.errors.DriverError('Socket was closed'), { isSocketError: true });
  }

  #timedOut(timeoutMs: number): Error {
    const message = `The host ${this.host} did not reply before timeout ${timeoutMs} ms`;
    return new this.driver.errors.OperationTimedOutError(message);
  }
}

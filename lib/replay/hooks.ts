import { type Clock, type DeadLetterReason, type Envelope, errorLabel } from '../core/index.js';

/** What a user is told about single envelopes. A hook that throws or rejects is logged and changes nothing. */
export interface ReplayHooks {
  /** The envelope was applied. */
  onSuccess?(envelope: Envelope): void;
  /** An execution failed, whatever becomes of the envelope. */
  onError?(envelope: Envelope, error: Error): void;
  /** The envelope became a dead letter. */
  onDrop?(envelope: Envelope, reason: DeadLetterReason, error?: Error): void;
}

export type ReplayLog = (level: 'warn' | 'log', message: string) => void;

/** A broken hook fails for every envelope; one line a minute is enough to find it. */
const LOG_INTERVAL_MS = 60_000;

/** Calls the user's hooks so that nothing they do reaches the lane. */
export class SafeHooks {
  /** `undefined` if nobody wants to know, as is usual for what happens most. */
  readonly onSuccess: ((envelope: Envelope) => void) | undefined;
  readonly #hooks: ReplayHooks;
  readonly #clock: Clock;
  readonly #log: ReplayLog;
  #quietUntilMs = -Infinity;

  constructor(hooks: ReplayHooks, clock: Clock, log: ReplayLog) {
    this.#hooks = hooks;
    this.#clock = clock;
    this.#log = log;
    if (hooks.onSuccess) {
      this.onSuccess = (envelope) => this.#call('onSuccess', () => hooks.onSuccess?.(envelope));
    }
  }

  onError(envelope: Envelope, error: Error): void {
    if (this.#hooks.onError) this.#call('onError', () => this.#hooks.onError?.(envelope, error));
  }

  onDrop(envelope: Envelope, reason: DeadLetterReason, error: Error): void {
    if (this.#hooks.onDrop) this.#call('onDrop', () => this.#hooks.onDrop?.(envelope, reason, error));
  }

  #call(name: keyof ReplayHooks, hook: () => unknown): void {
    try {
      const result = hook();
      // An async function is a valid hook too, and its rejection would end the process.
      if (result !== undefined) Promise.resolve(result).catch((error: unknown) => this.#report(name, error));
    } catch (error) {
      this.#report(name, error);
    }
  }

  #report(name: keyof ReplayHooks, error: unknown): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + LOG_INTERVAL_MS;
    const label = error instanceof Error ? errorLabel(error) : typeof error;
    this.#log('warn', `Replay hook ${name} threw (${label}); replay goes on without it.`);
  }
}

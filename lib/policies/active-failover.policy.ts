import { FailoverPolicy } from '../core/index.js';

/** Always tries the other side, and never leaves a side out. */
export class ActiveFailover extends FailoverPolicy {
  override shouldFailover(): boolean {
    return true;
  }

  override recordSuccess(): void {
    // Keeps no history: every call stands for itself.
  }

  override recordFailure(): void {
    // Keeps no history: every call stands for itself.
  }

  override isAvailable(): boolean {
    return true;
  }
}

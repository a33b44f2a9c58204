import { type ClusterId, FailoverPolicy } from '../core/index.js';

/** Always tries the other side, and never leaves a side out. */
export class ActiveFailover extends FailoverPolicy {
  override shouldFailover(_cluster?: ClusterId, _error?: Error): boolean {
    return true;
  }

  override recordSuccess(_cluster?: ClusterId, _latencyMs?: number): void {
    // Keeps no history: every call stands for itself.
  }

  override recordFailure(_cluster?: ClusterId, _error?: Error): void {
    // Keeps no history: every call stands for itself.
  }

  override isAvailable(_cluster?: ClusterId): boolean {
    return true;
  }
}

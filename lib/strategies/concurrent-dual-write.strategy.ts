import { type Outcome, type SideWrite, WriteStrategy } from '../core/index.js';

/** Writes to both sides at once and waits for both. The default. */
export class ConcurrentDualWriteStrategy extends WriteStrategy {
  override readonly sendsBothAtOnce = true;

  override execute(a: SideWrite, b: SideWrite): Promise<readonly [Outcome, Outcome]> {
    return Promise.all([a.send(), b.send()]);
  }
}

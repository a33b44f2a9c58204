import { Injectable } from '@nestjs/common';
import { type ClusterId, FailoverPolicy } from 'nestjs-helix';

/**
 * What `ActiveFailover` does, and one thing more: a cluster without tables would refuse what it is
 * asked, so its writes go to the replay queue and it is read last.
 */
@Injectable()
export class SchemaPolicy extends FailoverPolicy {
  readonly #withoutTables = new Set<ClusterId>();

  setTables(cluster: ClusterId, exist: boolean): void {
    if (exist) this.#withoutTables.delete(cluster);
    else this.#withoutTables.add(cluster);
  }

  override isAvailable(cluster: ClusterId): boolean {
    return !this.#withoutTables.has(cluster);
  }

  override shouldFailover(): boolean {
    return true;
  }

  override recordSuccess(): void {
    // Keeps no history.
  }

  override recordFailure(): void {
    // Keeps no history.
  }
}

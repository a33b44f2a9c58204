import { Injectable } from '@nestjs/common';
import { CircuitBreaker, type ClusterId } from 'nestjs-helix';

/**
 * The default policy, and one thing more: a cluster without tables would refuse what it is asked, so its writes go to
 * the replay queue and it is read last.
 */
@Injectable()
export class SchemaPolicy extends CircuitBreaker {
  readonly #withoutTables = new Set<ClusterId>();

  setTables(cluster: ClusterId, exist: boolean): void {
    if (exist) this.#withoutTables.delete(cluster);
    else this.#withoutTables.add(cluster);
  }

  override isAvailable(cluster: ClusterId): boolean {
    return super.isAvailable(cluster) && !this.#withoutTables.has(cluster);
  }
}

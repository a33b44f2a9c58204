import type { ClusterId } from '../core/index.js';
import type { CqlClientResult } from './cql-client.js';
import type { PageSource } from './cql-iter.js';
import type { AnsweredPage } from './cql-read.js';

const NONE: CqlClientResult = { rows: undefined, pageState: null };

/** What the clusters said to a write, for the calls that show more than the receipt. */
export class WriteAnswers {
  readonly #results: Partial<Record<ClusterId, CqlClientResult>> = {};

  add(cluster: ClusterId, result: CqlClientResult): void {
    this.#results[cluster] = result;
  }

  /** The answer of one cluster, A's if there is one, with the warnings of both. */
  page(): AnsweredPage {
    const { A, B } = this.#results;
    const warnings = new Set([...(A?.info?.warnings ?? []), ...(B?.info?.warnings ?? [])]);
    const result = A ?? B ?? NONE;
    const info = { ...result.info, warnings: warnings.size > 0 ? [...warnings] : undefined };
    return { cluster: A || !B ? 'A' : 'B', result: { ...result, info } };
  }
}

/** What a write was answered with, as the only page of an iteration. */
export class WrittenPage implements PageSource {
  constructor(private readonly page: Promise<AnsweredPage>) {
    // Where it is iterated is where its failure shows.
    page.catch(() => undefined);
  }

  firstRows(): Promise<AnsweredPage> {
    return this.page;
  }

  after(): undefined {
    return undefined;
  }

  stateAfter(): undefined {
    return undefined;
  }

  checkWanted(): void {
    // It has been written.
  }
}

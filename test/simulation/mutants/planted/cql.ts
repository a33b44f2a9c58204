import type { Mutant } from '../mutant.js';

export const mutants: readonly Mutant[] = [
  {
    name: 'cql-all-keeps-rows-of-failed-side',
    breaks:
      'all() starts over on the other cluster if one fails, so that no row is repeated. ' +
      'Here the rows are kept with the read, not with the attempt: those of the pages before the failure come twice.',
    changes: [
      {
        replace: `
          export class CqlAllRead extends CqlRead<CqlClientRow[]> {
            override async attempt(cluster: ClusterId, onProgress: () => boolean): Promise<CqlClientRow[]> {
              let result = await this.page(cluster);
              const rows = [...(result.rows ?? [])];`,
        by: `
          export class CqlAllRead extends CqlRead<CqlClientRow[]> {
            readonly #rows: CqlClientRow[] = [];

            override async attempt(cluster: ClusterId, onProgress: () => boolean): Promise<CqlClientRow[]> {
              let result = await this.page(cluster);
              const rows = this.#rows;
              rows.push(...(result.rows ?? []));`,
      },
    ],
  },
  {
    name: 'cql-batch-add-keeps-callers-parameters',
    breaks:
      'batch.add() copies the parameters. ' +
      'Here it holds the array or object of the caller, and exec() writes what is in it by then.',
    changes: [
      {
        replace: `this.#items.push({ statement, params: snapshot(params) });`,
        by: `this.#items.push({ statement, params });`,
      },
    ],
  },
  {
    name: 'cql-batch-is-retried-by-driver',
    breaks:
      'In the foreground a write is sent once to each cluster, whatever retry policy is configured. ' +
      "Here the driver's own policy decides about batches, and may send them again.",
    changes: [
      {
        replace: `
          counter: kind === 'counter',
          retry: this.#retryPolicy,`,
        by: `
          counter: kind === 'counter',`,
      },
    ],
  },
  {
    name: 'cql-batch-of-partitions-is-single',
    breaks:
      'Unavailable means that nothing was applied for a single partition only; a batch of several may be partly applied. ' +
      'Here a batch counts as single if each of its statements is, and the error says notApplied of what is in doubt.',
    changes: [
      {
        replace: `return this.items.length === 1 && this.items[0]?.statement.facts.multiPartitionPossible === false;`,
        by: `return this.items.every(({ statement }) => !statement.facts.multiPartitionPossible);`,
      },
    ],
  },
  {
    name: 'cql-blob-is-callers-buffer',
    breaks:
      "A write's bytes are those of the call, however long it waits in the queue. " +
      "Here a blob is the caller's own buffer: what the caller puts into it later is what is replayed.",
    changes: [
      {
        replace: `return encoded === value ? Buffer.from(value as Buffer) : encoded;`,
        by: `return encoded;`,
      },
    ],
  },
  {
    name: 'cql-bound-by-is-always-a',
    specs: 'cql/cql-query.spec.ts',
    breaks:
      'ClusterError names the cluster whose type a parameter does not fit. ' +
      'Here it is always A, also when B alone has prepared the statement and A was never reached.',
    changes: [{ replace: `const cluster = types?.cluster ?? 'A';`, by: `const cluster = 'A';` }],
  },
  {
    name: 'cql-decorator-consistency-wins-in-reads',
    breaks:
      'What a query sets by itself wins over its decorated method. ' +
      "Here the method's consistency wins over that of a read.",
    changes: [
      {
        replace: `consistency: consistency ?? caller?.settings.consistency,`,
        by: `consistency: caller?.settings.consistency ?? consistency,`,
      },
    ],
  },
  {
    name: 'cql-envelope-forgets-inherited-consistency',
    breaks:
      'An envelope is the operation as it was sent. ' +
      "Here it has the cluster's consistency where the decorated method had set another one, and is replayed with that.",
    changes: [
      {
        replace: `consistency: this.consistency ?? session.consistency,`,
        by: `consistency: this.own.consistency ?? session.consistency,`,
      },
    ],
  },
  {
    name: 'cql-envelope-of-the-other-session',
    breaks:
      'An envelope is stamped with what its own cluster has by default. ' +
      "Here that of B has A's keyspace and consistency.",
    changes: [
      {
        replace: `
          override envelope(cluster: ClusterId): Envelope {
            const session = this.session(cluster);`,
        by: `
          override envelope(cluster: ClusterId): Envelope {
            const session = this.session('A');`,
      },
    ],
  },
  {
    name: 'cql-execute-serial-consistency-is-the-other',
    breaks:
      'execute() takes consistency and serialConsistency, each for what it is. ' +
      'Here serialConsistency is set as the consistency of the statement, and there is no serial one.',
    changes: [
      {
        replace: `query.serialConsistency(consistencyCode(serialConsistency, 'execute(): serialConsistency'));`,
        by: `query.consistency(consistencyCode(serialConsistency, 'execute(): serialConsistency'));`,
      },
    ],
  },
  {
    name: 'cql-iter-tells-page-when-it-is-over',
    specs: 'cql/cql-iter.spec.ts',
    breaks:
      "An iterator's pageState, warnings, columns and rowCount are those of the page whose rows it yields. " +
      'Here they are those of the page before: who goes on from that state gets the current rows again.',
    changes: [
      {
        replace: `
          onPage?.(page);
          for (const row of page.result.rows ?? []) {
            source.checkWanted(rowsDelivered);
            rowsDelivered++;
            yield row;
          }`,
        by: `
          for (const row of page.result.rows ?? []) {
            source.checkWanted(rowsDelivered);
            rowsDelivered++;
            yield row;
          }
          onPage?.(page);`,
      },
    ],
  },
  {
    name: 'cql-next-page-of-limited-call-is-anywhere',
    breaks:
      'All pages of an iteration come from the cluster that answered with the first. ' +
      'Here the side that the call has named wins, which is undefined: with a time limit, a signal or a decorated ' +
      'method the next page, with its state, is asked of whichever side is chosen, and fails over.',
    changes: [
      {
        replace: `return this.context.readPath.run(read, { ...this.call, cluster }).then(`,
        by: `return this.context.readPath.run(read, { cluster, ...this.call }).then(`,
      },
    ],
  },
  {
    name: 'cql-page-state-of-masked-text',
    specs: 'cql/page-state.spec.ts',
    breaks:
      'A page state of another statement throws PageStateError. ' +
      'Here it is bound to the text with its literals masked: one that differs in a literal only is resumed, and ' +
      'answers with wrong rows.',
    changes: [
      { replace: `{ text }: PageStateStatement,`, by: `{ facts: { masked: text } }: PageStateStatement,` },
      {
        replace: `if (!digest(owner, cluster, text).equals(content.subarray(DIGEST_AT, STATE_AT))) {`,
        by: `if (!digest(owner, cluster, facts.masked).equals(content.subarray(DIGEST_AT, STATE_AT))) {`,
      },
    ],
  },
  {
    name: 'cql-prepare-refusal-becomes-timeout',
    specs: 'cql/cql-query.spec.ts',
    breaks:
      'What goes wrong while preparing is the outcome of that side: a refused text throws ClusterError. ' +
      'Here, if no side could prepare it, both are said to have been too slow, and the write may be tried again.',
    changes: [
      {
        replace: `
          errors[cluster] ??= timeoutError(
            \`Cluster \${cluster} did not prepare`,
        by: `
          errors[cluster] = timeoutError(
            \`Cluster \${cluster} did not prepare`,
      },
    ],
  },
  {
    name: 'cql-prepare-waits-whole-time-for-both',
    specs: 'cql/cql-query.spec.ts',
    breaks:
      'A cluster that hangs while a statement is prepared must not use up the time of one that is well. ' +
      'Here the whole time is waited for both, and half of it again, before the first use of a statement is sent.',
    changes: [
      {
        replace: `await resolvesWithin(clock, timeoutMs, Promise.race([first, all]));`,
        by: `await resolvesWithin(clock, timeoutMs, all);`,
      },
    ],
  },
  {
    name: 'cql-replayed-null-is-unset',
    breaks:
      'Replay applies the same bytes as the first attempt. ' +
      'Here a null is replayed as unset: the cluster that had missed the write keeps the old value.',
    changes: [
      {
        replace: `if (value === undefined) return this.session.unset;`,
        by: `if (value === undefined || value === null) return this.session.unset;`,
      },
    ],
  },
  {
    name: 'cql-warnings-of-one-side-only',
    specs: 'cql/execute.spec.ts',
    breaks:
      'The warnings of a write are those of both clusters. ' +
      "Here they are those of the answer that is shown: B's are lost when A has answered.",
    changes: [
      {
        replace: `
          const warnings = new Set([...(A?.info?.warnings ?? []), ...(B?.info?.warnings ?? [])]);
          const result = A ?? B ?? NONE;`,
        by: `
          const result = A ?? B ?? NONE;
          const warnings = new Set(result.info?.warnings ?? []);`,
      },
    ],
  },
];

import type { Mutant } from '../mutant.js';

/** Of UNPREPARED, types and schema changes. */
export const mutants: readonly Mutant[] = [
  {
    name: 'cql-types-prepared-by-the-driver',
    breaks:
      "Helix executes by ids and types of its own, which the driver does not know, so that it never prepares them again by itself. Here the driver looks up its own, heals UNPREPARED behind one's back, and sends the bytes of before.",
    changes: [
      { replace: `metadata.getPreparedInfo = lookUp;`, by: `void lookUp;` },
      { replace: `await this.#requests.check();`, by: `` },
    ],
  },
  {
    name: 'cql-types-trusted-with-the-id',
    breaks:
      'That an id is accepted says nothing of the types behind it: whatever may have changed a schema has every statement prepared afresh. Here nothing has but UNPREPARED.',
    changes: [
      {
        replace: `this.#endWatch = watchSchema(client, (change) => this.#views.expire(change));`,
        by: `this.#endWatch = watchSchema(client, () => undefined);`,
      },
      { replace: `renewSchema(): void { this.#views.expire({}); }`, by: `renewSchema(): void {}` },
    ],
  },
  {
    name: 'cql-types-events-unheard',
    breaks:
      'A schema change event has the statements of its keyspace prepared afresh. Here it is not listened to.',
    changes: [
      {
        replace: `listener({ keyspace, table: table ?? undefined });`,
        by: `void [keyspace, table];`,
      },
    ],
  },
  {
    name: 'cql-types-bound-are-not-compared',
    breaks:
      'What a write was encoded for is compared with the types of now before each send. Here it is enough that the statement is known: who waited while another had it prepared again sends the bytes of before.',
    changes: [
      {
        replace: `return this.types === this.statement.types && this.statement.isReadyOn(cluster);`,
        by: `return this.statement.isReadyOn(cluster);`,
      },
    ],
  },
  {
    name: 'cql-types-bound-once',
    breaks:
      'When the types have changed, a write is encoded again. Here it is prepared again, and the bytes stay.',
    changes: [
      { replace: `if (this.types === statement.types) return;`, by: `if (this.types !== undefined) return;` },
      {
        replace: `return this.types === this.statement.types && this.statement.isReadyOn(cluster);`,
        by: `return this.statement.isReadyOn(cluster);`,
      },
    ],
  },
  {
    name: 'cql-types-bound-again-to-old-values',
    breaks:
      'When the types have changed, a write is encoded again. Here its bytes are those of before, under the new types.',
    changes: [
      { replace: `return this.bind(params); } catch (cause)`, by: `return [...values]; } catch (cause)` },
    ],
  },
  {
    name: 'cql-types-not-in-the-name',
    breaks:
      'The name that a statement is prepared under spells its types, so that no process that knows others makes its id valid again. Here it does not.',
    changes: [
      {
        replace: `await this.#askAll(\`\${text} \${MARK} \${digest(signature)} */\`, signature);`,
        by: `(digest(signature), await this.#askAll(\`\${text} \${MARK} */\`, signature));`,
      },
    ],
  },
  {
    name: 'cql-types-on-both-renews-nothing',
    specs: 'cql/statement.spec.ts',
    breaks:
      'onBoth() has every statement prepared afresh, whatever its answer is. Here only events do, which may get lost.',
    changes: [
      {
        replace: `// Also of a change that has failed: its answer may have been lost. session.renewSchema();`,
        by: ``,
      },
    ],
  },
  {
    name: 'cql-types-reconnect-renews-nothing',
    specs: 'cql/driver/schema-watch.spec.ts',
    breaks:
      'What changed while the control connection was away was not heard: a new one has every statement prepared afresh. Here it does not.',
    changes: [
      { replace: `// What changed until now was not heard. for (const each of listeners) each();`, by: `` },
    ],
  },
  {
    name: 'cql-types-schema-version-is-ignored',
    breaks:
      'A ping that tells another schema version has every statement prepared afresh: events may have been lost. Here it does not.',
    changes: [{ replace: `if (version !== this.#schemaVersion) this.renewSchema();`, by: `` }],
  },
  {
    name: 'cql-types-judgement-is-kept',
    breaks:
      'A statement is judged again whenever it is prepared again. Here the first judgement stays, and a document is written to a table that has got a list.',
    changes: [
      {
        replace: `const judgement = await this.#judge(session, prepared);`,
        by: `const judgement = this.#known[session.cluster]?.judgement ?? (await this.#judge(session, prepared));`,
      },
    ],
  },
  {
    name: 'cql-types-unknown-table-is-a-hazard',
    breaks:
      'Not knowing is no refusal: a side that cannot be asked for a table is not reached. Here the write is refused for good.',
    changes: [
      {
        replace: `if (!others) throw new Error(\`\${what}, so that`,
        by: `if (!others) throw new SchemaMismatchError(\`\${what}, so that`,
      },
    ],
  },
  {
    name: 'cql-types-document-is-a-hazard',
    breaks: 'A document is refused where the table has a list. Here it is refused for its words.',
    changes: [
      {
        replace: `if (typeof columns === 'string') return 'unknown';`,
        by: `if (columns === 'all') return { hazard: 'list', column: '' }; if (typeof columns === 'string') return 'unknown';`,
      },
    ],
  },
  {
    name: 'cql-types-replay-compares-nothing',
    breaks:
      'Replay sends bytes only to the types that they were encoded for. Here it sends them whatever the types are.',
    changes: [
      {
        replace: `if (await statement.takes(this.session.cluster, signature)) return;`,
        by: `await statement.takes(this.session.cluster, signature); if (signature !== '') return;`,
      },
    ],
  },
  {
    name: 'cql-types-further-field-is-dropped',
    breaks:
      "Where only one side's UDT has a field, a value that sets it is refused. Here it is stored without it.",
    changes: [
      { replace: `if (further) throw this.#mismatch(`, by: `if (further === null) throw this.#mismatch(` },
    ],
  },
  {
    name: 'cql-unprepared-is-final',
    breaks:
      'UNPREPARED means that nothing was executed: the statement is prepared again and the write is sent once more. Here its side has failed.',
    changes: [
      {
        replace: `if (!isUnprepared(error)) return false; this.forget(cluster); return true;`,
        by: `if (isUnprepared(error)) this.forget(cluster); return false;`,
      },
    ],
  },
  {
    name: 'cql-unprepared-is-sent-on-and-on',
    breaks:
      'A write is sent once more after UNPREPARED, and no oftener. Here as often as the answer is that.',
    changes: [
      {
        replace: `if (this.#state & mark || !this.wasSent(cluster) || !this.mustPrepareAgain(error, cluster))`,
        by: `if (!this.wasSent(cluster) || !this.mustPrepareAgain(error, cluster))`,
      },
    ],
  },
  {
    name: 'cql-unprepared-stays-sent',
    breaks:
      'What was answered by UNPREPARED was not sent: if its time is over before it is sent once more, it is certain that it was not applied. Here it is in doubt.',
    changes: [
      {
        replace: `this.#state = (this.#state | mark) & ~(cluster === 'A' ? SENT.A : SENT.B);`,
        by: `this.#state |= mark;`,
      },
    ],
  },
  {
    name: 'cql-unprepared-batch-forgets-one',
    breaks:
      'UNPREPARED names one statement of a batch; the others may be gone as well, so all are prepared again. Here only the first is.',
    changes: [
      {
        replace: `for (const item of this.items) item.forget(cluster);`,
        by: `this.items[0]?.forget(cluster);`,
      },
    ],
  },
  {
    name: 'cql-unprepared-forgets-nothing',
    breaks: 'After UNPREPARED a statement is prepared again. Here it is sent once more by the same id.',
    changes: [
      {
        replace: `if (!isUnprepared(error)) return false; this.forget(cluster); return true;`,
        by: `return isUnprepared(error);`,
      },
    ],
  },
];

/** An application that writes as fast as it can until SIGTERM, and notes every receipt and loss in a file. */
import 'reflect-metadata';
import { openSync, writeSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import { HelixCqlService, HelixModule, isHelixError } from '../../../lib/index.js';

interface Settings {
  readonly A: { contactPoints: string[]; localDataCenter: string; protocolOptions: object; keyspace: string };
  readonly B: Settings['A'];
}

// A file takes every line at once; a pipe may say EAGAIN.
const notes = openSync(process.argv[3] ?? '/dev/stdout', 'a');
const report = (line: object): void => {
  writeSync(notes, `${JSON.stringify(line)}\n`);
};
const { A, B } = JSON.parse(process.argv[2] ?? '{}') as Settings;

const app = await NestFactory.createApplicationContext(
  HelixModule.forRoot({
    cql: { A, B },
    writeTimeoutMs: 500,
    shutdownTimeoutMs: 4_000,
    onReplayDropped: ({ operationId, cluster }) => report({ dropped: operationId, cluster }),
  }),
  { logger: false },
);
app.enableShutdownHooks();
const cql = app.get(HelixCqlService);

let next = 0;
const write = async (): Promise<void> => {
  for (;;) {
    const id = next++;
    try {
      const receipt = await cql.query('INSERT INTO users (id, name) VALUES (?, ?)', [id, `n${id}`]).exec();
      report({ acknowledged: receipt.id, row: id, A: receipt.A, B: receipt.B });
    } catch (error) {
      report({ refused: isHelixError(error) ? error.code : 'unknown', row: id });
      return;
    }
  }
};
await Promise.all(Array.from({ length: 32 }, write));

/** An application that begins a write every 5 ms, with every default, and notes each receipt and replay before it goes on. */
import 'reflect-metadata';
import { openSync, writeSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import { HelixCqlService, HelixModule, type HelixModuleOptions } from '../../../lib/index.js';
import { SteadyLoad } from '../hard-times/steady-load.js';

const [, , clusters = '{}', path = '/dev/stdout', table = ''] = process.argv;
const notes = openSync(path, 'a');
const note = (line: object): void => {
  writeSync(notes, `${JSON.stringify(line)}\n`);
};

const app = await NestFactory.createApplicationContext(
  HelixModule.forRoot({
    cql: JSON.parse(clusters) as HelixModuleOptions['cql'],
    connect: 'both',
    replayWorker: { onSuccess: ({ operationId, cluster }) => note({ replayed: operationId, cluster }) },
  }),
  { logger: false },
);
const cql = app.get(HelixCqlService);
const insert = `INSERT INTO ${table} (id, name) VALUES (?, ?)`;
new SteadyLoad({ callsPerS: 200 }, async (row) => {
  const receipt = await cql.query(insert, [row, `name ${row}`]).exec();
  note({ receipt, row });
  return receipt;
});

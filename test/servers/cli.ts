import { inspect } from 'node:util';
import { startServers, type Server } from './index.js';

const unasked = { cassandra: 2, postgres: 2, nats: 1 };
const all = { ...unasked, threeNodes: 2 };
const kinds = Object.keys(all) as (keyof typeof all)[];
const args = process.argv.slice(2);
const unknown = args.filter((arg) => !kinds.some((kind) => kind === arg));
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. Usage: npm run servers [-- ${kinds.join(' ')}]`);
  process.exit(2);
}
const wanted = kinds.filter((kind) => (args.length === 0 ? kind in unasked : args.includes(kind)));

console.log(`Starting ${wanted.map((kind) => `${all[kind]} × ${kind}`).join(', ')} …`);
const servers = await startServers(Object.fromEntries(wanted.map((kind) => [kind, all[kind]])));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    console.log('\nStopping …');
    void servers.stop();
  });
}

const row = ({ name, host, port, pid }: Server, connection: string) =>
  [name.padEnd(17), `${host}:${port}`.padEnd(22), String(pid).padEnd(9), connection].join('');
console.log(
  [
    ['SERVER'.padEnd(17), 'ADDRESS'.padEnd(22), 'PID'.padEnd(9), 'CONNECT WITH'].join(''),
    ...servers.cassandra.map((each) => row(each, inspect(each.clientOptions, { breakLength: Infinity }))),
    ...servers.threeNodes.flatMap(({ nodes, clientOptions }) =>
      nodes.map((each) => row(each, inspect(clientOptions, { breakLength: Infinity }))),
    ),
    ...servers.postgres.map((each) => row(each, each.url)),
    ...servers.nats.map((each) => row(each, each.url)),
    '',
    'Ctrl-C stops them all and removes their data.',
  ].join('\n'),
);

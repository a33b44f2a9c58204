import cassandra from 'cassandra-driver';
import type { CqlClient } from 'nestjs-helix';
import { readOne, write, writeToBoth } from './by-hand.js';
import type { Comparison, Operation } from './harness.js';
import { bootHelix } from './helix-app.js';
import { cycle } from './parameters.js';
import { startStub, type Stub } from './stub.js';
import { insertText, selectText, USERS } from './tables.js';

const IN_FLIGHT = 64;

type Opened = Awaited<ReturnType<typeof bootHelix>>;

interface Sides {
  /** Calls as written by hand, on clients that Helix knows nothing of. */
  readonly handWritten: (a: CqlClient, b: CqlClient) => Operation;
  readonly helix: (helix: Opened['helix']) => Operation;
  readonly isSingle?: boolean;
  readonly sharedToken?: boolean;
}

function comparison(
  name: string,
  { handWritten, helix, isSingle = false, sharedToken = false }: Sides,
): Comparison {
  return {
    name: `stubs/${name}`,
    group: 'stubs',
    inFlight: IN_FLIGHT,
    open: async () => {
      const stubs = await Promise.all([startStub(), startStub()]);
      const [a, b] = stubs.map(connectable);
      const [stubA, stubB] = stubs;
      await Promise.all([a!.connect(), b!.connect()]);
      const cql = isSingle
        ? { A: stubA.clientOptions }
        : { A: stubA.clientOptions, B: stubB.clientOptions, sharedToken };
      const booted = await bootHelix(cql);
      return {
        handWritten: handWritten(a!, b!),
        helix: helix(booted.helix),
        close: async () => {
          await Promise.all([booted.close(), a!.shutdown(), b!.shutdown()]);
          await Promise.all(stubs.map((stub) => stub.stop()));
        },
      };
    },
  };
}

function connectable(stub: Stub): CqlClient {
  return new cassandra.Client(stub.clientOptions) as unknown as CqlClient;
}

const INSERT = insertText(USERS);
const SELECT = selectText(USERS);
const key = (index: number): unknown[] => USERS.row(index).slice(0, 1);

const DUAL: Sides = {
  handWritten: (a, b) => {
    const rows = cycle(USERS.row);
    return () => writeToBoth(a, b, INSERT, rows());
  },
  helix: (helix) => {
    const rows = cycle(USERS.row);
    return () => helix.query(INSERT, rows()).exec();
  },
};

/** The real driver against servers that cost nothing: what a user pays per call on the client. */
export const onStubs: readonly Comparison[] = [
  comparison('single', {
    isSingle: true,
    handWritten: (a) => {
      const rows = cycle(USERS.row);
      return () => write(a, INSERT, rows());
    },
    helix: (helix) => {
      const rows = cycle(USERS.row);
      return () => helix.query(INSERT, rows()).exec();
    },
  }),
  comparison('dual', DUAL),
  comparison('dual-shared-token', { ...DUAL, sharedToken: true }),
  comparison('read', {
    handWritten: (a) => {
      const keys = cycle(key);
      return () => readOne(a, SELECT, keys());
    },
    helix: (helix) => {
      const keys = cycle(key);
      return () => helix.query(SELECT, keys()).one();
    },
  }),
];

import { readOne, write, writeToBoth } from './by-hand.js';
import { EncodingFakeClient, FakeClient } from './fake-client.js';
import type { Comparison, Pair } from './harness.js';
import { bootHelix } from './helix-app.js';
import { cycle } from './parameters.js';
import { insertText, selectText, USERS } from './tables.js';

type MakeFake = () => FakeClient;

const constant: MakeFake = () => new FakeClient();
const encoding: MakeFake = () => new EncodingFakeClient();
/** Nothing to encode: what is left is the glue alone. */
const nothing = (index: number): unknown[] => USERS.row(index).map(() => null);
const withRow: MakeFake = () => new FakeClient({ rows: [{ values: () => USERS.row(0) }], pageState: null });

async function openSingle(makeFake: MakeFake, row = USERS.row): Promise<Pair> {
  const { helix, close } = await bootHelix({ A: makeFake() });
  const bare = makeFake();
  const text = insertText(USERS);
  const [rows, sameRows] = [cycle(row), cycle(row)];
  return {
    handWritten: () => write(bare, text, rows()),
    helix: () => helix.query(text, sameRows()).exec(),
    close,
  };
}

async function openDual(makeFake: MakeFake, row = USERS.row): Promise<Pair> {
  const { helix, close } = await bootHelix({ A: makeFake(), B: makeFake() });
  const [a, b] = [makeFake(), makeFake()];
  const text = insertText(USERS);
  const [rows, sameRows] = [cycle(row), cycle(row)];
  return {
    handWritten: () => writeToBoth(a, b, text, rows()),
    helix: () => helix.query(text, sameRows()).exec(),
    close,
  };
}

async function openRead(): Promise<Pair> {
  const { helix, close } = await bootHelix({ A: withRow(), B: withRow() });
  const bare = withRow();
  const text = selectText(USERS);
  const key = (index: number): unknown[] => USERS.row(index).slice(0, 1);
  const [keys, sameKeys] = [cycle(key), cycle(key)];
  return {
    handWritten: () => readOne(bare, text, keys()),
    helix: () => helix.query(text, sameKeys()).one(),
    close,
  };
}

function comparison(name: string, inFlight: number, open: () => Promise<Pair>): Comparison {
  return { name: `fakes/${name}`, group: 'fakes', inFlight, open };
}

/**
 * Clients that answer at once: all that is left is what lies around the driver. A constant fake ignores
 * parameters, which a driver would encode: there Helix's encoding is work that the other side does not do.
 */
export const onFakes: readonly Comparison[] = [
  comparison('single', 1, () => openSingle(constant)),
  comparison('single-64', 64, () => openSingle(constant)),
  comparison('single-glue', 1, () => openSingle(constant, nothing)),
  comparison('single-encoding', 1, () => openSingle(encoding)),
  comparison('dual', 1, () => openDual(constant)),
  comparison('dual-64', 64, () => openDual(constant)),
  comparison('dual-glue', 1, () => openDual(constant, nothing)),
  comparison('dual-encoding', 1, () => openDual(encoding)),
  comparison('read', 1, openRead),
  comparison('read-64', 64, openRead),
];

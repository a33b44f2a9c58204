import type { SchemaChange, Step } from '../history.js';
import type { Scenario } from '../scenario.js';
import { Script } from './building-blocks.js';
import { Course } from './course.js';

const ROUNDS = 8;
const ROUND_MS = 2_000;
const FIRST_MS = 300;
/** After all else, when everybody knows everything. */
const LAST_MS = FIRST_MS + ROUNDS * ROUND_MS + 1_000;

type Round = (script: Script, atMs: number, change: SchemaChange) => void;

/** A schema changes, and a process that knows less makes the old ids valid again, as a rule after it was heard. */
export const schemaChanges: Scenario = {
  name: 'schema-changes',
  about:
    'Types change under load, the ids of before become valid again, and events get lost: no value is stored that was encoded for other types, and what was not executed is prepared again and sent once more.',

  history(seed) {
    const script = new Script(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const atMs = FIRST_MS + round * ROUND_MS;
      const number = { of: 'number', to: script.pick('int', 'float', 'bigint', 'double') } as const;
      const further = { of: 'further field', isThere: script.random.chance(0.6) } as const;
      const list = { of: 'list', isThere: script.random.chance(0.6) } as const;
      load(script, atMs - 100, atMs + 900);
      script.random.pick<Round>([heard, heard, byOnBoth, lost, whileAway, restarted])(
        script,
        atMs,
        script.random.pick<SchemaChange>([number, number, further, list]),
      );
    }
    for (let count = 0; count < 5; count++) script.write(LAST_MS, 'last', typed('n', 0));
    const history = script.history({
      surface: 'cql',
      policy: script.pick('active', 'breaker'),
      queue: script.pick('memory', 'encoding'),
      writeStrategy: script.pick('concurrent', 'A first', 'B first'),
    });
    return history;
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
    const writes = [...outcome.ledger.writes.values()];
    const again = writes.filter(({ A, B }) => A.unprepared + B.unprepared > 0);
    course.must('ids are gone', again.length > 0, () => 'nothing was ever answered by UNPREPARED');
    course.mustAll('what knows everything is applied', course.writes('last'), ({ A, B }) => {
      return A.isThere && B.isThere;
    });
    return course.violations;
  },
};

/** Heard of at once; the ids of before are valid again only then. */
const heard: Round = (script, atMs, change) => {
  script.add(step(atMs, change, ['A', 'B'], script.random.int(10, 60)));
};

const byOnBoth: Round = (script, atMs, change) => {
  const share = script.pick(0, 0.5, 0.5);
  if (share > 0) {
    for (const cluster of ['A', 'B'] as const) {
      script.fault(cluster, { kind: 'answers lost', share }, atMs - 1, atMs + 60);
    }
  }
  script.add(step(atMs, change, 'onBoth', script.random.int(40, 80)));
};

/** Events get lost; what is wrong makes somebody ask for a sign of life, which tells the version of the schema. */
const lost: Round = (script, atMs, change) => {
  for (const cluster of ['A', 'B'] as const) {
    script.fault(cluster, { kind: 'answers lost', share: 1 }, atMs - 1, atMs + 200);
  }
  script.add(step(atMs, change, ['A', 'B'], script.random.int(450, 700)));
};

/** The connection is away, and not because the host is. */
const whileAway: Round = (script, atMs, change) => {
  for (const cluster of ['A', 'B'] as const) script.fault(cluster, { kind: 'disconnect' }, atMs - 3, atMs - 2);
  script.add(step(atMs, change, ['A', 'B'], script.random.int(0, 400)));
};

/** Its ids come back with it. */
const restarted: Round = (script, atMs, change) => {
  const cluster = script.pick('A', 'B');
  script.fault(cluster, { kind: 'partition', thenReset: script.random.chance(0.5) }, atMs - 10, atMs + 5);
  script.fault(cluster, { kind: 'crash', losesMs: 0 }, atMs + 5, atMs + 100);
  script.add(step(atMs, change, ['A', 'B'], script.random.int(100, 200)));
};

function step(atMs: number, change: SchemaChange, by: 'onBoth' | readonly ('A' | 'B')[], afterMs: number): Step {
  return { atMs, do: 'schema change', change, by, preparedAgain: { as: 'Helix as before', afterMs } };
}

/** Of few texts, each of them used often. */
function load(script: Script, fromMs: number, toMs: number): void {
  const { random } = script;
  for (let atMs = fromMs; atMs < toMs; atMs += random.int(1, 20)) {
    if (random.chance(0.2)) script.read(atMs, 'read');
    else script.write(atMs, 'write', typed(script.pick('n', 'n', 'u', 'document'), random.int(0, 1)));
  }
}

function typed(what: 'n' | 'u' | 'document', style: number): Parameters<Script['write']>[2] {
  if (what === 'document') return { style: 3, change: { kind: 'set', columns: ['a'] } };
  const columns = what === 'n' ? ['a', 'n'] : ['u'];
  return { style, change: { kind: 'set', columns }, ...(what === 'u' && { givesFurtherField: true }) };
}

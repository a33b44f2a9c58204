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
      script.random.pick<Round>([heard, unheard, flurry, byOnBoth, lost, whileAway, restarted])(
        script,
        atMs,
        script.random.pick<SchemaChange>([number, number, further, list]),
      );
    }
    // On both, whatever one of them has missed.
    script.add({
      atMs: LAST_MS - 900,
      do: 'schema change',
      change: { of: 'number', to: 'int' },
      by: ['A', 'B'],
    });
    for (let count = 0; count < 5; count++) script.write(LAST_MS, 'last', typed('n', 0));
    return script.history({
      surface: 'cql',
      policy: script.pick('active', 'breaker'),
      queue: script.pick('memory', 'encoding'),
      writeStrategy: script.pick('concurrent', 'A first', 'B first'),
    });
  },

  judge(outcome) {
    const course = new Course(outcome, this.name);
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

/** Another process, which knows of it, prepares the same before it is heard of. */
const unheard: Round = (script, atMs, change) => {
  const preparedAgain = { as: 'Helix', afterMs: 0 } as const;
  script.add({ atMs, do: 'schema change', change, by: ['A', 'B'], preparedAgain });
};

/** One after the other, so that what has just been prepared is gone again. */
const flurry: Round = (script, atMs, change) => {
  for (let count = 0; count < 8; count++) {
    const list = { of: 'list', isThere: count % 2 === 0 } as const;
    const each = count === 0 ? change : list;
    script.add({
      atMs: atMs + 18 * count + script.random.int(0, 12),
      do: 'schema change',
      change: each,
      by: ['A', 'B'],
    });
  }
};

const byOnBoth: Round = (script, atMs, change) => {
  for (const cluster of ['A', 'B'] as const) {
    script.fault(cluster, { kind: 'answers lost', share: 0.5 }, atMs - 1, atMs + 120);
  }
  script.add(step(atMs, change, 'onBoth', script.random.int(10, 60)));
  // Their table cannot always be asked for.
  for (let count = 0; count < 12; count++) {
    script.write(atMs + script.random.int(30, 110), 'new', { ...typed('document', 0), isNewText: true });
  }
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
  for (const cluster of ['A', 'B'] as const)
    script.fault(cluster, { kind: 'disconnect' }, atMs - 3, atMs - 2);
  script.add(step(atMs + script.random.int(0, 25), change, ['A', 'B'], script.random.int(0, 10)));
};

/** Its ids come back with it. */
const restarted: Round = (script, atMs, change) => {
  const cluster = script.pick('A', 'B');
  script.fault(cluster, { kind: 'partition', thenReset: script.random.chance(0.5) }, atMs - 10, atMs + 5);
  script.fault(cluster, { kind: 'crash', losesMs: 0 }, atMs + 5, atMs + 100);
  script.add(step(atMs, change, ['A', 'B'], script.random.int(100, 200)));
};

function step(
  atMs: number,
  change: SchemaChange,
  by: 'onBoth' | readonly ('A' | 'B')[],
  afterMs: number,
): Step {
  return { atMs, do: 'schema change', change, by, preparedAgain: { as: 'Helix as before', afterMs } };
}

const batch = {
  kind: 'logged',
  also: [{ key: 'also', change: { kind: 'set', columns: ['b'] } }],
} as const;

/** Of few texts, each of them used often. */
function load(script: Script, fromMs: number, toMs: number): void {
  const { random } = script;
  for (let atMs = fromMs; atMs < toMs; atMs += random.int(1, 20)) {
    if (random.chance(0.2)) script.read(atMs, 'read');
    else if (random.chance(0.1)) script.write(atMs, 'batch', { ...typed('n', 0), isNamed: true, batch });
    else {
      const details = typed(script.pick('n', 'n', 'u', 'document'), random.int(0, 1));
      const isNamed = random.chance(0.2) && details?.style !== 3;
      script.write(atMs, 'write', { ...details, ...(isNamed && { isNamed }) });
    }
  }
}

function typed(what: 'n' | 'u' | 'document', style: number): Parameters<Script['write']>[2] {
  if (what === 'document') return { style: 3, change: { kind: 'set', columns: ['a'] } };
  const columns = what === 'n' ? ['a', 'n'] : ['u'];
  return { style, change: { kind: 'set', columns }, ...(what === 'u' && { givesFurtherField: true }) };
}

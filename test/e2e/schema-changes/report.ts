import type { Ending } from './play.js';
import type { Round } from './generate.js';

/** Of `HELIX_SEED`, or another one each time. */
export function seedOfRun(): number {
  const { HELIX_SEED: given } = process.env;
  const seed = given === undefined ? Math.floor(Math.random() * 1_000_000) : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`HELIX_SEED must be a whole number, received ${given}`);
  return seed;
}

export function titleOf({ side, network, hasManyTexts, cases }: Round): string {
  const texts = hasManyTexts ? ', 600 texts' : '';
  return `${cases.length} changes, ${side}: ${network}${texts}`;
}

/** What must never have been, each with the change that led to it. */
export function violationsOf(endings: readonly Ending[]): string[] {
  return endings
    .filter(({ violation }) => violation !== undefined)
    .map(({ case: { id, change, from, to, on, by, use }, violation }) => {
      const types = from === to ? from.type : `${from.type} → ${to.type}`;
      return `${id}: ${change} (${types}) on ${on} by ${by}, ${use}: ${violation}`;
    });
}

/** How many uses of which kind ended in which way. */
export function summaryOf(endings: readonly Ending[], seed: number): string {
  const lines = [...new Set(endings.map(({ case: each }) => each.change))].sort().map((change) => {
    const of = endings.filter(({ case: each }) => each.change === change);
    const cases = new Set(of.map(({ case: { id } }) => id)).size;
    const ways = counted(of.map(({ how, violation }) => (violation === undefined ? how : 'WRONG')));
    return `  ${change}: ${cases} cases, ${ways}`;
  });
  const uses = counted([...new Set(endings.map(({ case: each }) => each))].map(({ use }) => use));
  return [`Schema changes, HELIX_SEED=${seed}: ${uses}`, ...lines, ''].join('\n');
}

function counted(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
}

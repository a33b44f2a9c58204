import { changesOf } from '../history.js';
import type { ReadRecord, Violation } from '../ledger.js';
import { describeRead } from './describe.js';
import type { Evidence } from './evidence.js';

/**
 * An answer comes from a side that was asked. What it shows was written: by a write that sets this cell of this row,
 * at the write time it was made with.
 */
export function values(evidence: Evidence): Violation[] {
  const found: Violation[] = [];
  for (const read of evidence.ledger.reads) {
    if (read.answer.kind !== 'value') continue;
    if (!read.asked.some(({ cluster }) => cluster === read.answeredBy)) {
      found.push({ rule: 'values', message: `${describeRead(read)} was answered by nobody that it asked` });
    }
    for (const [column, { value, writeTimeUs }] of read.answer.value) {
      const wrong = wrongWithCell(evidence, read, column, value, writeTimeUs);
      if (!wrong) continue;
      found.push({
        rule: 'values',
        message: `${describeRead(read)} sees ${value} @${writeTimeUs} in ${column}, but ${wrong}`,
      });
    }
  }
  return found;
}

function wrongWithCell(
  { ledger }: Evidence,
  { step }: ReadRecord,
  column: string,
  value: string,
  writeTimeUs: number,
): string | undefined {
  const write = ledger.writes.get(value);
  if (!write) return 'nobody wrote that';
  const changes = changesOf(write.step).filter(({ key }) => key === step.key);
  if (changes.length === 0) return `${value} was written to ${write.step.key}`;
  const sets = changes.some(({ change }) => change.kind === 'set' && change.columns.includes(column));
  if (!sets) return `${value} did not set that column`;
  return writeTimeUs === write.timestampUs ? undefined : `${value} has write time ${write.timestampUs}`;
}

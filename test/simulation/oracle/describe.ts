import { type ClusterId, errorLabel, PartialWriteError } from '../../../lib/core/index.js';
import type { Answer, ReadRecord, WriteRecord } from '../ledger.js';
import { receiptOf } from './answers.js';
import type { Change } from '../history.js';
import { SIDES } from './evidence.js';

/** Which write it is, in a few words. */
export function describeWrite(write: WriteRecord): string {
  const { step, process, startedMs, answer } = write;
  const receipt = receiptOf(write);
  const said = receipt ? `A ${receipt.A}, B ${receipt.B}` : undefined;
  return (
    `Write ${step.id} (${describeChange(step.change)} of ${step.key}, ${step.class}, process ${process}, ` +
    `${span(startedMs, answer)}${said ? `: ${said}` : ''})`
  );
}

/** Which read it is, in a few words. */
export function describeRead({ step, process, startedMs, asked, answeredBy, answer }: ReadRecord): string {
  const sides = asked.map(({ cluster, atMs }) => `${cluster} at ${ms(atMs)}`).join(', ') || 'nobody';
  return (
    `Read ${step.id} (${step.key}${step.call === undefined ? '' : `, call ${step.call}`}, process ${process}, ` +
    `${span(startedMs, answer)}, asked ${sides}${answeredBy ? `, answered by ${answeredBy}` : ''})`
  );
}

/** Everything that is known of a write on a side. */
export function describeTruth(write: WriteRecord, cluster: ClusterId): string {
  const truth = write[cluster];
  const first = truth.appliedMs === undefined ? '' : ` (first at ${ms(truth.appliedMs)})`;
  const facts = [
    `sent ${truth.sent}`,
    `carried out ${truth.applied}${first}`,
    truth.isThere ? 'there' : 'not there',
    ...(truth.wasLostByCluster ? ['lost in a crash'] : []),
    `queued ${truth.queued}`,
    ...(truth.dropped > 0 ? [`reported lost ${truth.dropped}`] : []),
    ...(truth.buried.length > 0 ? [`buried ${truth.buried.join(', ')}`] : []),
    ...(truth.purged ? ['purged'] : []),
  ];
  return `${cluster}: ${facts.join(', ')}`;
}

export function describeTruths(write: WriteRecord): string {
  return SIDES.map((cluster) => describeTruth(write, cluster)).join('; ');
}

export function ms(value: number): string {
  return `${Math.round(value * 1_000) / 1_000} ms`;
}

function describeChange(change: Change): string {
  switch (change.kind) {
    case 'set':
      return `set ${change.columns.join(' ')}`;
    case 'unset':
      return `unset ${change.column}`;
    case 'delete':
    case 'add':
      return change.kind;
  }
}

function span(startedMs: number, answer: Answer<unknown>): string {
  if (answer.kind === 'waiting') return `since ${ms(startedMs)}, not answered`;
  const error = answer.kind === 'error' ? `, ${errorLabel(answer.error)}${outcomeOf(answer.error)}` : '';
  return `${ms(startedMs)} to ${ms(answer.atMs)}${error}`;
}

function outcomeOf(error: Error): string {
  return error instanceof PartialWriteError || !('outcome' in error) ? '' : ` ${String(error.outcome)}`;
}

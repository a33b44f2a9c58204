import {
  type ClusterId,
  type ReadOperation,
  type ReadPath,
  toError,
  type WriteOperation,
  type WritePath,
} from '../../../lib/core/index.js';
import type { SideTruth, WriteRecord } from '../ledger.js';
import { isUnpreparedAnswer } from '../model/driver-errors.js';
import type { Purpose } from '../model/cql-client.js';
import { noteFailedRead } from '../model/operations.js';
import type { CqlSurface } from './cql-surface.js';

// The paths of an instance for one call: they note what its operation does, as operations of the model do themselves.

export function watchWrites(writePath: WritePath, record: WriteRecord, surface: CqlSurface): WritePath {
  const { caller } = surface;
  const { ledger } = caller.world;
  const run: WritePath['run'] = (operation, call) => {
    watchWrite(operation, record, surface);
    ledger.accepting = record;
    const answered = writePath.run(operation, call);
    ledger.accepting = undefined;
    return answered;
  };
  const runPrepared: WritePath['runPrepared'] = (prepare, masked, call) => {
    const prepared = async (): Promise<WriteOperation> => {
      const operation = await prepare();
      record.draining = caller.drainingNow();
      watchWrite(operation, record, surface);
      return operation;
    };
    return writePath.runPrepared(prepared, masked, call);
  };
  return { run, runPrepared } as Pick<WritePath, 'run' | 'runPrepared'> as WritePath;
}

function watchWrite(operation: WriteOperation, record: WriteRecord, surface: CqlSurface): void {
  const { caller, world } = surface;
  const { scheduler } = caller.world;
  const { step } = record;
  record.timestampUs = operation.timestampUs;
  if (operation.timestampUs !== (step.ownTimestampUs ?? operation.timestampUs)) {
    caller.world.ledger.violate(
      'request',
      `${step.id} is made with ${operation.timestampUs}, not its own time`,
    );
  }
  record.createdAtMs =
    step.ownTimestampUs === undefined ? Math.floor(operation.timestampUs / 1_000) : caller.clock.nowMs();
  const attempt = operation.attempt.bind(operation);
  operation.attempt = (cluster) => {
    const truth = record[cluster];
    const attemptedMs = scheduler.nowMs;
    truth.attemptedMs = attemptedMs;
    caller.onWriteAttempted(cluster);
    const purpose: Purpose = { kind: 'write', record };
    return watch(
      truth,
      world.purposes.run(purpose, () => attempt(cluster)),
    );
  };
  const watch = (truth: SideTruth, answer: Promise<unknown>): Promise<unknown> => {
    answer.then(
      () => (truth.acknowledgedMs = scheduler.nowMs),
      (error: unknown) => (truth.failure = { error: toError(error), atMs: scheduler.nowMs }),
    );
    return answer;
  };
  const again = operation.again.bind(operation);
  operation.again = (cluster, error) => {
    const purpose: Purpose = { kind: 'write', record };
    const answer = world.purposes.run(purpose, () => again(cluster, error));
    if (!answer) return undefined;
    // What the first one came to does not count.
    const truth = record[cluster];
    truth.failure = undefined;
    return watch(truth, answer);
  };
  const classify = operation.classify.bind(operation);
  operation.classify = (error, cluster) => {
    const outcome = classify(error, cluster);
    const isOfMany = step.batch !== undefined;
    surface.onRefused(record, outcome.error, cluster);
    const { unprepared, isExpired } = record[cluster];
    if (isUnpreparedAnswer(error) && unprepared < 2 && !isExpired && !caller.isClosing) {
      caller.world.ledger.violate('outcome', `${step.id} is not sent to ${cluster} once more`);
    }
    caller.onOutcome(step.id, cluster, outcome, { wasSent: record[cluster].sent > 0, isOfMany });
    return outcome;
  };
  const expire = operation.expire.bind(operation);
  operation.expire = (cluster, why) => {
    const outcome = expire(cluster, why);
    record[cluster].isExpired = true;
    if (why === 'dead') record[cluster].releasedMs = scheduler.nowMs;
    caller.onOutcome(step.id, cluster, outcome, { wasSent: record[cluster].sent > 0 });
    return outcome;
  };
}

export function watchReads(
  readPath: ReadPath,
  purpose: Extract<Purpose, { kind: 'read' }>,
  surface: CqlSurface,
): ReadPath {
  const { record } = purpose;
  const run: ReadPath['run'] = async (operation, call) => {
    const answers = watchRead(operation, purpose, surface);
    const answer = await readPath.run(operation, call);
    const cluster = answer === answers.A ? 'A' : answer === answers.B ? 'B' : undefined;
    if (record.answeredBy && record.answeredBy !== cluster) {
      surface.world.ledger.violate('rows', `${record.step.id} got pages of both sides`);
    }
    record.answeredBy = cluster;
    return answer;
  };
  return { run } as Pick<ReadPath, 'run'> as ReadPath;
}

function watchRead(
  operation: ReadOperation<unknown>,
  purpose: Extract<Purpose, { kind: 'read' }>,
  { caller, world }: CqlSurface,
): Partial<Record<ClusterId, unknown>> {
  const { record } = purpose;
  const answers: Partial<Record<ClusterId, unknown>> = {};
  const attempt = operation.attempt.bind(operation);
  operation.attempt = async (cluster, onProgress) => {
    caller.onReadSent(record, cluster);
    return (answers[cluster] = await world.purposes.run(purpose, () => attempt(cluster, onProgress)));
  };
  const classify = operation.classify.bind(operation);
  operation.classify = (error, cluster) => {
    noteFailedRead(record, cluster, caller.world.scheduler.nowMs);
    const outcome = classify(error, cluster);
    caller.onOutcome(record.step.id, cluster, outcome);
    return outcome;
  };
  return answers;
}

import type { Mutant } from '../mutant.js';
import { mutants as admission } from './admission.js';
import { mutants as callContext } from './call-context.js';
import { mutants as classify } from './classify.js';
import { mutants as codec } from './codec.js';
import { mutants as cql } from './cql.js';
import { mutants as cqlTypes } from './cql-types.js';
import { mutants as deadLetters } from './dead-letters.js';
import { mutants as decide } from './decide.js';
import { mutants as failover } from './failover.js';
import { mutants as lanes } from './lanes.js';
import { mutants as invariant } from './invariant.js';
import { mutants as lifeOfAWrite } from './life-of-a-write.js';
import { mutants as lifecycle } from './lifecycle.js';
import { mutants as memoryQueue } from './memory-queue.js';
import { mutants as outcome } from './outcome.js';
import { mutants as readPath } from './read-path.js';
import { mutants as settlement } from './settlement.js';
import { mutants as silence } from './silence.js';
import { mutants as strategies } from './strategies.js';
import { mutants as timing } from './timing.js';
import { mutants as writePath } from './write-path.js';

export const allMutants: readonly Mutant[] = [
  ...admission,
  ...callContext,
  ...classify,
  ...codec,
  ...cql,
  ...cqlTypes,
  ...deadLetters,
  ...decide,
  ...failover,
  ...lanes,
  ...invariant,
  ...lifeOfAWrite,
  ...lifecycle,
  ...memoryQueue,
  ...outcome,
  ...readPath,
  ...settlement,
  ...silence,
  ...strategies,
  ...timing,
  ...writePath,
];

import { onFakes } from './on-fakes.js';
import { onStubs } from './on-stubs.js';
import type { Comparison } from './harness.js';

export const COMPARISONS: readonly Comparison[] = [...onFakes, ...onStubs];

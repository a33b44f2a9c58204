import type { Size } from './generate.js';

/** How much is run. */
export interface Profile {
  /** Random histories: so many seeds, from 1 on. */
  readonly seeds: number;
  /** Default: that of {@link generate}. */
  readonly size?: Size;
  /** Default: that of {@link generate}. */
  readonly surface?: 'core' | 'cql';
  /** So many seeds of each scenario. */
  readonly scenarioSeeds: number;
}

export const profiles = {
  /** On every change, as part of `npm test`. */
  standard: { seeds: 2_000, scenarioSeeds: 50 },
  /** The same, through `HelixCqlService`. */
  cql: { seeds: 300, scenarioSeeds: 0, surface: 'cql' },
  /** Before a release, and after a change of the core. */
  comprehensive: { seeds: 20_000, scenarioSeeds: 500 },
  /** Histories three times as long, with three times as many faults. For as long as one likes. */
  soak: { seeds: 1_000_000, scenarioSeeds: 500, size: { operations: 660, faults: 24 } },
} as const satisfies Record<string, Profile>;

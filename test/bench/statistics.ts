/** How values lie: extremes, quartiles, and the value in the middle. */
export interface Spread {
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly max: number;
}

/** Quantile of ascending values, interpolated between neighbours (R's type 7, as spreadsheets do). */
export function quantile(ascending: readonly number[], fraction: number): number {
  const position = (ascending.length - 1) * fraction;
  const below = Math.floor(position);
  const low = ascending[below];
  if (low === undefined) throw new RangeError('There is no quantile of no values');
  const high = ascending[below + 1] ?? low;
  return low + (high - low) * (position - below);
}

export function spread(values: readonly number[]): Spread {
  const ascending = [...values].sort((a, b) => a - b);
  return {
    min: quantile(ascending, 0),
    q1: quantile(ascending, 0.25),
    median: quantile(ascending, 0.5),
    q3: quantile(ascending, 0.75),
    max: quantile(ascending, 1),
  };
}

export function median(values: readonly number[]): number {
  return spread(values).median;
}

const PREPARED = 1_024;

/** Parameters made beforehand, handed out round and round: making them is not what is measured. */
export function cycle(make: (index: number) => unknown[]): () => unknown[] {
  const made = Array.from({ length: PREPARED }, (_, index) => make(index));
  let next = 0;
  return () => made[next++ % PREPARED]!;
}

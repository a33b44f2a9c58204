/** Response codes of the native protocol, as far as the in-memory cluster refuses with them. */
export const REFUSAL = { syntax: 0x2000, invalid: 0x2200, alreadyExists: 0x2400 } as const;

/** A statement that is refused as Cassandra would refuse it, or because it is beyond the in-memory cluster. */
export class CqlRefusal extends Error {
  override readonly name = 'CqlRefusal';

  constructor(
    message: string,
    readonly code: number = REFUSAL.invalid,
  ) {
    super(message);
  }
}

/** Cassandra may well understand it: the message must not be taken for one of Cassandra's. */
export function outside(what: string): CqlRefusal {
  return new CqlRefusal(
    `Outside what the in-memory cluster understands: ${what}. Answer the statement by hand: clusters.respond(pattern, rows)`,
  );
}

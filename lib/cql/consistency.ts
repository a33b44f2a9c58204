import { HelixConfigError } from '../core/index.js';

/** Consistency levels of Cassandra. */
export type ConsistencyName =
  | 'ANY'
  | 'ONE'
  | 'TWO'
  | 'THREE'
  | 'QUORUM'
  | 'ALL'
  | 'LOCAL_QUORUM'
  | 'EACH_QUORUM'
  | 'SERIAL'
  | 'LOCAL_SERIAL'
  | 'LOCAL_ONE';

/** Codes of the native protocol, the same as `types.consistencies` of the driver. */
const CODES: Readonly<Record<ConsistencyName, number>> = {
  ANY: 0x00,
  ONE: 0x01,
  TWO: 0x02,
  THREE: 0x03,
  QUORUM: 0x04,
  ALL: 0x05,
  LOCAL_QUORUM: 0x06,
  EACH_QUORUM: 0x07,
  SERIAL: 0x08,
  LOCAL_SERIAL: 0x09,
  LOCAL_ONE: 0x0a,
};

/** A name, or the code as in the driver's `types.consistencies`. */
export type Consistency = ConsistencyName | number;

export const LOCAL_ONE: number = CODES.LOCAL_ONE;
export const LOCAL_QUORUM: number = CODES.LOCAL_QUORUM;

/** The protocol's code; throws `HelixConfigError` naming `where` if there is no such consistency. */
export function consistencyCode(consistency: Consistency, where: string): number {
  const code = typeof consistency === 'number' ? consistency : CODES[consistency];
  if (!Object.values<number>(CODES).includes(code)) {
    throw new HelixConfigError(
      `${where}: no such consistency: ${String(consistency)}. Allowed: ${Object.keys(CODES).join(', ')}, or a code of types.consistencies`,
    );
  }
  return code;
}

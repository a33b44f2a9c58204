/** How the native protocol writes collections, tuples and UDTs. */

const NULL_LENGTH = Buffer.from([0xff, 0xff, 0xff, 0xff]);

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Elements, or keys and values in turn. */
export function splitCollection(bytes: Uint8Array): (Uint8Array | null)[] {
  return splitFields(bytes.subarray(4));
}

/** Components of a tuple or fields of a UDT; null ones are null. */
export function splitFields(bytes: Uint8Array): (Uint8Array | null)[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: (Uint8Array | null)[] = [];
  for (let at = 0; at < view.length;) {
    const length = view.readInt32BE(at);
    at += 4;
    fields.push(length < 0 ? null : view.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return fields;
}

/** @param size how many elements or entries the parts are */
export function joinCollection(parts: readonly (Uint8Array | null)[], size: number): Buffer {
  return Buffer.concat([int32(size), joinFields(parts)]);
}

export function joinFields(parts: readonly (Uint8Array | null)[]): Buffer {
  return Buffer.concat(parts.flatMap((part) => (part ? [int32(part.length), part] : [NULL_LENGTH])));
}

/** The components of a partition key or a clustering key. */
export type Key = readonly Uint8Array[];

/** Equal keys have equal ids. */
export function keyId(key: Key): string {
  return key.map((component) => `${Buffer.from(component).toString('hex')}:`).join('');
}

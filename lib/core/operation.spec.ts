import { describe, expect, it } from 'vitest';
import { OperationIds } from './index.js';

describe('OperationIds', () => {
  it('never gives the same id twice', () => {
    const ids = new OperationIds();
    const given = new Set(Array.from({ length: 10_000 }, () => ids.next()));
    expect(given.size).toBe(10_000);
  });

  it('gives ids that another process does not', () => {
    expect(new OperationIds().next()).not.toBe(new OperationIds().next());
  });

  it('gives ids that can stand in a subject, a header and a file name', () => {
    const ids = new OperationIds();
    for (let i = 0; i < 100; i++) expect(ids.next()).toMatch(/^[\w-]{18,32}$/);
  });
});

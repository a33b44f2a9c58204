import { describe, expect, it } from 'vitest';
import { getHelixSessionToken, getHelixToken, HelixCqlService, HelixService, ReadStrategy } from './index.js';

describe('getHelixToken', () => {
  it('is the class itself for the default instance', () => {
    expect(getHelixToken(HelixCqlService)).toBe(HelixCqlService);
    expect(getHelixToken(HelixCqlService, 'default')).toBe(HelixCqlService);
    expect(getHelixToken(ReadStrategy)).toBe(ReadStrategy);
  });

  it('is a symbol of the class and the name for any other, the same in every copy of the package', () => {
    expect(getHelixToken(HelixCqlService, 'analytics')).toBe(
      Symbol.for('nestjs-helix:analytics:HelixCqlService'),
    );
  });

  it('tells instances and classes apart', () => {
    const tokens = [
      getHelixToken(HelixCqlService),
      getHelixToken(HelixCqlService, 'x'),
      getHelixToken(HelixCqlService, 'y'),
      getHelixToken(HelixService, 'x'),
    ];
    expect(new Set(tokens).size).toBe(tokens.length);
  });
});

describe('getHelixSessionToken', () => {
  it('tells sides and instances apart', () => {
    const tokens = [
      getHelixSessionToken('A'),
      getHelixSessionToken('B'),
      getHelixSessionToken('A', 'x'),
      getHelixSessionToken('B', 'x'),
    ];
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(getHelixSessionToken('A', 'default')).toBe(getHelixSessionToken('A'));
  });
});

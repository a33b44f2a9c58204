import { describe, expect, it } from 'vitest';
import type { Change, Mutant } from './mutant.js';
import { complaintsAbout, plant, readSources, sourceOf } from './plant.js';
import { allMutants } from './planted/all.js';

describe('The planted mutants', () => {
  it('are found once each, and have names of their own', async () => {
    expect(complaintsAbout(allMutants, await readSources())).toEqual([]);
  });

  it('do not depend on where the code lies', async () => {
    const sources = await readSources();
    const moved = sources.map(({ text }, index) => sourceOf(`elsewhere/${index}.ts`, text)).reverse();
    expect(complaintsAbout(allMutants, moved)).toEqual([]);
  });

  it('do not depend on how the code is wrapped and indented', async () => {
    const sources = await readSources();
    const wrapped = sources.map(({ path, text }) => sourceOf(path, text.replace(/\s+/g, '\n\t')));
    expect(complaintsAbout(allMutants, wrapped)).toEqual([]);
  });
});

describe('A mutant', () => {
  it('changes its snippet and nothing beside it', () => {
    const planted = plant(mutant({ replace: 'b + c', by: 'b - c' }), [
      sourceOf('x', 'a( b  +\n  c );\n'),
      OTHER,
    ]);
    expect(planted.map(({ text }) => text)).toEqual(['a( b - c );\n', OTHER.text]);
  });

  it('is found whatever the white space', () => {
    const planted = plant(mutant({ replace: 'a(\n  b,\n)', by: 'c()' }), [sourceOf('x', 'return a(b,);')]);
    expect(planted[0]?.text).toBe('return c();');
  });

  it('may take code away', () => {
    expect(plant(mutant({ replace: 'b();', by: '' }), [sourceOf('x', 'a();\nb();\n')])[0]?.text).toBe(
      'a();\n\n',
    );
  });

  it('makes its changes one after the other, in several files too', () => {
    const sources = [sourceOf('x', 'a();'), sourceOf('y', 'b();')];
    const changes = [
      { replace: 'a();', by: 'c();' },
      { replace: 'b();', by: 'd();' },
      { replace: 'c();', by: 'e();' },
    ];
    expect(plant(mutant(...changes), sources).map(({ text }) => text)).toEqual(['e();', 'd();']);
  });

  it.each<[string, Change[], string]>([
    ['is not found', [{ replace: 'c();', by: 'd();' }], 'found 0 times: c();'],
    ['is found twice in one file', [{ replace: 'a();', by: 'd();' }], 'found 2 times: a();'],
    ['is found in two files', [{ replace: 'b();', by: 'd();' }], 'found 2 times: b();'],
    ['changes white space only', [{ replace: 'a();b();', by: 'a();\nb();' }], 'changes nothing: a();b();'],
    ['has no changes', [], 'changes nothing'],
    ['has no snippet', [{ replace: ' ', by: 'd();' }], 'does not say what is replaced by: d();'],
  ])('that %s cannot be planted', (_what, changes, complaint) => {
    const sources = [sourceOf('x', 'a(); a(); b();'), sourceOf('y', 'b();')];
    expect(complaintsAbout([mutant(...changes)], sources)).toEqual([`m: ${complaint}`]);
  });

  it('has no name that another one has', () => {
    const twice = [mutant({ replace: 'a', by: 'b' }), mutant({ replace: 'a', by: 'c' })];
    expect(complaintsAbout(twice, [sourceOf('x', 'a')])).toEqual(['m: another one has this name']);
  });
});

const OTHER = sourceOf('other', 'z();');

function mutant(...changes: Change[]): Mutant {
  return { name: 'm', breaks: 'a rule', changes };
}

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

it('the example of docs/testing-your-application.md is the one that is tested here', async () => {
  const [document, example] = await Promise.all(
    ['docs/testing-your-application.md', 'lib/testing/example.spec.ts'].map((file) => readFile(file, 'utf8')),
  );
  const asAUserHasIt = example
    ?.replace(`'../index.js'`, `'nestjs-helix'`)
    .replace(`'./index.js'`, `'nestjs-helix/testing'`);
  expect(document).toContain(asAUserHasIt);
});

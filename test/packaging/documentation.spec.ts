import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

interface Block {
  /** Where it stands, for the message. */
  readonly at: string;
  readonly code: string;
}

/** Compiled where `nestjs-helix` and everything else resolves as in an application. */
const directory = 'node_modules/.cache/helix-documentation';

function markdownIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return entries.filter((entry) => entry.endsWith('.md')).map((entry) => join(folder, entry));
}

function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  const lines = readFileSync(file, 'utf8').split('\n');
  let start: number | undefined;
  lines.forEach((line, i) => {
    if (start === undefined && line.trimEnd() === '```ts') start = i + 1;
    else if (start !== undefined && line.startsWith('```')) {
      blocks.push({ at: `${file}:${start + 1}`, code: lines.slice(start, i).join('\n') });
      start = undefined;
    }
  });
  return blocks;
}

it('every TypeScript block of the documentation compiles by itself', () => {
  const files = ['README.md', 'CONTRIBUTING.md', ...markdownIn('docs')];
  const blocks = files.flatMap(blocksOf);
  expect(blocks.length).toBeGreaterThan(5);

  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  const sources = new Map(
    blocks.map(({ at, code }, i) => {
      const file = join(directory, `block-${i}.ts`);
      writeFileSync(file, `${code}\nexport {};\n`);
      return [file, at];
    }),
  );
  const program = ts.createProgram([...sources.keys()], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    types: ['node'],
  });
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const at = file && sources.get(file.fileName);
    const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${at ?? file?.fileName ?? ''}, line ${line} of the block: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  expect(problems).toEqual([]);
});

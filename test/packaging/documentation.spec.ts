import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
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

const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...markdownIn('docs')].filter(
  // Made by typedoc.
  (file) => !file.startsWith(join('docs', 'api')),
);

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

/** The text without code, in which brackets mean something else. */
function proseOf(file: string): string {
  return readFileSync(file, 'utf8')
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.slice(1, -1));
}

/** Anchors of the headings, as GitHub makes them. */
function anchorsOf(file: string): string[] {
  return [...proseOf(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

interface Link {
  readonly from: string;
  readonly path: string;
  readonly anchor: string | undefined;
}

function linksOf(from: string): Link[] {
  return [...proseOf(from).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^\w+:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#');
      return { from, path: path === '' ? from : normalize(join(dirname(from), path)), anchor };
    });
}

it('every link leads to a file and a heading that exist', () => {
  const links = files.flatMap(linksOf);
  expect(links.length).toBeGreaterThan(50);
  const broken = links.filter(
    ({ path, anchor }) =>
      !existsSync(path) ||
      (anchor !== undefined && path.endsWith('.md') && !anchorsOf(path).includes(anchor)),
  );
  expect(broken).toEqual([]);
});

it('every page is in the index of the README', () => {
  const indexed = new Set(linksOf('README.md').map(({ path }) => path));
  expect(files.filter((file) => file !== 'README.md' && !indexed.has(file))).toEqual([]);
});

it('every option of the module has its row', () => {
  const source = ts.createSourceFile(
    'options.ts',
    readFileSync('lib/helix.options.ts', 'utf8'),
    ts.ScriptTarget.ES2022,
    true,
  );
  const options = source.statements
    .filter((node) => ts.isInterfaceDeclaration(node))
    .find(({ name }) => name.text === 'HelixModuleOptions');
  const rows = readFileSync('docs/options.md', 'utf8')
    .split('\n')
    .map((line) => /^\| `(\w+)`/.exec(line)?.[1]);
  const names = options?.members.map(({ name }) => name?.getText()) ?? [];
  expect(names).toContain('cql');
  expect(names.filter((name) => !rows.includes(name))).toEqual([]);
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MatrixResult } from './fixtures/esm-application/src/matrix.js';
import { decoratorRows, moduleRows } from './fixtures/esm-application/src/rows.js';
import { run } from '../servers/process-tree.js';
import { nestVersions } from './nest-versions.js';
import { nodeBinary, nodeVersions } from './node-binaries.js';
import { Project } from './project.js';

/** One application, compiled once for each Nest and run by each Node. */
describe.each(Object.entries(nestVersions))('an ESM application with Nest %s', (_major, dependencies) => {
  let project: Project;
  let diagnostics: string;

  beforeAll(async () => {
    project = await Project.install('esm-application', dependencies);
    const tsc = ['--no-install', 'tsc', '-p', '.', '--pretty', 'false'];
    diagnostics = (await run(project.command('npx', tsc))).output;
  });

  afterAll(() => project.remove());

  it('compiles, library types included', () => {
    expect(diagnostics).toBe('');
  });

  describe.each(nodeVersions)('on Node %s', (version) => {
    describe.each([
      ['module', 'module-matrix', moduleRows],
      ['decorators', 'decorator-matrix', decoratorRows],
    ] as const)('the %s', (_what, program, rows) => {
      let result: MatrixResult;

      beforeAll(async () => {
        const output = await project.run(await nodeBinary(version), [`dist/${program}.js`]);
        // Among warnings that Node.js itself may print.
        const printed = output.split('\n').find((line) => line.startsWith('{"node":'));
        result = JSON.parse(printed!) as MatrixResult;
      });

      it.each(rows)('%s', (row) => {
        expect(result.rows[row]).toBeNull();
      });

      it('was run by that Node', () => {
        expect(result.node).toBe(version);
      });
    });
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = (command: string, args: readonly string[], cwd = '.'): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

interface Manifest {
  readonly version: string;
  readonly exports: Record<string, unknown>;
  readonly devDependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const version = (name: string): string => `${name}@${manifest.devDependencies[name]}`;

describe('the package', () => {
  it('is clean for publint', () => {
    expect(run('npx', ['--no-install', 'publint', '--strict'])).toContain('All good');
  });

  it('is clean for attw as an ESM package', () => {
    run('npx', ['--no-install', 'attw', '--profile', 'esm-only', '--pack', '.']);
  });

  it('locks no download addresses', () => {
    expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved": "https?:/);
  });
});

/** The package as a stranger gets it: packed, and installed where nothing else is. */
describe('installed into an empty project', () => {
  let project = '';
  const install = (...packages: string[]): string =>
    run(
      'npm',
      ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...packages],
      project,
    );
  const node = (script: string): string => run('node', ['--input-type=module', '-e', script], project);

  /** Diagnostics of the compiler in files of ours, with library checks on. */
  function diagnosticsOfOurs(source: string): string[] {
    writeFileSync(join(project, 'main.ts'), source);
    try {
      run('npx', ['--no-install', 'tsc', '--noEmit', '--pretty', 'false', '-p', '.'], project);
      return [];
    } catch (error) {
      const output = (error as { stdout: string }).stdout;
      return output.split('\n').filter((line) => line.includes('nestjs-helix') || line.startsWith('main.ts'));
    }
  }

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'helix-package-'));
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', project])) as {
      filename: string;
    }[];
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({ name: 'stranger', private: true, type: 'module' }),
    );
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: 'NodeNext',
          target: 'ES2022',
          strict: true,
          skipLibCheck: false,
          experimentalDecorators: true,
          emitDecoratorMetadata: true,
          types: ['node'],
        },
        files: ['main.ts'],
      }),
    );
    install(
      `./${packed!.filename}`,
      ...['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs', 'typescript', '@types/node'].map(
        version,
      ),
    );
  });

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('type-checks and imports without any optional peer, and says what is missing when it needs one', () => {
    expect(
      diagnosticsOfOurs(
        `import { HelixModule, HelixCqlService, type WriteReceipt } from 'nestjs-helix';
         export const module = HelixModule.forRoot({ cql: { A: { contactPoints: ['127.0.0.1'] } } });
         export const write = (cql: HelixCqlService): Promise<WriteReceipt> => cql.query('…').exec();`,
      ),
    ).toEqual([]);
    const output = node(`
      import 'reflect-metadata';
      import { NestFactory } from '@nestjs/core';
      import { HelixModule, isHelixError } from 'nestjs-helix';
      const cql = { A: { contactPoints: ['127.0.0.1'], localDataCenter: 'dc1' } };
      await NestFactory.createApplicationContext(HelixModule.forRoot({ cql }), { logger: false, abortOnError: false })
        .catch((error) => console.log(isHelixError(error), error.code, error.message));
    `);
    expect(output).toMatch(/^true HELIX_CONFIG .*npm install cassandra-driver/);
  });

  it('type-checks every entry point and boots once the driver and Terminus are there', () => {
    install(...['cassandra-driver', '@nestjs/terminus'].map(version));
    expect(
      diagnosticsOfOurs(
        `import { Client } from 'cassandra-driver';
         import { HelixModule, HelixCqlService } from 'nestjs-helix';
         import { HelixHealthIndicator } from 'nestjs-helix/terminus';
         import { type ClientOptions } from 'cassandra-driver';
         export const options = (given: ClientOptions) => HelixModule.forRoot({ cql: { A: given } });
         const client = new Client({ contactPoints: ['127.0.0.1'], localDataCenter: 'dc1' });
         export const module = HelixModule.forRoot({ cql: { A: client, B: new Client({ contactPoints: ['::1'] }) }, connect: 'lazy' });
         export const raw = (cql: HelixCqlService): Client => cql.session('A') as Client;
         export const live = (health: HelixHealthIndicator) => health.liveness();`,
      ),
    ).toEqual([]);
    const output = node(`
      import 'reflect-metadata';
      import { NestFactory } from '@nestjs/core';
      import { HelixModule, HelixService } from 'nestjs-helix';
      import 'nestjs-helix/terminus';
      const at = (port) => ({ contactPoints: ['127.0.0.1'], localDataCenter: 'dc1', protocolOptions: { port } });
      const app = await NestFactory.createApplicationContext(
        HelixModule.forRoot({ cql: { A: at(1), B: at(2) }, connect: 'lazy' }), { logger: false });
      const { instance, A, B } = app.get(HelixService).status();
      console.log(instance, A.connected, B.connected);
      await app.close();
    `);
    expect(output).toBe('default false false\n');
  });
});

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { atExit } from '../servers/at-exit.js';
import { createOwnedDirectory, removeDirectory, sweep } from '../servers/owned-directory.js';
import { type Command, run } from '../servers/process-tree.js';

const root = resolve(import.meta.dirname, '../..');

interface Manifest {
  dependencies: Record<string, string>;
}

/** A fixture as its own application, outside of the repository, with the package as a user gets it. */
export class Project {
  readonly directory: string;
  readonly #withdraw: () => void;

  private constructor(fixture: string) {
    sweep(tmpdir(), 'nestjs-helix');
    this.directory = createOwnedDirectory(tmpdir(), 'nestjs-helix-packaging');
    this.#withdraw = atExit(() => removeDirectory(this.directory));
    cpSync(join(import.meta.dirname, 'fixtures', fixture), this.directory, { recursive: true });
    mkdirSync(join(this.directory, 'tmp'));
  }

  /** Installs the packed package, what the fixture asks for, and `dependencies` with their versions. */
  static async install(
    fixture: string,
    dependencies: Readonly<Record<string, string>> = {},
  ): Promise<Project> {
    const project = new Project(fixture);
    try {
      const file = join(project.directory, 'package.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
      Object.assign(manifest.dependencies, dependencies, { 'nestjs-helix': `file:${await project.#pack()}` });
      writeFileSync(file, JSON.stringify(manifest, undefined, 2));
      const options = [
        '--prefer-offline',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--no-package-lock',
      ];
      await project.run('npm', ['install', ...options]);
      return project;
    } catch (error) {
      project.remove();
      throw error;
    }
  }

  /** Output of a command that has to succeed. */
  async run(file: string, args: string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { code, output } = await run(this.command(file, args, env));
    if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}:\n${output.slice(-8_000)}`);
    return output;
  }

  /** What it writes to the folder for temporary files goes with the project. */
  command(file: string, args: string[], env: Readonly<Record<string, string>> = {}): Command {
    return {
      file,
      args,
      cwd: this.directory,
      env: { ...process.env, ...env, TMPDIR: join(this.directory, 'tmp') },
    };
  }

  remove(): void {
    this.#withdraw();
    removeDirectory(this.directory);
  }

  async #pack(): Promise<string> {
    const args = ['pack', '--silent', '--pack-destination', this.directory];
    const { code, output } = await run({ file: 'npm', args, cwd: root });
    if (code !== 0) throw new Error(`npm pack failed:\n${output}`);
    return output.trim();
  }
}

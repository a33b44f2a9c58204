import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { atExit } from './at-exit.js';
import { createOwnedDirectory, removeDirectory, sweep } from './owned-directory.js';
import { freePort } from './ports.js';
import {
  freezeTree,
  gone,
  goneSync,
  isGone,
  killTree,
  spawnTied,
  thawTree,
  type Command,
} from './process-tree.js';
import type { Server, ServerOptions } from './server.js';

const logLimit = 400_000;
const tailLength = 4_000;
const addressInUse = /address already in use|is in use by another process|failed to bind port/i;

/** What all servers have in common: one process tree, one data directory, one client port. */
export abstract class ServerProcess implements Server {
  readonly name: string;
  readonly host: string;
  protected readonly directory: string;
  readonly #keepLogs: string | undefined;
  readonly #startTimeoutMs: number;
  readonly #withdraw: () => void;
  /** Given by whoever decides for several servers; else the server looks for one. */
  readonly #givenPort: number | undefined;
  #child: ChildProcess | undefined;
  #starting: Promise<void> | undefined;
  #port: number | undefined;
  #settled = false;
  #ended = false;
  #log = '';

  constructor(
    kind: string,
    { name = kind, keepLogs, startTimeoutMs = 90_000 }: ServerOptions,
    place?: { host: string; port: number },
  ) {
    this.name = name;
    this.host = place?.host ?? '127.0.0.1';
    this.#givenPort = place?.port;
    this.#keepLogs = keepLogs;
    this.#startTimeoutMs = startTimeoutMs;
    sweep(tmpdir(), 'nestjs-helix');
    this.directory = createOwnedDirectory(tmpdir(), `nestjs-helix-${kind}`);
    this.#withdraw = atExit(() => {
      if (this.pid !== undefined) goneSync(killTree(this.pid));
      this.#remove();
    });
  }

  get port(): number {
    if (this.#port === undefined) throw new Error(`${this.name} has not been started yet.`);
    return this.#port;
  }

  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  get log(): string {
    return this.#log;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!this.running || child?.pid === undefined) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const pids = killTree(child.pid);
    await exited;
    await gone(pids);
  }

  freeze(): void {
    freezeTree(this.#runningPid());
  }

  thaw(): void {
    thawTree(this.#runningPid());
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.kill();
    await this.#starting?.catch(() => undefined);
    await this.kill(); // when it was just about to be launched
    this.#withdraw();
    this.#remove();
  }

  /** Writes the configuration; called again with another port when the first one was taken meanwhile. */
  protected abstract configure(port: number): Promise<void>;
  protected abstract command(): Command;
  /** The words in the log after which `accepts` is asked; they tell this server from another on its port. */
  protected abstract readonly announcement: string;
  protected abstract accepts(): Promise<boolean>;
  /** Failures of a start that go away by themselves. */
  protected readonly passing: RegExp = /(?!)/;

  async #start(): Promise<void> {
    const deadline = Date.now() + this.#startTimeoutMs;
    for (;;) {
      this.#refuseWhenEnded();
      if (this.running) return;
      if (!this.#settled) {
        this.#port = this.#givenPort ?? (await freePort(this.host));
        await this.configure(this.#port);
        this.#refuseWhenEnded();
      }
      const { failure, output } = await this.#attempt(deadline);
      if (failure === undefined) {
        this.#settled = true;
        return;
      }
      const retry = addressInUse.test(output) || this.passing.test(output);
      if (!retry || Date.now() > deadline) {
        throw new Error(
          `${this.name} ${failure}. The end of its log:\n${output.slice(-tailLength).trimEnd()}`,
        );
      }
      await delay(50);
    }
  }

  async #attempt(deadline: number): Promise<{ failure?: string; output: string }> {
    const child = spawnTied(this.command());
    const attempt: { failure?: string; output: string } = { output: '' };
    this.#child = child;
    const collect = (chunk: string) => {
      this.#log = (this.#log + chunk).slice(-logLimit);
      attempt.output = (attempt.output + chunk).slice(-logLimit);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    child.once('error', (error) => (attempt.failure ??= `could not be launched: ${error.message}`));
    child.once('close', (code, signal) => {
      attempt.failure ??= `ended with ${signal ?? `code ${code ?? '?'}`} before it was ready`;
    });
    while (attempt.failure === undefined) {
      if (attempt.output.includes(this.announcement) && (await this.accepts()) && this.running)
        return attempt;
      if (Date.now() > deadline) {
        attempt.failure = `was not ready after ${this.#startTimeoutMs} ms`;
        await this.kill();
      }
      await delay(10);
    }
    return attempt;
  }

  #refuseWhenEnded(): void {
    if (this.#ended) throw new Error(`${this.name} was stopped for good.`);
  }

  #runningPid(): number {
    const pid = this.pid;
    if (pid === undefined || isGone(pid)) throw new Error(`${this.name} is not running.`);
    return pid;
  }

  #remove(): void {
    if (this.#keepLogs !== undefined && this.#log !== '') {
      mkdirSync(this.#keepLogs, { recursive: true });
      writeFileSync(join(this.#keepLogs, `${this.name}.log`), this.#log);
    }
    removeDirectory(this.directory);
  }
}

/** A server that fails to start leaves nothing behind. */
export async function started<S extends Server>(server: S): Promise<S> {
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

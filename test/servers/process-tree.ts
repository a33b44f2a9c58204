import { execFileSync, spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readFileSync, readlinkSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { atExit } from './at-exit.js';
import { findExecutable } from './executables.js';

export interface Command {
  file: string;
  args: string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** User and group to run as; needs root. */
  uid?: number;
  /** Without CAP_IPC_LOCK: see cassandra.ts. */
  dropIpcLock?: boolean;
}

export const isRoot = process.getuid?.() === 0;
const setpriv = findSetpriv();

function findSetpriv(): string | undefined {
  const file = findExecutable('setpriv');
  if (file === undefined) return undefined;
  const { status } = spawnSync(file, ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' });
  return status === 0 ? file : undefined; // busybox has one without the option
}

/**
 * Starts a process that dies with this one, even by SIGKILL, where `setpriv --pdeathsig` exists. To the
 * kernel the parent is the thread: what a worker thread starts also ends with that thread.
 * It gets a session of its own: Ctrl-C in a terminal reaches every process of the foreground group,
 * and an application that drains on SIGINT still needs its servers.
 */
export function spawnTied({ file, args, cwd, env, uid, dropIpcLock = false }: Command): ChildProcess {
  const options: SpawnOptions = {
    cwd,
    env: env ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  };
  if (setpriv === undefined) {
    return spawn(file, args, { ...options, ...(uid !== undefined && { uid, gid: uid }) });
  }
  const privileges = ['--pdeathsig', 'KILL'];
  if (uid !== undefined) privileges.push(`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups');
  if (dropIpcLock && isRoot) privileges.push('--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock');
  return spawn(setpriv, [...privileges, '--', file, ...args], options);
}

export interface Finished {
  code: number | null;
  output: string;
}

/** Runs a command to its end; a non-zero exit is a result, a command that cannot be started rejects. */
export function run(command: Command): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawnTied(command);
    const withdraw = atExit(() => {
      if (child.pid !== undefined) goneSync(killTree(child.pid));
    });
    let output = '';
    const collect = (chunk: string) => (output += chunk);
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    child.once('error', reject);
    child.once('close', (code) => {
      withdraw();
      resolve({ code, output });
    });
  });
}

/** The fields of /proc/<pid>/stat after the command name, which may itself hold blanks and brackets. */
function stat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Tells a process from a later one with the same pid; '0' where there is no /proc. */
export function startTime(pid: number): string {
  return stat(pid)?.[19] ?? '0';
}

/** A zombie counts as gone: in a container without an init process nobody may ever reap it. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  const state = stat(pid)?.[0];
  return state === 'Z' || state === 'X';
}

function childrenOf(pid: number): number[] {
  let pids: string;
  try {
    pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch {
    pids = process.platform === 'linux' ? '' : childrenByPs(pid);
  }
  return pids.split(' ').filter(Boolean).map(Number);
}

function childrenByPs(parent: number): string {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, ppid]) => Number(ppid) === parent)
    .map(([pid]) => pid)
    .join(' ');
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Stops a parent before its children are listed, so that it forks no more. */
export function freezeTree(pid: number): number[] {
  signal(pid, 'SIGSTOP');
  return [pid, ...childrenOf(pid).flatMap(freezeTree)];
}

export function thawTree(pid: number): void {
  for (const child of childrenOf(pid)) thawTree(child);
  signal(pid, 'SIGCONT');
}

/** A client of a killed postmaster can still be served by its backend process: all of them are killed. */
export function killTree(pid: number): number[] {
  const pids = freezeTree(pid);
  for (const each of pids) signal(each, 'SIGKILL');
  return pids;
}

export async function gone(pids: number[]): Promise<void> {
  while (!pids.every(isGone)) await delay(2);
}

/** For the last moments of this process, in which nothing asynchronous runs any more. */
export function goneSync(pids: number[], deadlineMs = 5_000): void {
  const end = Date.now() + deadlineMs;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (!pids.every(isGone) && Date.now() < end) Atomics.wait(clock, 0, 0, 2);
}

/** Processes that work in a folder: every server here has its data directory as working directory. */
export function processesIn(directory: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const cwd = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '');
        return cwd === directory || cwd.startsWith(`${directory}/`);
      } catch {
        return false; // gone meanwhile, or somebody else's
      }
    });
}

import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/**
 * Runs a TypeScript file beside this one in a process of its own. The channel to it is its lifeline: it is to
 * end when the channel closes.
 */
export function forkFile(
  file: string,
  args: readonly string[] = [],
  nodeOptions: readonly string[] = [],
): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    execArgv: ['--import', tsx, ...nodeOptions],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

/**
 * What the child tells under `name`; rejects if it ends instead. The loader in the child uses the channel as
 * well, so a message counts only if it has the name.
 */
export function told<Message extends object, Name extends keyof Message>(
  child: ChildProcess,
  name: Name,
): Promise<Message[Name]> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Message): void => {
      if (!(name in message)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(message[name]);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      child.off('message', onMessage);
      reject(new Error(`A process of the benchmark ended early: ${signal ?? `exit code ${String(code)}`}`));
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}

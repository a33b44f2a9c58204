import { once } from 'node:events';
import { forkFile, told } from './child.js';
import type { ReceivedWrite } from './requests.js';
import { DATA_CENTER } from './stub-answers.js';
import type { StubCommand, StubMessage } from './messages.js';

/** A stub server in a process of its own. */
export interface Stub {
  readonly clientOptions: { contactPoints: string[]; localDataCenter: string };
  /** From now on, keep what writes bring. */
  record(): void;
  /** Writes since the last call or `record()`, in the order of their arrival. */
  received(): Promise<readonly ReceivedWrite[]>;
  stop(): Promise<void>;
}

export async function startStub(): Promise<Stub> {
  const child = forkFile('./stub-server.ts');
  const port = await told<StubMessage, 'port'>(child, 'port');
  const send = (command: StubCommand): boolean => child.send(command);
  return {
    clientOptions: { contactPoints: [`127.0.0.1:${port}`], localDataCenter: DATA_CENTER },
    record: () => void send('record'),
    received: async () => {
      const received = told<StubMessage, 'received'>(child, 'received');
      send('received');
      return received;
    },
    stop: async () => {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

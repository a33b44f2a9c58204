import type { Result } from './harness.js';
import type { ReceivedWrite } from './requests.js';

/** What a stub server may be asked. */
export type StubCommand = 'record' | 'received';

/** What a stub server tells. */
export interface StubMessage {
  readonly port: number;
  readonly received: readonly ReceivedWrite[];
}

/** What the process of one comparison tells. */
export interface RunMessage {
  readonly result: Result;
}

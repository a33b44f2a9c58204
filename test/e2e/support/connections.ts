import type { EventEmitter } from 'node:events';
import type { ClusterId, HelixCqlService } from '../../../lib/index.js';

/** What a client of one cluster has open, and what listens to it. */
export interface Holdings {
  /** Sockets of this process that lead there. */
  readonly sockets: number;
  /** Listeners on the client, its hosts and each of them. */
  readonly listeners: number;
  /** Timers that keep the process alive, of whatever kind: each host has one, and each connection. */
  readonly timers: number;
}

interface ListeningClient extends EventEmitter {
  readonly hosts: EventEmitter & { values(): EventEmitter[] };
  readonly controlConnection: EventEmitter & { connection: EventEmitter | null };
}

export function holdings(cql: HelixCqlService, side: ClusterId, ports: readonly string[]): Holdings {
  const client = cql.session(side) as unknown as ListeningClient;
  const { hosts, controlConnection } = client;
  return {
    sockets: socketsTo(ports),
    listeners: [client, hosts, controlConnection, ...hosts.values()].reduce(
      (sum, each) => sum + each.eventNames().reduce((n, event) => n + each.listenerCount(event), 0),
      0,
    ),
    timers: process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length,
  };
}

interface Handle {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly destroyed?: boolean;
}

/** Open sockets of this process to one of these, each as `address:port`. */
export function socketsTo(endpoints: readonly string[]): number {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): Handle[] };
  return handles
    .call(process)
    .filter(({ remoteAddress, remotePort }) => endpoints.includes(`${remoteAddress}:${remotePort}`)).length;
}

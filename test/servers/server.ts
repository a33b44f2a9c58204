/** A real server process on this machine, with data that outlives its crashes. */
export interface Server {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly running: boolean;
  readonly pid: number | undefined;
  /** The last 400 kB of its output, over all its starts. */
  readonly log: string;
  /** Starts on the data it has; resolves when it accepts clients, rejects with the tail of its log. */
  start(): Promise<void>;
  /** SIGKILL to the whole process tree; the data stays. Resolves when all of it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP to the whole process tree: connections stay open, nothing answers. */
  freeze(): void;
  /** SIGCONT: goes on where `freeze` stopped it. */
  thaw(): void;
  /** Kill, if it runs, and start again on the same data and port. */
  restart(): Promise<void>;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
}

export interface CassandraServer extends Server {
  readonly clusterName: string;
  /** For `new Client(…)` of cassandra-driver. */
  readonly clientOptions: {
    contactPoints: string[];
    localDataCenter: string;
    protocolOptions: { port: number };
  };
}

/** Several nodes, each a server of its own on its own address, all on one port. */
export interface CassandraCluster {
  readonly name: string;
  readonly clusterName: string;
  /** After `start` and `restart` of a node the others see it, too. */
  readonly nodes: readonly CassandraServer[];
  readonly port: number;
  /** For `new Client(…)` of cassandra-driver, with every node as contact point. */
  readonly clientOptions: CassandraServer['clientOptions'];
  /** Resolves when all nodes that run and are not frozen see one another: after `thaw` that takes a moment. */
  united(): Promise<void>;
  /** Thaws and starts what is not well; resolves when all nodes are united. */
  heal(): Promise<void>;
  /** Ends all nodes for good and removes their data. */
  stop(): Promise<void>;
}

export interface PostgresServer extends Server {
  readonly url: string;
  readonly user: string;
}

export interface NatsServer extends Server {
  readonly url: string;
}

export interface ServerOptions {
  /** Names the server in messages and logs. */
  name?: string;
  /** A folder that receives `<name>.log` when the server ends. */
  keepLogs?: string;
  startTimeoutMs?: number;
}

import type { ControlConnection, DriverClient, SchemaChangeEvent } from './driver-internals.js';
import type { SchemaChange } from './schema-view.js';

type SchemaListener = (change: SchemaChange) => void;

/** Who listens on one client: several instances may share it. */
const LISTENERS = Symbol('listeners of schema changes');

interface SharedListeners {
  readonly listeners: Set<() => void>;
  readonly register: () => Promise<void>;
  readonly original: () => Promise<void>;
}

interface WatchedControl extends ControlConnection {
  [LISTENERS]: SharedListeners | undefined;
}

/**
 * Hears of schema changes: by the events of the server, which come over the driver's control connection, and whenever
 * some of them may have been missed: that connection is another one, or a host has gone or come back. A host that
 * starts prepares again what it has kept, under the schema of now, and accepts ids of before.
 *
 * @returns ends it; `undefined` if the driver has no control connection of the kind that was expected
 */
export function watchSchema(client: DriverClient, listener: SchemaListener): (() => void) | undefined {
  const control = client.controlConnection;
  const register = control?._registerToConnectionEvents;
  if (!control || typeof register !== 'function') return undefined;

  const onAny = (): void => listener({});
  // A type does not say which tables use it: it concerns them all.
  const onEvent = ({ keyspace, table }: SchemaChangeEvent): void =>
    listener({ keyspace, table: table ?? undefined });
  let watched: ControlConnection['connection'];
  const unwatch = (): void => {
    watched?.removeListener('nodeSchemaChange', onEvent);
    watched?.removeListener('socketClose', onAny);
    watched = undefined;
  };
  const watch = (): void => {
    unwatch();
    watched = control.connection;
    watched?.on('nodeSchemaChange', onEvent);
    watched?.on('socketClose', onAny);
  };
  const onRegistering = (): void => {
    watch();
    onAny();
  };

  const endRegistrations = onRegistrations(control as WatchedControl, register, onRegistering);
  watch();
  const hostEvents = ['hostUp', 'hostDown', 'hostAdd', 'hostRemove'];
  for (const event of hostEvents) client.on?.(event, onAny);

  return () => {
    unwatch();
    endRegistrations();
    for (const event of hostEvents) client.removeListener?.(event, onAny);
  };
}

/** Calls back each time that the driver subscribes to events on another connection, before and after it has. */
function onRegistrations(
  control: WatchedControl,
  original: () => Promise<void>,
  callback: () => void,
): () => void {
  const shared = (control[LISTENERS] ??= listenersOn(control, original));
  shared.listeners.add(callback);
  return () => {
    shared.listeners.delete(callback);
    if (shared.listeners.size > 0 || control._registerToConnectionEvents !== shared.register) return;
    control._registerToConnectionEvents = shared.original;
    control[LISTENERS] = undefined;
  };
}

function listenersOn(control: WatchedControl, original: () => Promise<void>): SharedListeners {
  const listeners = new Set<() => void>();
  const register = async (): Promise<void> => {
    for (const each of listeners) each();
    await original.call(control);
    // What changed until now was not heard.
    for (const each of listeners) each();
  };
  control._registerToConnectionEvents = register;
  return { listeners, register, original };
}

import type { ControlConnection, DriverClient, SchemaChangeEvent } from './driver-internals.js';

/** Told which keyspace has changed; `undefined`: any of them may have. */
export type SchemaListener = (keyspace: string | undefined) => void;

/**
 * Hears of schema changes: by the events of the server, which come over the driver's control connection, and whenever
 * some of them may have been missed: that connection is another one, or a host has gone or come back. A host that
 * starts prepares again what it has kept, under the schema of now, and accepts ids of before.
 *
 * @returns ends it; `undefined` if the driver has no control connection of the kind that was expected
 */
export function watchSchema(client: DriverClient, listener: SchemaListener): (() => void) | undefined {
  const { controlConnection: control } = client;
  const original = control?._registerToConnectionEvents;
  if (!control || typeof original !== 'function') return undefined;

  const onAny = (): void => listener(undefined);
  const onEvent = ({ keyspace }: SchemaChangeEvent): void => listener(keyspace);
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

  const register = async (): Promise<void> => {
    watch();
    await original.call(control);
    // What changed until now was not heard.
    onAny();
  };
  control._registerToConnectionEvents = register;
  watch();
  const hostEvents = ['hostUp', 'hostDown', 'hostAdd', 'hostRemove'];
  for (const event of hostEvents) client.on?.(event, onAny);

  return () => {
    unwatch();
    if (control._registerToConnectionEvents === register) control._registerToConnectionEvents = original;
    for (const event of hostEvents) client.removeListener?.(event, onAny);
  };
}

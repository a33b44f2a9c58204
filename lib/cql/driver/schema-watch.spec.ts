import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { DriverClient } from './driver-internals.js';
import { SchemaViews } from './schema-view.js';
import { watchSchema } from './schema-watch.js';

/** A client whose control connection the test moves. */
class FakeClient extends EventEmitter {
  registered = 0;
  readonly controlConnection = {
    connection: new EventEmitter(),
    _registerToConnectionEvents: (): Promise<void> => {
      this.registered++;
      return Promise.resolve();
    },
  };

  async reconnect(): Promise<EventEmitter> {
    const before = this.controlConnection.connection;
    this.controlConnection.connection = new EventEmitter();
    await this.controlConnection._registerToConnectionEvents();
    return before;
  }
}

function watched() {
  const client = new FakeClient();
  const heard: (string | undefined)[] = [];
  const end = watchSchema(client as unknown as DriverClient, (keyspace) => heard.push(keyspace));
  return { client, heard, end };
}

describe('the watch for schema changes', () => {
  it('hears the keyspace of an event', () => {
    const { client, heard } = watched();
    client.controlConnection.connection.emit('nodeSchemaChange', { keyspace: 'shop', table: 'users' });
    expect(heard).toEqual(['shop']);
  });

  it('takes any keyspace for changed when the control connection is lost, and when there is another one', async () => {
    const { client, heard } = watched();
    client.controlConnection.connection.emit('socketClose');
    expect(heard).toEqual([undefined]);
    await client.reconnect();
    expect(heard).toEqual([undefined, undefined]);
    expect(client.registered).toBe(1);
  });

  it('hears events on the new connection and not on the old one, which may live on', async () => {
    const { client, heard } = watched();
    const old = await client.reconnect();
    heard.length = 0;
    old.emit('nodeSchemaChange', { keyspace: 'old' });
    client.controlConnection.connection.emit('nodeSchemaChange', { keyspace: 'new' });
    expect(heard).toEqual(['new']);
  });

  it.each(['hostUp', 'hostDown', 'hostAdd', 'hostRemove'])('takes any for changed at %s', (event) => {
    const { client, heard } = watched();
    client.emit(event);
    expect(heard).toEqual([undefined]);
  });

  it('leaves nothing behind when it ends', async () => {
    const { client, heard, end } = watched();
    const { connection } = client.controlConnection;
    end?.();
    expect([client.eventNames(), connection.eventNames()]).toEqual([[], []]);
    await client.reconnect();
    expect(heard).toEqual([]);
    expect(client.controlConnection.connection.eventNames()).toEqual([]);
  });

  it.each([undefined, {}])(
    'is not possible without a control connection that can be watched: %s',
    (control) => {
      const client = Object.assign(new EventEmitter(), { controlConnection: control });
      expect(watchSchema(client as unknown as DriverClient, () => undefined)).toBeUndefined();
      expect(client.eventNames()).toEqual([]);
    },
  );
});

describe('the view of a keyspace', () => {
  it('is the same until the keyspace changes', () => {
    const views = new SchemaViews();
    const view = views.of('shop');
    expect(views.of('shop')).toBe(view);
    views.expire('other');
    expect([view.isCurrent, views.of('shop')]).toEqual([true, view]);
    views.expire('shop');
    expect(view.isCurrent).toBe(false);
    expect(views.of('shop')).not.toBe(view);
  });

  it('is over when any may have changed', () => {
    const views = new SchemaViews();
    const all = [views.of('shop'), views.of('other'), views.of(undefined)];
    views.expire(undefined);
    expect(all.map(({ isCurrent }) => isCurrent)).toEqual([false, false, false]);
  });

  it('of several keyspaces is over with any change', () => {
    const views = new SchemaViews();
    const several = views.of(undefined);
    views.expire('shop');
    expect(several.isCurrent).toBe(false);
  });
});

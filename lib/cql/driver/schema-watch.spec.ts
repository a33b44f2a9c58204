import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { DriverClient } from './driver-internals.js';
import { type SchemaChange, SchemaViews } from './schema-view.js';
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
  const heard: SchemaChange[] = [];
  const end = watchSchema(client as unknown as DriverClient, (change) => heard.push(change));
  return { client, heard, end };
}

describe('the watch for schema changes', () => {
  it('hears the table of an event; of a type, the keyspace', () => {
    const { client, heard } = watched();
    const { connection } = client.controlConnection;
    connection.emit('nodeSchemaChange', { keyspace: 'shop', table: 'users', udt: null });
    connection.emit('nodeSchemaChange', { keyspace: 'shop', table: null, udt: 'addr' });
    expect(heard).toEqual([{ keyspace: 'shop', table: 'users' }, { keyspace: 'shop' }]);
  });

  it('takes any keyspace for changed when the control connection is lost, and when there is another one', async () => {
    const { client, heard } = watched();
    client.controlConnection.connection.emit('socketClose');
    expect(heard).toEqual([{}]);
    await client.reconnect();
    // Once before it has subscribed and once after.
    expect(heard).toEqual([{}, {}, {}]);
    expect(client.registered).toBe(1);
  });

  it('hears events on the new connection and not on the old one, which may live on', async () => {
    const { client, heard } = watched();
    const old = await client.reconnect();
    heard.length = 0;
    old.emit('nodeSchemaChange', { keyspace: 'old' });
    client.controlConnection.connection.emit('nodeSchemaChange', { keyspace: 'new' });
    expect(heard).toEqual([{ keyspace: 'new' }]);
  });

  it.each(['hostUp', 'hostDown', 'hostAdd', 'hostRemove'])('takes any for changed at %s', (event) => {
    const { client, heard } = watched();
    client.emit(event);
    expect(heard).toEqual([{}]);
  });

  it('is kept by one that shares the client with another that ends', async () => {
    const { client, heard, end } = watched();
    const others: SchemaChange[] = [];
    const endOther = watchSchema(client as unknown as DriverClient, (change) => others.push(change));
    end?.();
    await client.reconnect();
    expect([heard.length, others.length]).toEqual([0, 2]);
    endOther?.();
    await client.reconnect();
    expect([heard.length, others.length, client.registered]).toEqual([0, 2, 2]);
    expect([client.eventNames(), client.controlConnection.connection.eventNames()]).toEqual([[], []]);
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

describe('the view of a table', () => {
  it.each<[change: SchemaChange, expired: boolean]>([
    [{ keyspace: 'shop', table: 'users' }, true],
    [{ keyspace: 'shop', table: 'orders' }, false],
    [{ keyspace: 'shop' }, true],
    [{ keyspace: 'other', table: 'users' }, false],
    [{ keyspace: 'other' }, false],
    [{}, true],
  ])('with %j is over: %s', (change, expired) => {
    const views = new SchemaViews();
    const view = views.of('shop', 'users');
    expect(views.of('shop', 'users')).toBe(view);
    views.expire(change);
    expect(view.isCurrent).toBe(!expired);
    expect(views.of('shop', 'users') === view).toBe(!expired);
    // That something may have been missed is not to know that it has changed.
    expect(views.changesOf(view)).toBe(expired && change.keyspace !== undefined ? 1 : 0);
  });

  it('is what changes are counted for, and nothing that nobody has looked at', () => {
    const views = new SchemaViews();
    views.expire({ keyspace: 'shop', table: 'users' });
    const view = views.of('shop', 'users');
    expect(views.changesOf(view)).toBe(0);
    views.expire({ keyspace: 'shop', table: 'users' });
    views.expire({ keyspace: 'shop' });
    expect(views.changesOf(view)).toBe(2);
  });

  it.each<[keyspace: string | undefined, change: SchemaChange, expired: boolean]>([
    ['shop', { keyspace: 'shop', table: 'users' }, true],
    ['shop', { keyspace: 'other', table: 'users' }, false],
    [undefined, { keyspace: 'shop', table: 'users' }, true],
  ])('of several tables, of keyspace %s, with %j is over: %s', (keyspace, change, expired) => {
    const views = new SchemaViews();
    const view = views.of(keyspace, undefined);
    views.expire(change);
    expect(view.isCurrent).toBe(!expired);
  });
});

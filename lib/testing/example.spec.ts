import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HelixCqlService, HelixService, type WriteReceipt } from '../index.js';
import { HelixTestingClusters, HelixTestingModule } from './index.js';

interface User {
  readonly id: number;
  readonly name: string;
}

@Injectable()
class UsersService {
  constructor(private readonly helix: HelixCqlService) {}

  find(id: number): Promise<User | undefined> {
    return this.helix.query<User>('SELECT id, name FROM users WHERE id = ?', [id]).one();
  }

  rename(id: number, name: string): Promise<WriteReceipt> {
    return this.helix.query('UPDATE users SET name = ? WHERE id = ?', [name, id]).exec();
  }
}

describe('UsersService', () => {
  let app: TestingModule;
  let users: UsersService;
  let helix: HelixService;
  let clusters: HelixTestingClusters;

  beforeEach(async () => {
    app = await Test.createTestingModule({
      imports: [HelixTestingModule.forRoot({ schema: 'CREATE TABLE users (id int PRIMARY KEY, name text)' })],
      providers: [UsersService],
    }).compile();
    await app.init();
    users = app.get(UsersService);
    helix = app.get(HelixService);
    clusters = app.get(HelixTestingClusters);
    clusters.seed('users', [{ id: 1, name: 'Ada' }]);
  });

  afterEach(() => app.close());

  it('renames on both clusters', async () => {
    expect(await users.rename(1, 'Grace')).toMatchObject({ A: 'applied', B: 'applied' });
    expect(clusters.A.rows('users')).toEqual([{ id: 1, name: 'Grace' }]);
    expect(clusters.differences()).toEqual([]);
  });

  it('goes on while a cluster is down, and heals it', async () => {
    clusters.B.goDown();
    expect(await users.rename(1, 'Grace')).toMatchObject({ A: 'applied', B: 'queued' });
    expect(clusters.B.rows('users')).toEqual([{ id: 1, name: 'Ada' }]);

    clusters.B.comeBack();
    await helix.syncPoint();
    expect(clusters.differences()).toEqual([]);
  });

  it('reads from the other cluster', async () => {
    clusters.A.goDown();
    expect(await users.find(1)).toEqual({ id: 1, name: 'Ada' });
  });
});

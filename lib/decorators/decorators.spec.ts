import { setImmediate as macrotask } from 'node:timers/promises';
import {
  type ArgumentMetadata,
  type CallHandler,
  type CanActivate,
  Controller,
  createParamDecorator,
  type DynamicModule,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  type INestApplication,
  type LoggerService,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  type OnModuleInit,
  Param,
  ParseIntPipe,
  type PipeTransform,
  Res,
  Scope,
  SetMetadata,
  Sse,
  UseGuards,
} from '@nestjs/common';
import { APP_INTERCEPTOR, ContextIdFactory, ModuleRef, NestFactory, Reflector, REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { concatMap, defer, lastValueFrom, map, type Observable, of, take, timer, toArray } from 'rxjs';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { columns, FakeCqlClient, type } from '../../test/support/fake-cql-client.js';
import { HelixConfigError, HelixUsageError } from '../core/index.js';
import { HelixCqlService } from '../cql/index.js';
import type { HelixInstance } from '../helix.instance.js';
import { HelixModule } from '../helix.module.js';
import { HelixService } from '../helix.service.js';
import { getHelixToken, internalToken } from '../helix.tokens.js';
import { DualWrite } from './dual-write.decorator.js';
import { StickyRead } from './sticky-read.decorator.js';

// Applications as a user has them, and nothing that only one major version of Nest has.

const SILENT: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };

interface Closable {
  close(): Promise<void>;
}

let open: Closable[];
/** What shows the contexts of the applications that were started, in this order. */
let instances: HelixInstance[];

beforeEach(() => {
  open = [];
  instances = [];
});

afterEach(async () => {
  // Nest 11 rejects for an application that did not start.
  await Promise.allSettled(open.map((each) => each.close()));
});

function helix(name?: string, isGlobal?: boolean): DynamicModule {
  const cql = { A: new FakeCqlClient(), B: new FakeCqlClient() };
  return HelixModule.forRoot({
    cql,
    ...(name !== undefined && { name }),
    ...(isGlobal !== undefined && { isGlobal }),
  });
}

function watch(app: { get: ModuleRef['get'] }, name = 'default'): void {
  instances.push(app.get<HelixInstance>(internalToken('instance', name), { strict: false }));
}

async function compile(metadata: ModuleMetadata): Promise<TestingModule> {
  const module = await Test.createTestingModule(metadata).setLogger(SILENT).compile();
  open.push(module);
  return module;
}

/** An application with the default instance, ready. */
async function start({ imports = [], ...metadata }: ModuleMetadata): Promise<TestingModule> {
  const module = await compile({ imports: [helix(), ...imports], ...metadata });
  await module.init();
  watch(module);
  return module;
}

async function startHttp({ imports = [], ...metadata }: ModuleMetadata): Promise<INestApplication> {
  @Module({ imports: [helix(), ...imports], ...metadata })
  class App {}
  const app = await NestFactory.create(App, { logger: false, abortOnError: false });
  open.push(app);
  await app.init();
  watch(app);
  return app;
}

const server = (app: INestApplication) => request(app.getHttpServer() as Parameters<typeof request>[0]);

/** The priority that a write made here would have, of each application that was started; `-` without context. */
const seen = (): string =>
  instances.map(({ contexts }) => contexts.getStore()?.settings.priority ?? '-').join();

@Injectable()
class Orders {
  @DualWrite({ priority: 'low' })
  async save(): Promise<string> {
    await macrotask();
    return seen();
  }

  @DualWrite({ priority: 'low' })
  saveNow(): string {
    return seen();
  }

  @DualWrite({ priority: 'low' })
  async *stream(): AsyncGenerator<string> {
    yield seen();
    await macrotask();
    yield seen();
  }

  @DualWrite({ priority: 'low' })
  *steps(): Generator<string> {
    yield seen();
    yield seen();
  }

  @DualWrite({ priority: 'low' })
  watch(): Observable<string> {
    return timer(0, 1).pipe(
      take(2),
      concatMap(() => defer(async () => seen())),
    );
  }

  @DualWrite({ priority: 'high', ack: 'both' })
  async urgent(): Promise<unknown> {
    const around = instances[0]?.contexts.getStore()?.settings;
    return [around, await this.within()];
  }

  @DualWrite({ priority: 'low' })
  async within(): Promise<unknown> {
    await macrotask();
    return instances[0]?.contexts.getStore()?.settings;
  }

  @DualWrite({ timeoutMs: 1 })
  async fail(error: unknown): Promise<void> {
    await macrotask();
    throw error;
  }

  @DualWrite({})
  failNow(error: unknown): void {
    throw error;
  }

  /** Not decorated. */
  async plain(): Promise<string[]> {
    return [seen(), await this.save(), seen()];
  }
}

describe('a decorated method of a provider has a context', () => {
  it('when it returns a promise', async () => {
    const orders = (await start({ providers: [Orders] })).get(Orders);
    expect(await orders.save()).toBe('low');
    expect(seen()).toBe('-');
  });

  it('when it returns a value', async () => {
    expect((await start({ providers: [Orders] })).get(Orders).saveNow()).toBe('low');
  });

  it('in every step of an async generator, but not between them', async () => {
    const orders = (await start({ providers: [Orders] })).get(Orders);
    const steps: string[] = [];
    for await (const step of orders.stream()) steps.push(step, seen());
    expect(steps).toEqual(['low', '-', 'low', '-']);
  });

  it('in every step of a generator, but not between them', async () => {
    const orders = (await start({ providers: [Orders] })).get(Orders);
    const steps: string[] = [];
    for (const step of orders.steps()) steps.push(step, seen());
    expect(steps).toEqual(['low', '-', 'low', '-']);
  });

  it('in everything an Observable sets off, but not in its subscriber', async () => {
    const orders = (await start({ providers: [Orders] })).get(Orders);
    const values = orders.watch().pipe(
      map((value) => [value, seen()]),
      toArray(),
    );
    expect((await lastValueFrom(values)).flat()).toEqual(['low', '-', 'low', '-']);
  });

  it('when it is called by another method of the same object', async () => {
    expect(await (await start({ providers: [Orders] })).get(Orders).plain()).toEqual(['-', 'low', '-']);
  });

  it('that takes over what it does not set from the one around it', async () => {
    expect(await (await start({ providers: [Orders] })).get(Orders).urgent()).toMatchObject([
      { priority: 'high', ack: 'both' },
      { priority: 'low', ack: 'both' },
    ]);
  });

  it('of its own when a hundred calls overlap', async () => {
    @Injectable()
    class Reports {
      @StickyRead({ key: (id: number) => String(id) })
      async read(id: number): Promise<string[]> {
        const keys: string[] = [];
        for (let turn = 0; turn < 3; turn++) {
          await macrotask();
          keys.push(instances[0]?.contexts.getStore()?.key ?? '-');
        }
        return [String(id), ...keys];
      }
    }
    const reports = (await start({ providers: [Reports] })).get(Reports);
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => reports.read(i)));
    expect(all).toEqual(all.map((_, i) => Array.from({ length: 4 }, () => String(i))));
  });

  it('and throws what it would throw without', async () => {
    const orders = (await start({ providers: [Orders] })).get(Orders);
    const error = new Error('of the method');
    await expect(orders.fail(error)).rejects.toBe(error);
    await expect(orders.fail('a text')).rejects.toBe('a text');
    expect(() => orders.failNow(error)).toThrow(error);
  });

  it('with the options of both decorators', async () => {
    @Injectable()
    class Reports {
      @DualWrite({ ack: 'both' })
      @StickyRead({ cluster: 'B', hedgeAfterMs: 5 })
      async reading(): Promise<unknown> {
        const { settings, preferred, mayWrite } = instances[0]?.contexts.getStore() ?? {};
        return { ...settings, preferred, mayWrite };
      }

      @StickyRead({ cluster: 'B', hedgeAfterMs: 5 })
      @DualWrite({ ack: 'both' })
      async writing(): Promise<unknown> {
        const { settings, preferred, mayWrite } = instances[0]?.contexts.getStore() ?? {};
        return { ...settings, preferred, mayWrite };
      }
    }
    const reports = (await start({ providers: [Reports] })).get(Reports);
    const both = { ack: 'both', hedgeAfterMs: 5, preferred: 'B' };
    expect(await reports.reading()).toMatchObject({ ...both, mayWrite: false });
    expect(await reports.writing()).toMatchObject({ ...both, mayWrite: true });
  });
});

describe('a key', () => {
  @Injectable()
  class Reports {
    @StickyRead({ key: (customer: { id: string }, year: number) => `${customer.id}:${year}` })
    async ofYear(customer: { id: string }, year: number, ...rest: string[]): Promise<unknown> {
      return [instances[0]?.contexts.getStore()?.key, customer.id, year, ...rest];
    }

    @StickyRead({ key: (id: unknown) => id as string })
    async byId(id: unknown): Promise<unknown> {
      return id;
    }

    @StickyRead({ key: (customer: { id: string }) => customer.id })
    now(customer: { id: string } | undefined): unknown {
      return customer;
    }
  }

  it('is made of the arguments', async () => {
    const reports = (await start({ providers: [Reports] })).get(Reports);
    expect(await reports.ofYear({ id: 'x' }, 2026, 'more')).toEqual(['x:2026', 'x', 2026, 'more']);
  });

  it('that is no string is refused, without its value', async () => {
    const reports = (await start({ providers: [Reports] })).get(Reports);
    const call = reports.byId(4711);
    await expect(call).rejects.toThrow(HelixUsageError);
    await expect(call).rejects.toThrow(
      /^@StickyRead\(\) on Reports\.byId: key: expected a string, received number$/,
    );
  });

  it('that cannot be made throws its own error', async () => {
    const reports = (await start({ providers: [Reports] })).get(Reports);
    expect(() => reports.now(undefined)).toThrow(TypeError);
  });
});

describe('a controller', () => {
  const Role = (role: string) => SetMetadata('role', role);
  const Caller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
    context.switchToHttp().getRequest<{ get(header: string): string | undefined }>().get('x-role'),
  );

  @Injectable()
  class RoleGuard implements CanActivate {
    constructor(private readonly reflector: Reflector) {}

    canActivate(context: ExecutionContext): boolean {
      const role = this.reflector.get<string | undefined>('role', context.getHandler());
      const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
      if (role === undefined) throw new Error('the metadata is gone');
      if (headers['x-role'] !== role) throw new ForbiddenException();
      return true;
    }
  }

  /** Notes the type of the parameter, which the compiler has left. */
  @Injectable()
  class Typed implements PipeTransform {
    transform(value: unknown, { metatype }: ArgumentMetadata): string {
      return `${String(value)} as ${metatype?.name ?? 'nothing'}`;
    }
  }

  @Controller()
  class OrdersController {
    @DualWrite({ priority: 'low' })
    @Get('above/:id')
    @Role('clerk')
    @UseGuards(RoleGuard)
    async above(@Param('id', ParseIntPipe) id: number, @Caller() caller: string): Promise<unknown> {
      return [id, caller, seen()];
    }

    @Get('below/:id')
    @Role('clerk')
    @UseGuards(RoleGuard)
    @DualWrite({ priority: 'low' })
    async below(@Param('id', ParseIntPipe) id: number, @Caller() caller: string): Promise<unknown> {
      return [id, caller, seen()];
    }

    @Get('between/:id')
    @Role('clerk')
    @DualWrite({ priority: 'low' })
    @UseGuards(RoleGuard)
    async between(@Param('id', ParseIntPipe) id: number, @Caller() caller: string): Promise<unknown> {
      return [id, caller, seen()];
    }

    @DualWrite({ priority: 'low' })
    @Get('typed/:id')
    async typed(@Param('id', Typed) id: number): Promise<unknown> {
      return [id];
    }

    @Get('response')
    @DualWrite({ priority: 'low' })
    async response(@Res() response: { json(body: unknown): unknown }): Promise<unknown> {
      return response.json([seen()]);
    }

    @Get('observable')
    @DualWrite({ priority: 'low' })
    async observable(): Promise<Observable<unknown>> {
      return of(defer(async () => [seen()])).pipe(concatMap((each) => each));
    }

    @Sse('events')
    @DualWrite({ priority: 'low' })
    events(): Observable<unknown> {
      return timer(0, 1).pipe(
        take(2),
        map(() => ({ data: seen() })),
      );
    }
  }
  const metadata = { controllers: [OrdersController], providers: [RoleGuard] };

  it.each(['above', 'below', 'between'])(
    'keeps routes, guards, metadata, pipes and parameters, with the decorator %s them',
    async (where) => {
      const app = await startHttp(metadata);
      const get = (id: string, role: string) => server(app).get(`/${where}/${id}`).set('x-role', role);
      expect((await get('7', 'clerk').expect(200)).body).toEqual([7, 'clerk', 'low']);
      await get('7', 'visitor').expect(403);
      await get('seven', 'clerk').expect(400);
    },
  );

  it('keeps the types of its parameters', async () => {
    const app = await startHttp(metadata);
    expect((await server(app).get('/typed/7').expect(200)).body).toEqual(['7 as Number']);
    expect(Reflect.getMetadata('design:paramtypes', OrdersController.prototype, 'above')).toEqual([
      Number,
      String,
    ]);
  });

  it('may answer by the response object', async () => {
    expect(
      (
        await server(await startHttp(metadata))
          .get('/response')
          .expect(200)
      ).body,
    ).toEqual(['low']);
  });

  it('may answer by a promise of an Observable', async () => {
    expect(
      (
        await server(await startHttp(metadata))
          .get('/observable')
          .expect(200)
      ).body,
    ).toEqual(['low']);
  });

  it('may send events', async () => {
    const { text } = await server(await startHttp(metadata))
      .get('/events')
      .expect(200);
    expect(text.match(/data: low/g)).toHaveLength(2);
  });

  it.each([
    ['once', Scope.DEFAULT],
    ['for each request', Scope.REQUEST],
  ])('gets the context of an interceptor that a factory makes %s', async (_when, scope) => {
    class Interceptor implements NestInterceptor {
      @DualWrite({ priority: 'low' })
      intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle();
      }
    }
    @Controller()
    class PlainController {
      @Get('plain')
      async get(): Promise<unknown> {
        await macrotask();
        return [seen()];
      }
    }
    const provider = { provide: APP_INTERCEPTOR, scope, useFactory: () => new Interceptor() };
    const app = await startHttp({ controllers: [PlainController], providers: [provider] });
    expect((await server(app).get('/plain').expect(200)).body).toEqual(['low']);
  });

  it('may be request-scoped', async () => {
    @Controller({ path: 'mine', scope: Scope.REQUEST })
    class MyController {
      constructor(@Inject(REQUEST) private readonly request: { get(header: string): string }) {}

      @Get()
      @DualWrite({ priority: 'low' })
      async get(): Promise<unknown> {
        await macrotask();
        return [this.request.get('x-role'), seen()];
      }
    }
    const app = await startHttp({ controllers: [MyController] });
    const get = async (role: string) => (await server(app).get('/mine').set('x-role', role)).body as unknown;
    expect(await Promise.all([get('clerk'), get('visitor')])).toEqual([
      ['clerk', 'low'],
      ['visitor', 'low'],
    ]);
  });
});

describe('other decorators', () => {
  /** Replaces the method, as many libraries do. */
  const Noting =
    (log: unknown[], what: string): MethodDecorator =>
    (_target, _property, descriptor: PropertyDescriptor) => {
      const inner = descriptor.value as (...args: unknown[]) => unknown;
      descriptor.value = async function (...args: unknown[]) {
        log.push(`${what} ${seen()}`);
        return inner.apply(this, args);
      };
    };

  it('may replace the method, above and below', async () => {
    const log: unknown[] = [];
    @Injectable()
    class Wrapped {
      readonly own = 'own';

      @Noting(log, 'above')
      @DualWrite({ priority: 'low' })
      @Noting(log, 'below')
      async save(...args: number[]): Promise<unknown> {
        return [this.own, ...args, seen()];
      }
    }
    const wrapped = (await start({ providers: [Wrapped] })).get(Wrapped);
    expect(await wrapped.save(1, 2)).toEqual(['own', 1, 2, 'low']);
    expect(log).toEqual(['above -', 'below low']);
  });

  it('find the metadata of the method above and below, whatever their keys', () => {
    const symbol = Symbol('key');
    class Documented {
      @SetMetadata('above', 1)
      @DualWrite()
      @SetMetadata('below', 2)
      @SetMetadata(symbol, 3)
      async save(): Promise<string> {
        return seen();
      }
    }
    const { save } = Documented.prototype;
    const found = ['above', 'below', symbol].map((key) => Reflect.getMetadata(key, save) as unknown);
    expect(found).toEqual([1, 2, 3]);
  });
});

describe('inheritance', () => {
  it('of a decorated method, with an injected property of the subclass', async () => {
    @Injectable()
    class Dependency {}
    @Injectable()
    class Inheriting extends Orders {
      @Inject(Dependency) readonly dependency!: Dependency;
    }
    const inheriting = (await start({ providers: [Dependency, Inheriting] })).get(Inheriting);
    expect(await inheriting.save()).toBe('low');
    expect(inheriting.dependency).toBeInstanceOf(Dependency);
  });

  it('of an override without a decorator, which has no context, and of super', async () => {
    @Injectable()
    class Overriding extends Orders {
      override async save(): Promise<string> {
        return [seen(), await super.save(), seen()].join(' ');
      }
    }
    expect(await (await start({ providers: [Overriding] })).get(Overriding).save()).toBe('- low -');
  });

  it('of a method that is decorated in both classes', async () => {
    @Injectable()
    class Overriding extends Orders {
      @DualWrite({ priority: 'high', ack: 'both' })
      override async within(): Promise<unknown> {
        const around = instances[0]?.contexts.getStore()?.settings;
        return [around, await super.within()];
      }
    }
    expect(await (await start({ providers: [Overriding] })).get(Overriding).within()).toMatchObject([
      { priority: 'high', ack: 'both' },
      { priority: 'low', ack: 'both' },
    ]);
  });

  it('from an abstract class, by siblings that do not share anything', async () => {
    abstract class Repository {
      abstract readonly table: string;
      @DualWrite({ priority: 'low' })
      async save(): Promise<string> {
        return `${this.table} ${seen()}`;
      }
    }
    @Injectable()
    class Users extends Repository {
      readonly table = 'users';
    }
    @Injectable()
    class Events extends Repository {
      readonly table = 'events';
      @StickyRead({ cluster: 'A' })
      async read(): Promise<unknown> {
        return instances[0]?.contexts.getStore()?.preferred;
      }
    }
    const app = await start({ providers: [Users, Events] });
    expect(await app.get(Users).save()).toBe('users low');
    expect(await app.get(Events).save()).toBe('events low');
    expect(await app.get(Events).read()).toBe('A');
  });
});

describe('scopes', () => {
  it('of a request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class OfRequest extends Orders {}
    const app = await start({ providers: [OfRequest] });
    const [one, two] = [await app.resolve(OfRequest), await app.resolve(OfRequest)];
    expect(one).not.toBe(two);
    expect([await one.save(), await two.save()]).toEqual(['low', 'low']);
  });

  it('of a consumer', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Orders {}
    @Injectable()
    class One {
      constructor(readonly own: Transient) {}
    }
    @Injectable()
    class Two {
      constructor(readonly own: Transient) {}
    }
    const app = await start({ providers: [Transient, One, Two] });
    const [one, two] = [app.get(One).own, app.get(Two).own];
    expect(one).not.toBe(two);
    expect([await one.save(), await two.save()]).toEqual(['low', 'low']);
  });

  it('of ModuleRef.create()', async () => {
    const app = await start({});
    expect(await (await app.get(ModuleRef).create(Orders)).save()).toBe('low');
  });
});

describe('what a factory makes has a context', () => {
  const ORDERS = 'ORDERS';

  it('when it is a provider', async () => {
    const app = await start({ providers: [{ provide: ORDERS, useFactory: () => new Orders() }] });
    expect(await app.get<Orders>(ORDERS).save()).toBe('low');
  });

  it('when it takes its time', async () => {
    const useFactory = async () => macrotask(new Orders());
    const app = await start({ providers: [{ provide: ORDERS, useFactory }] });
    expect(await app.get<Orders>(ORDERS).save()).toBe('low');
  });

  it('for a request', async () => {
    const provider = {
      provide: ORDERS,
      scope: Scope.REQUEST,
      inject: [REQUEST],
      useFactory: (of: unknown) => Object.assign(new Orders(), { of }),
    };
    const app = await start({ providers: [provider] });
    const id = ContextIdFactory.create();
    app.registerRequestByContextId('this request', id);
    const ofRequest = await app.resolve<Orders & { of: unknown }>(ORDERS, id);
    expect([ofRequest.of, await ofRequest.save()]).toEqual(['this request', 'low']);
  });

  it('for a consumer', async () => {
    const provider = { provide: ORDERS, scope: Scope.TRANSIENT, useFactory: () => new Orders() };
    @Injectable()
    class One {
      constructor(@Inject(ORDERS) readonly own: Orders) {}
    }
    const app = await start({ providers: [provider, One] });
    const later = await app.resolve<Orders>(ORDERS);
    expect([await app.get(One).own.save(), await later.save()]).toEqual(['low', 'low']);
  });

  it('before any other module is initialised', async () => {
    @Injectable()
    class Warming implements OnModuleInit {
      found: unknown;
      constructor(@Inject(ORDERS) private readonly orders: Orders) {}
      async onModuleInit(): Promise<void> {
        this.found = await this.orders.within();
      }
    }
    @Module({ providers: [Warming, { provide: ORDERS, useFactory: () => new Orders() }] })
    class Feature {}
    const module = await compile({ imports: [Feature, helix()] });
    watch(module);
    await module.init();
    expect(module.get(Warming, { strict: false }).found).toMatchObject({ priority: 'low' });
  });

  it('but not before it is initialised: that is said', async () => {
    const useFactory = (orders: Orders) => orders.save();
    const early = compile({
      imports: [helix()],
      providers: [
        { provide: ORDERS, useFactory: () => new Orders() },
        { provide: 'EARLY', useFactory, inject: [ORDERS] },
      ],
    });
    await expect(early).rejects.toThrow(HelixUsageError);
    await expect(early).rejects.toThrow('used before its module is initialised');
  });
});

describe('what is given as a value', () => {
  const ORDERS = 'ORDERS';

  it('has a context', async () => {
    const app = await start({ providers: [{ provide: ORDERS, useValue: new Orders() }] });
    expect(await app.get<Orders>(ORDERS).save()).toBe('low');
  });

  it('shows nothing of it', async () => {
    const useValue = new Orders();
    await start({ providers: [{ provide: ORDERS, useValue }] });
    expect(Reflect.ownKeys(useValue).filter((key) => Object.keys(useValue).includes(String(key)))).toEqual(
      [],
    );
    expect(useValue).toEqual(new Orders());
  });

  it('may be given twice in one application', async () => {
    const useValue = new Orders();
    await start({
      providers: [
        { provide: ORDERS, useValue },
        { provide: 'AGAIN', useValue },
        { provide: 'ALIAS', useExisting: ORDERS },
      ],
    });
    expect(await useValue.save()).toBe('low');
  });

  it.each<[what: string, useValue: unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'text'],
    ['a function', () => 1],
    ['an object without a prototype', Object.create(null)],
    ['a frozen object', Object.freeze({})],
    [
      'an object that may not be looked at',
      new Proxy(
        {},
        {
          has: () => {
            throw new Error('not now');
          },
        },
      ),
    ],
  ])('may be %s', async (_what, useValue) => {
    await expect(start({ providers: [{ provide: ORDERS, useValue }] })).resolves.toBeDefined();
  });

  it('and is frozen is refused at the start, with what to do', async () => {
    const useValue = Object.freeze(new Orders());
    const started = start({ providers: [{ provide: ORDERS, useValue }] });
    await expect(started).rejects.toThrow(HelixConfigError);
    await expect(started).rejects.toThrow(
      /^Provider ORDERS \(an object of Orders\) is frozen.*Do not freeze it/,
    );
  });

  it('and stands behind a proxy has a context', async () => {
    const app = await start({ providers: [{ provide: ORDERS, useValue: new Orders() }] });
    expect(await new Proxy(app.get<Orders>(ORDERS), {}).save()).toBe('low');
  });
});

describe('two instances', () => {
  @Injectable()
  class Both {
    @DualWrite({ priority: 'low' })
    async onDefault(): Promise<string> {
      return seen();
    }

    @DualWrite({ name: 'analytics', priority: 'high' })
    async onAnalytics(): Promise<string> {
      return seen();
    }

    @DualWrite({ priority: 'low' })
    @DualWrite({ name: 'analytics', priority: 'high' })
    async onBoth(): Promise<string> {
      return seen();
    }

    @DualWrite({ priority: 'low' })
    @DualWrite({ name: 'analytics', priority: 'high' })
    async *stream(): AsyncGenerator<string> {
      yield seen();
    }

    @DualWrite({ priority: 'low' })
    @DualWrite({ name: 'analytics', priority: 'high' })
    watch(): Observable<string> {
      return defer(async () => seen());
    }
  }

  it.each<[how: string, provider: object]>([
    ['Nest', Both],
    ['a factory', { provide: Both, useFactory: () => new Both() }],
  ])('in one class, made by %s: each decorator is of one of them', async (_how, provider) => {
    const app = await start({ imports: [helix('analytics')], providers: [provider as typeof Both] });
    watch(app, 'analytics');
    const both = app.get(Both);
    expect([await both.onDefault(), await both.onAnalytics(), await both.onBoth()]).toEqual([
      'low,-',
      '-,high',
      'low,high',
    ]);
    for await (const step of both.stream()) expect(step).toBe('low,high');
    expect(await lastValueFrom(both.watch())).toBe('low,high');
  });
});

describe('two applications in one process', () => {
  it('have contexts of their own', async () => {
    const one = await start({ providers: [Orders] });
    const two = await start({ providers: [Orders] });
    expect(await Promise.all([one.get(Orders).save(), two.get(Orders).save()])).toEqual(['low,-', '-,low']);
  });

  it('may not share a value: the second does not start, and takes nothing from the first', async () => {
    const useValue = new Orders();
    await start({ providers: [{ provide: 'ORDERS', useValue }] });
    const second = start({ providers: [{ provide: 'ORDERS', useValue }] });
    await expect(second).rejects.toThrow(HelixConfigError);
    await expect(second).rejects.toThrow(
      /^Provider ORDERS \(an object of Orders\) belongs to another application.*useFactory/,
    );
    expect(await useValue.save()).toBe('low');
  });

  it('may share it one after the other', async () => {
    const useValue = new Orders();
    const one = await start({ providers: [{ provide: 'ORDERS', useValue }] });
    await one.close();
    await start({ providers: [{ provide: 'ORDERS', useValue }] });
    expect(await useValue.save()).toBe('-,low');
  });
});

describe('without the instance', () => {
  @Injectable()
  class Reports {
    runs = 0;
    @StickyRead({ name: 'analytics' })
    async read(): Promise<void> {
      this.runs++;
    }
  }

  it.each<[how: string, provider: object]>([
    ['Nest', Orders],
    ['a factory', { provide: Orders, useFactory: () => new Orders() }],
  ])('a method of what %s made throws what to do', async (_how, provider) => {
    const module = await compile({ providers: [provider as typeof Orders] });
    await module.init();
    expect(() => module.get(Orders).saveNow()).toThrow(HelixUsageError);
    await expect(module.get(Orders).save()).rejects.toThrow(
      /^@DualWrite\(\) on Orders\.save was not run:.*"default"\. Import HelixModule\. /,
    );
  });

  it('of its name, a method throws the name and is not run', async () => {
    const reports = (await start({ providers: [Reports] })).get(Reports);
    await expect(reports.read()).rejects.toThrow(HelixUsageError);
    await expect(reports.read()).rejects.toThrow(/"analytics"\. Import HelixModule with name: 'analytics'/);
    expect(reports.runs).toBe(0);
  });
});

describe('the calls of the instance', () => {
  const INSERT = 'INSERT INTO users (id) VALUES (?)';

  @Injectable()
  class Users {
    constructor(private readonly helix: HelixCqlService) {}

    @StickyRead({ cluster: 'B' })
    async all(): Promise<unknown[]> {
      await macrotask();
      return this.helix.query('SELECT * FROM users').all();
    }

    @StickyRead()
    async reading(write: () => Promise<unknown>): Promise<unknown> {
      return write();
    }

    async add(): Promise<unknown> {
      return this.helix.query(INSERT, [1]).exec();
    }

    @DualWrite({ consistency: 'ALL' })
    async addToAll(): Promise<unknown> {
      return this.add();
    }
  }

  async function startUsers() {
    const clients = { A: new FakeCqlClient(), B: new FakeCqlClient() };
    for (const client of [clients.A, clients.B]) client.statements.set(INSERT, columns({ id: type('int') }));
    const module = await compile({ imports: [HelixModule.forRoot({ cql: clients })], providers: [Users] });
    await module.init();
    return { ...clients, users: module.get(Users) };
  }

  it('read from the side of @StickyRead', async () => {
    const { A, B, users } = await startUsers();
    for (let i = 0; i < 5; i++) await users.all();
    expect([A.executed.length, B.executed.length]).toEqual([0, 5]);
  });

  it('do not write within @StickyRead, unless a @DualWrite is around them', async () => {
    const { A, B, users } = await startUsers();
    await expect(users.reading(() => users.add())).rejects.toThrow(HelixUsageError);
    expect([A.executed, B.executed]).toEqual([[], []]);
    await users.reading(() => users.addToAll());
    for (const { executed } of [A, B]) expect(executed).toMatchObject([{ options: { consistency: 5 } }]);
  });
});

it('a module that is not global gives its instance to those that import it', async () => {
  @Module({ imports: [helix(undefined, false)], providers: [Orders], exports: [Orders] })
  class Feature {}
  const module = await compile({ imports: [Feature] });
  await module.init();
  watch(module);
  expect(await module.get(Orders, { strict: false }).save()).toBe('low');
});

describe.each([['HelixService', HelixService] as const, ['HelixCqlService', HelixCqlService] as const])(
  'the same for a function: %s',
  (_service, token) => {
    it('dualWrite', async () => {
      const service = (await start({})).get<HelixService | HelixCqlService>(token);
      expect(await service.dualWrite({ priority: 'low' }, async () => macrotask(seen()))).toBe('low');
      expect(() => service.dualWrite({ ack: 'all' as 'any' }, seen)).toThrow(HelixUsageError);
    });

    it('stickyRead, with a key', async () => {
      const service = (await start({})).get<HelixService | HelixCqlService>(token);
      const key = await service.stickyRead({ key: 'x' }, async () => instances[0]?.contexts.getStore()?.key);
      expect(key).toBe('x');
    });

    it('of the instance it belongs to', async () => {
      const app = await start({ imports: [helix('analytics')] });
      watch(app, 'analytics');
      const service = app.get<HelixService | HelixCqlService>(getHelixToken<unknown>(token, 'analytics'));
      expect(service.dualWrite({ priority: 'low' }, seen)).toBe('-,low');
    });
  },
);

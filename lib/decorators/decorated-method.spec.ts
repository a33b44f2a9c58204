import { describe, expect, expectTypeOf, it } from 'vitest';
import { HelixUsageError } from '../core/index.js';
import { DualWrite } from './dual-write.decorator.js';
import { StickyRead } from './sticky-read.decorator.js';

type AnyDecorator = (...position: unknown[]) => void;

describe.each([
  ['@DualWrite()', () => DualWrite() as AnyDecorator],
  ['@StickyRead()', () => StickyRead() as AnyDecorator],
])('%s somewhere else than on a method is refused', (decorator, make) => {
  class Orders {
    static find(): number {
      return 1;
    }
    get first(): number {
      return Orders.find();
    }
  }
  const descriptorOf = (of: object, property: string) => Object.getOwnPropertyDescriptor(of, property);

  it.each<[place: string, position: unknown[], message: RegExp]>([
    ['a class', [Orders], /on class Orders.*Put it on each method/],
    ['a constructor parameter', [Orders, undefined, 0], /on a constructor parameter of Orders/],
    ['a parameter', [Orders.prototype, 'find', 0], /on a parameter of Orders\.find.*Put it on the method/],
    ['a property', [Orders.prototype, 'all', undefined], /on the property Orders\.all.*Make it a method/],
    [
      'an accessor',
      [Orders.prototype, 'first', descriptorOf(Orders.prototype, 'first')],
      /on the accessor Orders\.first.*Make it a method/,
    ],
    [
      'a static method',
      [Orders, 'find', descriptorOf(Orders, 'find')],
      /on the static method Orders\.find.*dualWrite\(\) or stickyRead\(\) of HelixService/,
    ],
    [
      'a method of a class that is compiled to standard decorators',
      [Orders.find, { kind: 'method', name: 'find' }],
      /experimentalDecorators/,
    ],
    [
      'a property that is compiled to them',
      [undefined, { kind: 'field', name: 'all' }],
      /experimentalDecorators/,
    ],
  ])('%s', (_place, position, message) => {
    const decorate = () => make()(...position);
    expect(decorate).toThrow(HelixUsageError);
    expect(decorate).toThrow(message);
    expect(decorate).toThrow(decorator);
  });
});

describe('wrong options are refused where they are written', () => {
  it.each<[option: string, decorate: () => unknown, message: RegExp]>([
    ['ack', () => DualWrite({ ack: 'all' as 'any' }), /@DualWrite\(\): ack: expected/],
    [
      'consistency',
      () => DualWrite({ consistency: 'MOST' as 'ALL' }),
      /@DualWrite\(\): consistency: no such/,
    ],
    ['cluster', () => StickyRead({ cluster: 'C' as 'A' }), /@StickyRead\(\): cluster: expected/],
    ['key', () => StickyRead({ key: 'id' as never }), /@StickyRead\(\): key: expected a function/],
    ['an unknown one', () => StickyRead({ ack: 'any' } as object), /@StickyRead\(\): there is no option ack/],
  ])('%s', (_option, decorate, message) => {
    expect(decorate).toThrow(HelixUsageError);
    expect(decorate).toThrow(message);
  });
});

it('types a key by the first arguments of the method', () => {
  class Orders {
    @StickyRead({ key: (customer: string) => customer })
    find(customer: string, limit: number): unknown {
      return [customer, limit];
    }

    @StickyRead({ key: (customer: string, limit: number) => `${customer}:${limit}` })
    both(customer: string, limit: number): unknown {
      return [customer, limit];
    }

    @StickyRead({ cluster: 'A' })
    all(first: { readonly id: number }, ...others: string[]): unknown {
      return [first, others];
    }

    // @ts-expect-error the method's argument is a number
    @StickyRead({ key: (customer: string) => customer })
    wrong(customer: number): unknown {
      return customer;
    }

    // @ts-expect-error a key is a string
    @StickyRead({ key: (customer: number) => customer })
    number(customer: number): unknown {
      return customer;
    }
  }
  expectTypeOf<Parameters<Orders['find']>>().toEqualTypeOf<[customer: string, limit: number]>();
});

describe('a decorated method', () => {
  class Orders {
    @DualWrite()
    async save(id: string, total: number): Promise<unknown> {
      return [id, total];
    }

    @DualWrite()
    count(id: string): unknown {
      return id;
    }

    @DualWrite()
    @StickyRead()
    async both(): Promise<string> {
      return 'both';
    }
  }

  it('has the name, the length and the place of the method', () => {
    const { save } = Orders.prototype;
    expect([save.name, save.length]).toEqual(['save', 2]);
    expect(Object.getOwnPropertyDescriptor(Orders.prototype, 'save')).toMatchObject({
      enumerable: false,
      configurable: true,
      writable: true,
    });
  });

  it('of an object that Nest did not make says so, and is not run', () => {
    const call = () => new Orders().count('1');
    expect(call).toThrow(HelixUsageError);
    expect(call).toThrow('@DualWrite() on Orders.count was not run');
    expect(call).toThrow('Import HelixModule');
    expect(call).toThrow('not made by Nest');
  });

  it('rejects if it is async, as it would otherwise', async () => {
    await expect(new Orders().save('1', 1)).rejects.toThrow(HelixUsageError);
    await expect(new Orders().both()).rejects.toThrow(HelixUsageError);
  });

  it('that has lost its object says so', async () => {
    const { count, save } = new Orders();
    expect(() => count.call(undefined as never, '1')).toThrow(/called without its object.*bind\(\)/);
    await expect(save.call(undefined as never, '1', 1)).rejects.toThrow(HelixUsageError);
  });
});

import type { FactoryProvider, InjectionToken, ModuleMetadata, Provider, Type } from '@nestjs/common';
import type { HelixModuleOptions } from './helix.options.js';

/** Makes the options of an instance; for `useClass` and `useExisting`. */
export interface HelixOptionsFactory {
  /** Makes the options of the instance that is registered as `name`; `default` for the default instance. */
  createHelixOptions(name: string): Promise<HelixModuleOptions> | HelixModuleOptions;
}

/** How an instance is registered; beside its options, because Nest must know it before they are made. */
export interface HelixRegistration {
  /** Tells instances of one application apart. Default: `default`. */
  readonly name?: string;
  /** Whether every module sees the instance without importing it. Default true. */
  readonly isGlobal?: boolean;
}

/** How an instance is registered whose options a provider makes: one of `useFactory`, `useClass`, `useExisting`. */
export type HelixModuleAsyncOptions = HelixRegistration &
  Pick<ModuleMetadata, 'imports'> & {
    /** Providers that the factory needs and no imported module exports. */
    readonly extraProviders?: Provider[];
  } & (
    | {
        /** Makes the options; its arguments are what `inject` names. */
        readonly useFactory: (...args: never[]) => Promise<HelixModuleOptions> | HelixModuleOptions;
        /** What the factory is called with. */
        readonly inject?: FactoryProvider['inject'];
        readonly useClass?: never;
        readonly useExisting?: never;
      }
    | {
        /** A class to be made by Nest that makes the options. */
        readonly useClass: Type<HelixOptionsFactory>;
        readonly useFactory?: never;
        readonly inject?: never;
        readonly useExisting?: never;
      }
    | {
        /** The token of a provider that makes the options. */
        readonly useExisting: InjectionToken;
        readonly useFactory?: never;
        readonly inject?: never;
        readonly useClass?: never;
      }
  );

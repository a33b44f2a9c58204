import type { ModulesContainer } from '@nestjs/core';
import { HelixConfigError } from './core/index.js';
import { HelixInstance } from './helix.instance.js';

/** Parts that keep the state of one pair: given to two, each would act on what the other has seen. */
const UNSHARED = ['readStrategy', 'writeStrategy', 'failoverPolicy', 'replayer'] as const;

/**
 * Compares an instance with the others of its application.
 *
 * @throws HelixConfigError two registrations have one name, or two instances one strategy, policy or replayer
 */
export function refuseSharing(own: HelixInstance, modules: ModulesContainer): void {
  for (const other of instancesIn(modules)) {
    if (other === own) continue;
    if (other.name === own.name) {
      throw new HelixConfigError(
        `Two Helix instances are registered as "${own.name}". Give one of them another name, beside useFactory: ` +
          `HelixModule.forRootAsync({ name: 'orders', … }); or import one registration in both places`,
      );
    }
    const shared = UNSHARED.find((part) => own.parts[part] && own.parts[part] === other.parts[part]);
    if (shared) {
      throw new HelixConfigError(
        `Helix instances "${own.name}" and "${other.name}" have the same object as ${shared}. Make one for each: it ` +
          'keeps the state of one pair of clusters',
      );
    }
  }
}

function* instancesIn(modules: ModulesContainer): Generator<HelixInstance> {
  for (const { providers } of modules.values()) {
    for (const { instance } of providers.values()) if (instance instanceof HelixInstance) yield instance;
  }
}

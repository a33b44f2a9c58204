/**
 * Health checks through `@nestjs/terminus`, which this entry point needs.
 *
 * @module nestjs-helix/terminus
 */
export {
  type ClusterHealthOptions,
  HelixHealthIndicator,
  type ReplayHealthOptions,
} from './helix-health.indicator.js';
export { HelixHealthModule } from './helix-health.module.js';
export { type HelixHealthModuleOptions } from './helix-health.options.js';

export {
  type ClusterHealthOptions,
  HelixHealthIndicator,
  type ReplayHealthOptions,
} from './helix-health.indicator.js';

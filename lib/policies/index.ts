export { ActiveFailover } from './active-failover.policy.js';

export { DualWrite, type DualWriteMethodOptions } from './dual-write.decorator.js';
export { HelixCallBinder } from './helix-call-binder.js';
export { HelixCallHost } from './helix-call-host.js';
export {
  StickyRead,
  type StickyReadDecorator,
  type StickyReadMethodOptions,
} from './sticky-read.decorator.js';

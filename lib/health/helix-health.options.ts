import { HelixConfigError } from '../core/index.js';
import { DEFAULT_INSTANCE } from '../helix.tokens.js';

/** Options of `HelixHealthModule.forRoot`. */
export interface HelixHealthModuleOptions {
  /** Where the endpoints are mounted, without a global prefix. Default `health`. */
  readonly path?: string;
  /** Name of the instance they are about. Default: the default instance. */
  readonly name?: string;
}

const KNOWN: readonly string[] = ['path', 'name'];
/** What means the same to every router, and stands for itself. */
const SEGMENT = /^[\w.~-]+$/;

/** Defaults filled in; the path without the slash it may begin with. */
export function resolveHealthOptions(options: HelixHealthModuleOptions): Required<HelixHealthModuleOptions> {
  for (const option of Object.keys(options)) {
    if (!KNOWN.includes(option)) fail(option, 'an option that does not exist', KNOWN.join(', '));
  }
  const { path = 'health', name = DEFAULT_INSTANCE } = options;
  if (typeof name !== 'string' || name === '') {
    fail('name', describe(name), 'the name of an instance');
  }
  if (typeof path !== 'string' || !path.replace(/^\//, '').split('/').every(isSegment)) {
    fail(
      'path',
      describe(path),
      "letters, digits, _, -, . and ~, in parts divided by /, as in 'internal/health'",
    );
  }
  return { path: path.replace(/^\//, ''), name };
}

function isSegment(part: string): boolean {
  return SEGMENT.test(part) && part !== '.' && part !== '..';
}

function fail(option: string, received: string, allowed: string): never {
  throw new HelixConfigError(
    `HelixHealthModule: ${option} is wrong. Received ${received}; allowed: ${allowed}`,
  );
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : typeof value;
}

type Part = () => unknown;

/**
 * A decorated call that goes on for as long as somebody has something to do in it: a generator, each step of which
 * runs in the context of the call.
 */
export class OpenCall {
  private constructor(private readonly steps: Generator<unknown, void, Part>) {}

  /** `decorate` makes the context, as `dualWrite` does. */
  static of(
    decorate: (call: () => Generator<unknown, void, Part>) => Generator<unknown, void, Part>,
  ): OpenCall {
    const steps = decorate(parts);
    steps.next();
    return new OpenCall(steps);
  }

  run<T>(part: () => T): T {
    return this.steps.next(part).value as T;
  }
}

function* parts(): Generator<unknown, void, Part> {
  let part = yield undefined;
  for (;;) part = yield part();
}

/** What happened in a run, one line for each event. Costs nothing but a test while nobody reads it. */
export class Timeline {
  readonly lines: string[] = [];

  constructor(
    readonly isOn: boolean,
    private readonly nowMs: () => number,
  ) {}

  /** Call only while {@link isOn}: the text is not free. */
  add(who: string, what: string): void {
    this.lines.push(`${this.nowMs().toFixed(3).padStart(12)} ${who.padEnd(7)} ${what}`);
  }
}

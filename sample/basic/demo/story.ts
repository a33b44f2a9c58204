type Style = 'bold' | 'dim' | 'green' | 'red';
const CODES: Record<Style, number> = { bold: 1, dim: 2, green: 32, red: 31 };

/** What the demo tells: headings with the time they came at, and figures in columns. */
export class Story {
  readonly #startedMs = performance.now();
  readonly #inColour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;

  get elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  chapter(title: string): void {
    const at = `${(this.elapsedMs / 1_000).toFixed(1).padStart(5)} s`;
    this.#print(`\n${this.#paint('dim', at)}  ${this.#paint('bold', title)}`);
  }

  fact(name: string, value: string): void {
    this.#print(`         ${name.padEnd(34)}${value}`);
  }

  check(what: string, isRight: boolean, value: string): void {
    this.fact(
      what,
      `${value.padEnd(28)} ${isRight ? this.#paint('green', 'ok') : this.#paint('red', 'WRONG')}`,
    );
  }

  /** The first row is the head; the first column is left-aligned, the others right. */
  table(rows: readonly (readonly string[])[]): void {
    const widths =
      rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    for (const [index, row] of rows.entries()) {
      const cells = row.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      );
      const line = `         ${cells.join('   ')}`;
      this.#print(index === 0 ? this.#paint('dim', line) : line);
    }
  }

  verdict(isGood: boolean, text: string): void {
    this.#print(`\n${this.#paint(isGood ? 'green' : 'red', isGood ? 'PASSED' : 'FAILED')}  ${text}`);
  }

  note(text: string): void {
    this.#print(text.replace(/^/gm, '         '));
  }

  #paint(style: Style, text: string): string {
    return this.#inColour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
  }

  #print(line: string): void {
    process.stdout.write(`${line}\n`);
  }
}

import { type TextToken as Token, tokenise } from '../../cql/index.js';
import { CqlRefusal, REFUSAL } from './refusal.js';

/** Goes over the tokens of a text. What it expects and does not find is a syntax error. */
export class Cursor {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(private readonly text: string) {
    this.#tokens = tokenise(text);
  }

  isAtEnd(): boolean {
    return this.#token.kind === 'end';
  }

  /** Word or symbol `ahead` tokens from here, in lower case; `undefined` for literals, quoted names and the end. */
  peek(ahead = 0): string | undefined {
    const { kind, word } = this.#at(ahead);
    return kind === 'name' || kind === 'symbol' ? word : undefined;
  }

  isName(ahead = 0): boolean {
    const { kind } = this.#at(ahead);
    return kind === 'name' || kind === 'quoted';
  }

  /** Reads these words or symbols if they come next, all or none. */
  accept(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.peek(i) === word)) return false;
    this.#position += words.length;
    return true;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (!this.accept(word)) throw this.error(`expected ${word.toUpperCase()}`);
  }

  /** A name as the server resolves it. */
  name(): string {
    if (!this.isName()) throw this.error('expected a name');
    return this.#next().word;
  }

  /** A literal as it stands in the text, if one comes next. */
  acceptLiteral(): string | undefined {
    if (this.#token.kind !== 'literal') return undefined;
    const { at, end } = this.#next();
    return this.text.slice(at, end);
  }

  literal(): string {
    const literal = this.acceptLiteral();
    if (literal === undefined) throw this.error('expected a literal');
    return literal;
  }

  /** `item, item, …` up to `close`, which is read too. */
  list<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    if (this.accept(close)) return items;
    do items.push(item());
    while (this.accept(','));
    this.expect(close);
    return items;
  }

  /** Reads over everything up to the end of the statement. */
  skipStatement(): void {
    while (this.peek() !== ';' && !this.isAtEnd()) this.#next();
  }

  error(problem: string): CqlRefusal {
    const { kind, word, at } = this.#token;
    const found = kind === 'end' ? 'the end' : kind === 'name' || kind === 'symbol' ? `'${word}'` : kind;
    const line = this.text.slice(0, at).split('\n').length;
    return new CqlRefusal(`Syntax error in line ${line}: ${problem}, found ${found}`, REFUSAL.syntax);
  }

  get #token(): Token {
    return this.#at(0);
  }

  #at(ahead: number): Token {
    const last = this.#tokens[this.#tokens.length - 1];
    const token = this.#tokens[this.#position + ahead] ?? last;
    if (!token) throw new Error('A text has at least the token of its end');
    return token;
  }

  #next(): Token {
    const token = this.#token;
    if (token.kind === 'unreadable') throw this.error('cannot be read');
    this.#position += 1;
    return token;
  }
}

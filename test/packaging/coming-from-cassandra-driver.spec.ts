import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { CqlQuery } from '../../lib/cql/index.js';
import { applyOptions } from '../../lib/cql/execute.js';

const page = 'docs/coming-from-cassandra-driver.md';
const driver = 'node_modules/cassandra-driver/index.d.ts';

const lines = readFileSync(page, 'utf8').split('\n');
const declarations = ts.createSourceFile(
  driver,
  readFileSync(driver, 'utf8'),
  ts.ScriptTarget.ES2022,
  true,
).statements;

/** Names of the public members of a class or an interface that the driver declares. */
function membersOf(name: string): string[] {
  const found = declarations.filter(
    (node) => (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) && node.name?.text === name,
  ) as (ts.ClassDeclaration | ts.InterfaceDeclaration)[];
  const members = found.flatMap((node) => [...node.members]).flatMap(({ name: member }) => member ?? []);
  return [...new Set(members.map((member) => member.getText()))];
}

/** What the table under a heading says of each name in its first column. */
function answersUnder(heading: string): Map<string, string> {
  const start = lines.indexOf(`## ${heading}`);
  if (start < 0) throw new Error(`${page} has no heading "${heading}"`);
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('## '));
  const rows = lines.slice(start, length < 0 ? undefined : start + 1 + length);
  return new Map(
    rows
      .filter((row) => row.startsWith('| `'))
      .flatMap((row) => {
        const [, names = '', answer = ''] = row.split(/(?<!\\)\|/);
        return [...names.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => [name, answer.trim()] as const);
      }),
  );
}

/** One value for each option that `execute()` might take. */
const options: Record<string, unknown> = {
  consistency: 1,
  fetchSize: 10,
  pageState: '00',
  prepare: true,
  readTimeout: 10,
  serialConsistency: 8,
  timestamp: 1,
};

function isRefused(option: string): boolean {
  const query: object = new Proxy({}, { get: () => () => query });
  try {
    applyOptions(query as CqlQuery<unknown>, { [option]: options[option] ?? {} });
    return false;
  } catch {
    return true;
  }
}

describe('the page for users of cassandra-driver', () => {
  it.each(membersOf('Client'))('has an answer for Client.%s', (member) => {
    expect(answersUnder('The client')).toContainEqual([member, expect.stringMatching(/./)]);
  });

  it.each(membersOf('QueryOptions'))('says what becomes of the option %s', (option) => {
    const answer = answersUnder('Options of a statement').get(option);
    expect(answer).toMatch(isRefused(option) ? /^refused: / : /^taken/);
  });

  it('knows the driver', () => {
    expect(membersOf('Client')).toEqual(expect.arrayContaining(['execute', 'batch', 'getState']));
    expect(membersOf('QueryOptions')).toEqual(expect.arrayContaining(['prepare', 'traceQuery']));
  });
});

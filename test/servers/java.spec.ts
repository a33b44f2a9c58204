import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeExecutable } from './fixtures/fake-executable.js';
import { findJava, findMaven } from './java.js';

describe('what Cassandra needs', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'java-spec-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const fakeJava = (version: string) =>
    fakeExecutable(folder, 'java', `echo 'openjdk version "${version}"' >&2`);

  it('says what to install when there is no Java', async () => {
    await expect(findJava({ PATH: folder })).rejects.toThrow(
      /no java in the PATH.*apt-get install openjdk-17-jre-headless maven/,
    );
  });

  it('says what to install when JAVA_HOME holds no Java', async () => {
    await expect(findJava({ PATH: folder, JAVA_HOME: folder })).rejects.toThrow(
      `there is no ${join(folder, 'bin/java')}`,
    );
  });

  it.each(['1.8.0_402', '11.0.22', '25.0.1'])('says what to install when Java is %s', async (version) => {
    fakeJava(version);
    await expect(findJava({ PATH: folder })).rejects.toThrow(
      new RegExp(`${version.replaceAll('.', '\\.')}.*apt-get install openjdk-17-jre-headless`),
    );
  });

  it.each(['17.0.15', '21.0.8'])('takes Java %s', async (version) => {
    fakeJava(version);
    await expect(findJava({ PATH: folder })).resolves.toBe(join(folder, 'java'));
  });

  it('says what to install when there is no Maven to fill the cache', () => {
    expect(() => findMaven({ PATH: folder })).toThrow(/no mvn in the PATH.*apt-get install .*maven/);
  });
});

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findExecutable, isExecutable } from './executables.js';
import { run } from './process-tree.js';

const install = 'On Debian: apt-get install openjdk-17-jre-headless maven';

/**
 * A Java of $JAVA_HOME or the PATH that Cassandra 5.0 runs on. It is made for 17 and starts on 21; Java 24
 * has no security manager any more, and Cassandra does not start without one.
 */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const java = env['JAVA_HOME'] ? join(env['JAVA_HOME'], 'bin', 'java') : findExecutable('java', env);
  if (java === undefined || !isExecutable(java)) {
    throw new Error(
      `Cassandra needs Java 17 to 23, and there is no ${java ?? 'java in the PATH'}. ${install}`,
    );
  }
  const { output } = await run({ file: java, args: ['-version'], cwd: tmpdir(), env });
  const version = Number(/version "(?:1\.)?(\d+)/.exec(output)?.[1]);
  if (!(version >= 17 && version < 24)) {
    throw new Error(`Cassandra needs Java 17 to 23, but ${java} says: ${output.trim()}. ${install}`);
  }
  return java;
}

export function findMaven(env: NodeJS.ProcessEnv = process.env): string {
  const maven = findExecutable('mvn', env);
  if (maven === undefined) {
    throw new Error(`Fetching Cassandra needs Maven, and there is no mvn in the PATH. ${install}`);
  }
  return maven;
}

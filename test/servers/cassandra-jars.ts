import { rmSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheRoot } from './cache.js';
import { findMaven } from './java.js';
import { run } from './process-tree.js';

export const cassandraVersion = '5.0.9';
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>cassandra-runtime</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>${cassandraVersion}</version>
    </dependency>
  </dependencies>
</project>
`;

/** Cassandra's own jar and all it needs at run time, fetched by Maven once; later starts need no Maven. */
export async function cassandraJars(): Promise<string[]> {
  const folder = await cached(join(cacheRoot(), `cassandra-${cassandraVersion}`), fetchJars);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .map((name) => join(folder, name));
}

async function fetchJars(into: string): Promise<void> {
  const file = findMaven();
  const pomFile = join(into, 'pom.xml');
  writeFileSync(pomFile, pom);
  const args = [
    '-q',
    '-B',
    '-f',
    pomFile,
    copyDependencies,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${into}`,
  ];
  const { code, output } = await run({ file, args, cwd: into });
  if (code !== 0)
    throw new Error(`Maven could not fetch Cassandra ${cassandraVersion}:\n${output.slice(-4_000)}`);
  rmSync(pomFile);
}

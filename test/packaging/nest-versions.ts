import { readFileSync } from 'node:fs';

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  devDependencies: Record<string, string>;
};
const ours = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, devDependencies[name]!]));

/** Both majors that the package supports: the one it is developed with, and the one before. */
export const nestVersions = {
  12: {
    ...ours('@nestjs/common', '@nestjs/core', '@nestjs/platform-express', '@nestjs/testing'),
    '@nestjs/swagger': '12.0.2',
  },
  11: {
    '@nestjs/common': '11.2.10',
    '@nestjs/core': '11.2.10',
    '@nestjs/platform-express': '11.2.10',
    '@nestjs/testing': '11.2.6',
    '@nestjs/swagger': '11.4.7',
  },
} as const satisfies Record<number, Record<string, string>>;

import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * Imports point one way: services → decorators → cql → core ← strategies, policies, replay. A folder is entered
 * through its index.ts, and only cql/driver knows cassandra-driver.
 */
const mayImport = {
  core: [],
  strategies: ['core'],
  policies: ['core'],
  replay: ['core'],
  cql: ['core'],
  decorators: ['core', 'cql', 'helix.tokens.ts'],
  health: ['core', '.'],
  testing: [
    ...['core', 'cql', 'policies', 'strategies', 'helix.instance.ts', 'helix.lifecycle.ts'],
    ...['helix.module-options.ts', 'helix.options.ts', 'helix.providers.ts', 'helix.tokens.ts'],
  ],
};
const rooms = Object.keys(mayImport);
const zones = Object.entries(mayImport).map(([room, allowed]) => ({
  target: `./lib/${room}`,
  from: './lib',
  except: [room, ...allowed.filter((name) => name !== '.')].map((name) => `./${name}`),
  message: `lib/${room} may import only from: ${[room, ...allowed].join(', ')}. See CONTRIBUTING.md.`,
}));

export default tseslint.config(
  {
    ignores: [
      ...['**/dist/**', '**/node_modules/**', 'coverage/**', 'test-results/**', 'docs/api/**'],
      // Applications of their own: what they import is installed where they are tested.
      'test/packaging/fixtures/**',
    ],
  },
  {
    files: ['**/*.ts', '**/*.mts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A port's parameters are spelled out also where an implementation does not need them: they can be passed.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // Or an import of types alone would load the file: a script that starts something would start it.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { boolean: true } }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Nest types some plain option objects as classes.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/**/*.spec.ts'],
    rules: {
      'import-x/no-restricted-paths': [
        'error',
        { basePath: import.meta.dirname, zones: zones.filter(({ target }) => target !== './lib/health') },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: ['cassandra-driver', 'pg', 'nats'].map((name) => ({
            name,
            message: 'Only the driver folders know a client library.',
          })),
          patterns: [
            {
              group: rooms.map((room) => `**/${room}/*`).concat(rooms.map((room) => `!**/${room}/index.js`)),
              message: 'A folder is entered through its index.ts.',
            },
          ],
        },
      ],
    },
  },
  {
    // What a driver is to an instance is given to it: the next kind of cluster needs no other.
    files: ['lib/helix.instance.ts', 'lib/helix.lifecycle.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['./cql/*', './decorators/*', '@nestjs/core'], message: 'Given by helix.providers.ts.' },
          ],
        },
      ],
    },
  },
  {
    files: ['lib/cql/driver/**/*.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['test/**/*.ts', 'sample/**/*.ts', '**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: [
      'test/servers/cli.ts',
      'test/bench/**/*.ts',
      'test/run.ts',
      'test/simulation/simulate.ts',
      'test/simulation/mutants/run.ts',
      'sample/*/demo.ts',
      'sample/*/src/main.ts',
    ],
    rules: { 'no-console': 'off' },
  },
);

import tseslint from 'typescript-eslint';

const FOLDERS = [
  'domain',
  'workflows',
  'activities',
  'records',
  'firmware',
  'broker',
  'api',
  'console',
  'worker',
  'cli',
];

/** The import rule: `from` may import from itself and from `to`, nothing else of the project (docs/decisions.md). */
const may = (from, to, { types = [], except = [] } = {}) => {
  const banned = FOLDERS.filter((folder) => folder !== from && !to.includes(folder));
  return {
    files: [`${from}/**/*.{ts,tsx}`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: banned.map((folder) => ({
            group: [`**/${folder}/**`, ...except.map((file) => `!**/${file}`)],
            allowTypeImports: types.includes(folder),
            message: `${from}/ may not import from ${folder}/.`,
          })),
        },
      ],
    },
  };
};

/** What a workflow reaches must bundle and be deterministic: no Node builtins in it, and in domain neither. */
const noBuiltins = {
  files: ['domain/**/*.ts', 'workflows/**/*.ts'],
  rules: {
    'no-restricted-syntax': [
      'error',
      {
        selector: 'ImportDeclaration[source.value=/^node:/]',
        message: 'Workflows and domain are free of Node builtins.',
      },
      {
        selector: [
          ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind="let"]',
          ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration > VariableDeclarator > NewExpression[callee.name=/^(Weak)?(Map|Set)$/]',
        ].join(', '),
        message: 'Modules are shared by all runs of a thread: no state in them.',
      },
      { selector: 'TSEnumDeclaration', message: 'Use an `as const` object.' },
    ],
  },
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', 'data/', '**/*.mjs', 'tests/replay/histories/'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'object-shorthand': 'error',
      'no-restricted-syntax': ['error', { selector: 'TSEnumDeclaration', message: 'Use an `as const` object.' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Ports are async also where today's implementation is not (design: ports).
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
    },
  },
  noBuiltins,
  may('domain', []),
  may('workflows', ['domain'], { types: ['activities'] }),
  may('activities', ['domain', 'records']),
  may('records', ['domain']),
  may('firmware', ['domain']),
  may('broker', ['domain', 'workflows', 'records'], {}),
  may('api', ['domain', 'records', 'firmware', 'workflows']),
  // The client runs in browsers too; the rest of the API is there for its types.
  may('console', ['domain'], { types: ['api'], except: ['api/client-core.js', 'api/client-events.js'] }),
  may('worker', ['domain', 'workflows', 'activities', 'records', 'firmware', 'broker', 'api']),
  // Firmware is signed where it is built, by the command alone.
  may('cli', ['domain', 'api', 'worker', 'firmware']),
);

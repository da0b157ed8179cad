import { defineConfig } from 'vitest/config';

/** Folders whose tests need Temporal, the built command or the built console; the others start at once. */
const STACK = [
  'workflows',
  'replay',
  'worker',
  'cli',
  'e2e',
  'chaos',
  'reliability',
  'upgrade',
  'console',
  'fuzz',
  'bench',
];

/** Saves histories when asked to (`npm run histories`); no test. */
const RECORDER = 'tests/replay/record-histories.test.ts';
/** Takes pictures when asked to (`npm run screenshots`). */
const PHOTOGRAPHER = 'tests/console/take-screenshots.test.ts';

export default defineConfig({
  test: {
    // Real servers run beside the tests: more workers than cores only make them wait for each other.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['tests/**/*.test.ts'], exclude: STACK.map((folder) => `tests/${folder}/**`) },
      },
      {
        extends: true,
        test: {
          name: 'stack',
          include: STACK.map((folder) => `tests/${folder}/**/*.test.ts`),
          exclude: [RECORDER, PHOTOGRAPHER],
          globalSetup: ['tests/support/global-setup.ts'],
          // They wait for events, never for time: what is waited for comes late where the machine is slow or stands still.
          testTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: { name: 'histories', include: [RECORDER], globalSetup: ['tests/support/global-setup.ts'] },
      },
      {
        extends: true,
        test: { name: 'screenshots', include: [PHOTOGRAPHER], globalSetup: ['tests/support/global-setup.ts'] },
      },
    ],
    setupFiles: ['tests/support/quiet-sdk.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
  },
});

import { defineConfig } from 'vitest/config'

/** Tests that touch no database, so that they can run in seconds and without starting one. */
const UNIT = [
  'test/architecture.test.ts',
  'test/config.test.ts',
  'test/core/*.test.ts',
  'test/core/model/**/*.test.ts',
  'test/core/**/rules*.test.ts',
  'test/mappings/**/*.test.ts',
  'test/connectors/**/*.test.ts',
  'test/scripts/**/*.test.ts',
  'examples/**/*.test.ts',
]

export default defineConfig({
  test: {
    pool: 'forks',
    // Every worker of the database tests runs a real server's worth of work; more of them only make each other late.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    reporters: ['default'],
    projects: [
      { extends: true, test: { name: 'unit', include: UNIT } },
      {
        extends: true,
        test: {
          name: 'database',
          include: ['test/**/*.test.ts'],
          exclude: UNIT,
          globalSetup: 'test/kit/globalSetup.ts',
        },
      },
    ],
  },
})

import { defineConfig } from 'drizzle-kit';

/** `npx drizzle-kit generate` writes the migration for what has changed in the schema. */
export default defineConfig({ dialect: 'sqlite', schema: './records/sqlite/schema.ts', out: './records/migrations' });

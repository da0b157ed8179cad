import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../domain/ids.js';
import { StartupError } from '../startup-error.js';

/** Temporal's wire number of the search attribute type Keyword. */
const KEYWORD = 2;
const DAY_SECONDS = 86_400;

/** Closed runs are kept this long; the dev server's own default is one day. It persists in the server. */
export async function setRetention(client: Client, namespace: string, days: number): Promise<void> {
  await client.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: { seconds: days * DAY_SECONDS } as never },
  });
}

/**
 * An outside cluster must have Ferry's search attributes: adds those that are missing.
 *
 * @throws StartupError that says what to run, when they can't be added
 */
export async function requireSearchAttributes(client: Client, namespace: string): Promise<void> {
  const { operatorService } = client.connection;
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = Object.values(SEARCH_ATTRIBUTES).filter((name) => !(name in customAttributes));
  if (missing.length === 0) return;
  try {
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  } catch (error) {
    const flags = missing.map((name) => `--name ${name} --type Keyword`).join(' ');
    throw new StartupError(
      `The Temporal namespace ${namespace} lacks search attributes (${String(error)}). Have its admin run:\n` +
        `  temporal operator search-attribute create --namespace ${namespace} ${flags}`,
    );
  }
}

import { DEFAULT_MODULE } from '../domain/names.js';
import { awaitsApproval, OPEN_TASK_STATUSES } from '../domain/update-task.js';
import type { Product, Records, TaskRecord } from '../records/records.js';
import { firmwareAnswer, iso, productAnswer, type Answers } from './answers.js';
import { Permission } from './auth.js';
import type { Principal } from './deps.js';
import { json, operation } from './operation.js';
import { newRouter } from './router.js';
import { narrowed, Scope } from './scope.js';
import { OverviewSchema } from './schemas.js';

const getOverview = operation({
  id: 'getOverview',
  method: 'get',
  path: '/v1/overview',
  tag: 'Overview',
  summary: 'Show what the console begins with: devices, versions, open tasks, what waits for a person, last failures',
  permission: Permission.READ,
  scope: Scope.NARROWED,
  responses: { 200: json(OverviewSchema, 'The overview') },
  problems: [],
});

const PRODUCTS_MAX = 20;
const VERSIONS_MAX = 12;
const TASKS_MAX = 20;
const ATTENTION_MAX = 5;
const FAILURES_MAX = 10;
const FAILURES_SINCE_MS = 7 * 86_400_000;
const ATTENTION_SINCE_MS = 30 * 86_400_000;

interface OverviewDeps {
  readonly records: Records;
  readonly answers: Answers;
  readonly now: () => number;
}

export function overviewRoutes({ records, answers, now }: OverviewDeps) {
  /** The newest of each status. */
  async function openTasks(productKey: string | undefined): Promise<readonly TaskRecord[]> {
    const page = { limit: TASKS_MAX };
    const found = await Promise.all(
      OPEN_TASK_STATUSES.map((status) => records.listTasks({ status, productKey }, page)),
    );
    return found.flatMap(({ items }) => items).sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  async function failures(productKey: string | undefined) {
    const sinceMs = now() - FAILURES_SINCE_MS;
    const [byCause, latest] = await Promise.all([
      records.countFailuresSince(sinceMs, productKey),
      records.latestFailures(sinceMs, FAILURES_MAX, productKey),
    ]);
    return {
      since: iso(sinceMs),
      byCause: [...byCause],
      latest: latest.map((update) => answers.deviceUpdate(update, undefined)),
    };
  }

  /** What somebody may not do does not wait for them, and nobody approves a batch of their own. */
  async function attention(
    { name, permissions }: Principal,
    productKey: string | undefined,
    open: readonly TaskRecord[],
  ) {
    const runsTasks = permissions.has(Permission.RUN_TASKS);
    const [firmwareToValidate, tasksToReinitiate] = runsTasks
      ? await Promise.all([
          records.firmwareToValidate(ATTENTION_MAX, productKey),
          records.tasksToReinitiate(now() - ATTENTION_SINCE_MS, ATTENTION_MAX, productKey),
        ])
      : [[], []];
    return {
      // Also one that the workflow engine has not heard of yet.
      tasksToApprove: (runsTasks ? open : [])
        .filter((task) => awaitsApproval(task, task.cancelRequestedAtMs) && task.startedBy !== name)
        .slice(0, ATTENTION_MAX)
        .map(answers.task),
      tasksPaused: (permissions.has(Permission.WRITE_FIRMWARE) ? open : [])
        .filter(({ status }) => status === 'paused')
        .slice(0, ATTENTION_MAX)
        .map(answers.task),
      firmwareToValidate: firmwareToValidate.map(firmwareAnswer),
      tasksToReinitiate: tasksToReinitiate.map(answers.task),
    };
  }

  async function productsOf(only: string | undefined): Promise<readonly Product[]> {
    if (only === undefined) return (await records.listProducts({ limit: PRODUCTS_MAX })).items;
    const product = await records.getProduct(only);
    return product ? [product] : [];
  }

  async function versionsOf({ productKey }: Product) {
    const { items } = await records.countVersions(productKey, DEFAULT_MODULE, { limit: VERSIONS_MAX });
    return [...items];
  }

  return newRouter().openapi(getOverview, async (c) => {
    const only = narrowed(c);
    const [all, products] = await Promise.all([records.countDevices(), productsOf(only)]);
    const counts = all.filter(({ productKey }) => only === undefined || productKey === only);
    const totals = (some: typeof counts) => {
      const [online, offline] = [sum(some, 'online'), sum(some, 'offline')];
      return { total: online + offline, online, offline };
    };
    const shown = await Promise.all(
      products.map(async (product) => ({
        ...productAnswer(product),
        devices: totals(counts.filter(({ productKey }) => productKey === product.productKey)),
        versions: await versionsOf(product),
      })),
    );
    const open = await openTasks(only);
    const answer = {
      devices: totals(counts),
      products: shown,
      openTasks: open.slice(0, TASKS_MAX).map(answers.task),
      attention: await attention(c.get('principal'), only, open),
      failures: await failures(only),
    };
    return c.json(answer, 200);
  });
}

const sum = <K extends string>(rows: readonly Readonly<Record<K, number>>[], member: K): number =>
  rows.reduce((total, row) => total + row[member], 0);

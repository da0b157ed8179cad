import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi';
import { secureHeaders } from 'hono/secure-headers';
import { createAnswers } from './answers.js';
import { basePathOf } from './base-path.js';
import { auditRequests } from './audit.js';
import { auditRoutes } from './audit-routes.js';
import { createCredentials, requirePrincipal, requireWholeService, SignInFailures } from './auth.js';
import { approvalRoutes } from './approvals.js';
import { deviceSecretRoutes } from './device-secrets.js';
import { LiveStreams } from './live-streams.js';
import { ownersIn } from './scope.js';
import { tokenRoutes } from './tokens.js';
import { trustedKeyRoutes } from './trusted-keys.js';
import { connectionInfoRoutes } from './connection-info.js';
import { consoleRoutes } from './console.js';
import type { ApiDeps, ApiEnv } from './deps.js';
import { deviceRoutes } from './devices.js';
import { doctorRoutes } from './doctor.js';
import { docsRoutes } from './docs.js';
import { eventRoutes } from './events.js';
import { FirmwareIntake } from './firmware-intake.js';
import { firmwareRoutes } from './firmware.js';
import { forgettingRoutes } from './forgetting.js';
import { healthRoutes } from './health.js';
import { DEFAULT_HTTP_LIMITS, paceRequests, strangersCounter } from './http-limits.js';
import { createRequestMeasure, measureRequests, type MeasureRequest } from './metrics.js';
import { answerErrors, answerUnknownRoutes } from './problem.js';
import { overviewRoutes } from './overview.js';
import { productRoutes } from './products.js';
import { methodsOf, patternOf } from './route-table.js';
import { newRouter } from './router.js';
import { cookieName, createSessions, sessionRoutes, signInRoutes } from './sessions.js';
import { taskCreationRoutes } from './task-creation.js';
import { taskRoutes } from './tasks.js';
import { workflowHistoryRoutes } from './workflow-history.js';

export interface Api {
  readonly app: OpenAPIHono<ApiEnv>;
  /** Where a proxy has put the service (base-path.ts). */
  readonly basePath: string;
  /** For what is answered beside the app: downloads. */
  readonly measure: MeasureRequest;
  /** Ends the event streams, which would otherwise hold a server's close. Clients come back and resume. */
  closeStreams(): void;
}

/** The HTTP API: everything but the devices' downloads (downloads.ts). */
export function createApi(deps: ApiDeps): Api {
  const { records, store, limits, log } = deps;
  const now = deps.now ?? Date.now;
  const answers = createAnswers(deps);
  const intake = new FirmwareIntake({ records, store, limits, now });
  const measure = createRequestMeasure(deps.metrics);
  const closing = new AbortController();
  const streams = new LiveStreams();
  const { requestsPerMinute, streamsMax } = deps.httpLimits ?? DEFAULT_HTTP_LIMITS;
  const shared = { ...deps, answers, intake, now, streams, streamsMax, closing: closing.signal };

  const credentials = createCredentials({ records, adminToken: deps.adminToken, now });
  const failures = new SignInFailures(now);
  const { secureCookie = false, publicUrl } = deps;
  const basePath = basePathOf(publicUrl);
  const sessions = createSessions({ records, credentials, failures, streams, secureCookie, publicUrl, now });
  const owners = ownersIn(records);
  const strangers = strangersCounter(deps.metrics);
  const authenticate = requirePrincipal(credentials, sessions, failures);

  const app = newRouter();
  app.onError(answerErrors(log));
  app.notFound(answerUnknownRoutes((path) => methodsOf(app, path)));
  app.use(measureRequests(measure));
  // A browser heeds it over https only, and it speaks for this host alone: not for others of the operator's domain.
  app.use(secureHeaders({ strictTransportSecurity: secureCookie ? 'max-age=15552000' : false }));
  app.use(async (c, next) => {
    await next();
    const location = c.res.headers.get('location');
    if (basePath !== '' && location !== null) c.header('Location', `${basePath}${location}`);
  });
  if (deps.metricsNeedToken === true) app.use('/metrics', authenticate, requireWholeService);
  app.route('/', healthRoutes(deps));
  app.route('/', docsRoutes());
  if (deps.consoleFolder !== undefined) app.route('/', consoleRoutes(deps.consoleFolder, basePath));
  app.use(
    '/v1/*',
    auditRequests({ records, actionOf: (method, pattern) => actions.get(`${method} ${pattern}`), strangers, log, now }),
  );
  app.route('/', signInRoutes(sessions));
  app.use('/v1/*', authenticate, paceRequests(requestsPerMinute));
  app.use('/v1/*', async (c, next) => {
    c.set('owners', owners);
    await next();
  });
  app.route('/', sessionRoutes(sessions));
  app.route('/', overviewRoutes(shared));
  app.route('/', productRoutes(shared));
  app.route('/', trustedKeyRoutes(shared));
  app.route('/', deviceRoutes(shared));
  app.route('/', deviceSecretRoutes(shared));
  app.route('/', firmwareRoutes(shared));
  app.route('/', taskCreationRoutes(shared));
  app.route('/', taskRoutes(shared));
  app.route('/', approvalRoutes(shared));
  app.route('/', connectionInfoRoutes(deps));
  app.route('/', eventRoutes(shared));
  app.route('/', workflowHistoryRoutes(deps));
  app.route('/', doctorRoutes(deps));
  app.route('/', forgettingRoutes(deps));
  app.route('/', tokenRoutes(shared));
  app.route('/', auditRoutes(shared));
  describe(app, { basePath, version: deps.version, cookie: cookieName(secureCookie, basePath) });
  const actions = actionsOf(app);
  return { app, basePath, measure, closeStreams: () => closing.abort() };
}

/** What the audit log calls each route, by method and pattern. */
function actionsOf(app: OpenAPIHono<ApiEnv>): ReadonlyMap<string, string> {
  const routes = app.openAPIRegistry.definitions.flatMap((definition) =>
    definition.type === 'route' ? [definition.route as RouteConfig & { readonly 'x-action'?: string }] : [],
  );
  return new Map(
    routes.flatMap(({ method, path, 'x-action': action }) =>
      action === undefined ? [] : [[`${method.toUpperCase()} ${patternOf(path)}`, action] as const],
    ),
  );
}

interface Description {
  readonly basePath: string;
  /** Of the service. */
  readonly version: string;
  /** The name of the session's cookie. */
  readonly cookie: string;
}

function describe(app: OpenAPIHono<ApiEnv>, { basePath, version, cookie }: Description): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: cookie,
  });
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Ferry',
      version,
      description:
        'Firmware updates for device fleets. Refusals are problem documents (RFC 9457) with a stable `code`; lists are pages of `limit` items with a `nextCursor`.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    // Relative to where the document comes from: the service does not know all names it is reached by.
    servers: [{ url: basePath === '' ? '/' : basePath }],
  });
}

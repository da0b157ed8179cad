import { createBrowserRouter, type RouteObject } from 'react-router';
import { BASE_PATH } from './base-path.js';
import { Frame } from './frame.js';
import { NotFoundPage } from './not-found-page.js';
import { PATHS } from './paths.js';
import { RouteError } from './route-error.js';
import { Splash } from './splash.js';

/** A page: a module of its own, loaded when it is first shown; it exports `Component`. */
const page = (path: string, lazy: () => Promise<{ Component: React.ComponentType }>): RouteObject => ({
  path,
  lazy,
  ErrorBoundary: RouteError,
});

const ROUTES: RouteObject[] = [
  {
    HydrateFallback: Splash,
    ErrorBoundary: RouteError,
    children: [
      page(PATHS.signIn, () => import('../pages/sign-in/sign-in-page.js')),
      {
        Component: Frame,
        children: [
          page(PATHS.overview, () => import('../pages/overview/overview-page.js')),
          page(PATHS.firmware, () => import('../pages/firmware/firmware-page.js')),
          page(PATHS.firmwareDetails, () => import('../pages/firmware-details/firmware-details-page.js')),
          page(PATHS.tasks, () => import('../pages/tasks/tasks-page.js')),
          page(PATHS.taskDetails, () => import('../pages/task-details/task-details-page.js')),
          page(PATHS.devices, () => import('../pages/devices/devices-page.js')),
          page(PATHS.deviceDetails, () => import('../pages/device-details/device-details-page.js')),
          { path: '*', Component: NotFoundPage },
        ],
      },
    ],
  },
];

export const createRouter = () => createBrowserRouter(ROUTES, { basename: `${BASE_PATH}/` });

import { batch } from './batch.js';
import { deviceDetails } from './device-details.js';
import { devices } from './devices.js';
import { firmwareDetails } from './firmware-details.js';
import { firmware } from './firmware.js';
import { frame } from './frame.js';
import { overview } from './overview.js';
import { policy } from './policy.js';
import { problems } from './problems.js';
import { signIn } from './sign-in.js';
import { taskDetails } from './task-details.js';
import { tasks } from './tasks.js';
import { validate } from './validate.js';
import { words } from './words.js';
import type { Texts } from '../en/index.js';

/** 简体中文 */
export const zh: Texts = {
  batch,
  deviceDetails,
  devices,
  firmwareDetails,
  firmware,
  frame,
  overview,
  policy,
  problems,
  signIn,
  taskDetails,
  tasks,
  validate,
  words,
};

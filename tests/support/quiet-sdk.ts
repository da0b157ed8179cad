import { pino } from 'pino';
import { installSdkLog } from '../../worker/log.js';

// Failing devices are what many tests are about: the SDK's news of them would bury the tests' own.
installSdkLog(pino({ level: 'error' }));

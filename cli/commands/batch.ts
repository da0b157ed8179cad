import type { Command } from 'commander';
import type { ApiClient } from '../../api/client.js';
import type { CreateBatchUpdateRequest } from '../../api/requests.js';
import type { BatchPreviewAnswer, FirmwareAnswer } from '../../api/schemas.js';
import { awaitsApproval } from '../../domain/update-task.js';
import { askYes, canAsk } from '../ask.js';
import { addFirmwareArgument, findFirmware, firmwareName, type FirmwarePlace } from '../firmware-name.js';
import type { Io } from '../io.js';
import { isUnproven, verificationRemark } from '../last-verification.js';
import { addDevicesOptions, namedDevices, type DevicesOptions } from '../names-list.js';
import { operatingCommand } from '../operating-command.js';
import { addPolicyOptions, policyOf, type PolicyOptions } from '../policy-options.js';
import { plural } from '../printable.js';
import { previewText, refusalOf } from '../preview-text.js';
import { openSession, type Session } from '../session.js';
import { addSourceVersionsOptions, sourceVersions, type SourceVersionsOptions } from '../source-versions.js';
import { CommandFailed } from '../usage-error.js';
import { answerNewTask, WATCH_EXIT_CODES } from '../watching.js';

interface BatchOptions extends PolicyOptions, SourceVersionsOptions, DevicesOptions, FirmwarePlace {
  readonly watch?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** A batch to more devices than this is asked about: a verification may not have more either. */
const ASKED_ABOVE = 100;

export const batchCommand = (io: Io): Command => {
  const command = addFirmwareArgument(
    operatingCommand('batch', 'update all devices that run one of the source versions, to a verified firmware', [
      'ferry batch main@2.0.0 --from 1.0.0,1.1.0 --watch',
      'ferry batch main@2.0.0 --from 1.0.0 --dry-run',
      'ferry batch main@2.0.0 --from 1.0.0 --devices-file floor-3.txt --stall-timeout 10m',
      "ferry batch main@2.0.0 --from-version '1,5' --from-version 1.6",
    ]),
  );
  addDevicesOptions(addSourceVersionsOptions(command), 'only these devices')
    .option('--dry-run', 'show what it would meet, and create nothing; ends with 1 if it would be refused')
    .option(
      '--yes',
      `do not ask on a terminal before more than ${ASKED_ABOVE} devices are updated, or an unproven firmware goes out`,
    )
    .option('--watch', 'follow it to its end')
    .addHelpText('after', WATCH_EXIT_CODES);
  return addPolicyOptions(command, { offline: '7d' }).action((named: string, options: BatchOptions) =>
    batch(io, named, { command, options }),
  );
};

async function batch(
  io: Io,
  named: string,
  { command, options }: { readonly command: Command; readonly options: BatchOptions },
): Promise<void> {
  if (options.from === undefined && options.fromVersion === undefined) {
    command.error("error: required option '--from <versions>' not specified");
  }
  const deviceNames = await namedDevices(options);
  const policy = policyOf(options);
  const session = openSession(io, options);
  const firmware = await findFirmware(session.api, named, options);
  const request: CreateBatchUpdateRequest = {
    sourceVersions: await sourceVersions(session.api, firmware, options),
    ...(deviceNames ? { deviceNames } : {}),
    ...(policy ? { policy } : {}),
  };
  if (options.dryRun === true) {
    tellPreview(session, firmware, await session.api.previewBatchUpdate(firmware.id, request));
    return;
  }
  if (options.yes !== true && canAsk(io)) await confirm(session, firmware, request);
  await create(session, { firmware, request, watch: options.watch });
}

function tellPreview(session: Session, firmware: FirmwareAnswer, preview: BatchPreviewAnswer): void {
  session.answer({ ...preview, firmware }, () => previewText(firmware, preview));
  const refusal = refusalOf(preview);
  if (refusal !== null) throw new CommandFailed(`It would be refused: ${refusal}`);
}

/** @throws CommandFailed when the person at the terminal says no */
async function confirm(
  { api, io }: { readonly api: Pick<ApiClient, 'previewBatchUpdate'>; readonly io: Io },
  firmware: FirmwareAnswer,
  request: CreateBatchUpdateRequest,
): Promise<void> {
  const preview = await api.previewBatchUpdate(firmware.id, request);
  // What is refused anyway needs no question.
  if (refusalOf(preview) !== null) return;
  if (preview.devices <= ASKED_ABOVE && !isUnproven(firmware.lastVerification)) return;
  io.err.write(`${previewText(firmware, preview)}\n`);
  if (await askYes(io, `Update ${plural(preview.devices, 'device')} to ${firmwareName(firmware)}?`)) return;
  throw new CommandFailed('Nothing was created.');
}

async function create(
  session: Session,
  {
    firmware,
    request,
    watch,
  }: {
    readonly firmware: FirmwareAnswer;
    readonly request: CreateBatchUpdateRequest;
    readonly watch: boolean | undefined;
  },
): Promise<void> {
  const task = await session.api.createBatchUpdate(firmware.id, request);
  const verb = awaitsApproval(task, task.cancelRequestedAt) ? 'waits for another operator' : 'begins';
  await answerNewTask(session, task, {
    watch,
    text: () =>
      `Batch ${task.id} ${verb}: ${plural(task.counts.total, 'device')} from ${task.sourceVersions.join(', ')} ` +
      `to ${firmwareName(firmware)}.${verificationRemark(firmware.lastVerification)}`,
  });
}

import { Readable } from 'node:stream';
import type { Context } from 'hono';
import { FerryError, invalidField, notFound, trustUndecided } from '../domain/errors.js';
import { firmwareNameProblem } from '../domain/names.js';
import { quotaExceeded, type FirmwareLimits } from '../domain/policy.js';
import { isSignedBy, type SignedFirmware } from '../firmware/signature.js';
import { tooLarge, type FirmwareStore, type StoredUpload } from '../firmware/store.js';
import type { Created, Firmware, Records } from '../records/records.js';
import type { ApiEnv } from './deps.js';
import { idempotencyOf } from './idempotency.js';
import { newId } from './ids.js';
import { readForm, type Fields } from './multipart.js';
import { requireUncompressed } from './request-body.js';
import { FirmwareFields } from './requests.js';
import { fieldProblems, invalidRequest } from './router.js';
import { narrowed } from './scope.js';

interface IntakeDeps {
  readonly records: Records;
  readonly store: FirmwareStore;
  readonly limits: FirmwareLimits;
  readonly now: () => number;
}

const FIELD_NAMES = Object.keys(FirmwareFields.shape);
/** The form around the file: boundaries, headers, fields. */
const FORM_BYTES_MAX = 64 * 1_024;

/** Takes firmware in, and lets go of files that no firmware needs. */
export class FirmwareIntake {
  constructor(private readonly deps: IntakeDeps) {}

  /**
   * Adds the uploaded firmware. The file is streamed to the store; if anything is refused, it is gone again.
   *
   * @throws FerryError of the form, the fields, the file and the records
   */
  async add(c: Context<ApiEnv>): Promise<Created<Firmware>> {
    requireUncompressed(c);
    // A malformed key is refused before anything is read.
    const isRepeatable = idempotencyOf(c, null) !== undefined;
    const { fields, taken } = await readForm(requestOf(c), FIELD_NAMES, {
      take: async (file, known) => {
        await this.checkEarly(c, known, isRepeatable ? 'repeatable' : 'new');
        return this.deps.store.put(file, this.deps.limits.fileBytesMax);
      },
      drop: (upload) => this.discard(upload),
    });
    try {
      return await this.record(c, fields, taken);
    } catch (error) {
      await this.discard(taken);
      throw error;
    }
  }

  /** The file of a deleted firmware goes, if no other has the same content. */
  async release({ sha256 }: Pick<Firmware, 'sha256'>): Promise<void> {
    await this.deps.store.remove(sha256, () => this.isUsed(sha256));
  }

  /**
   * Takes the file of a firmware once more; what is stored at its address is replaced if it is damaged.
   *
   * @throws FerryError `not-found`, `firmware-deleted`, of the form, and for another file than the firmware's
   */
  async repair(c: Context<ApiEnv>, id: string): Promise<Firmware> {
    const { records, store, limits } = this.deps;
    const firmware = await records.getFirmware(id);
    if (!firmware) throw notFound(`Firmware ${id}`);
    if (firmware.deletedAtMs !== null) {
      throw new FerryError('firmware-deleted', `Firmware ${id} is deleted; its file is not needed any more.`);
    }
    // The limit may have been lowered since the firmware was added.
    const bytesMax = Math.max(limits.fileBytesMax, firmware.sizeBytes);
    const { taken } = await readForm(requestOf(c), [], {
      take: (file) => store.put(file, bytesMax),
      drop: (upload) => this.discard(upload),
    });
    if (taken.sha256 !== firmware.sha256) {
      await this.discard(taken);
      const message = `is another file than the one that ${firmware.name} ${firmware.version} was added with: its SHA-256 is ${taken.sha256}, not ${firmware.sha256}`;
      throw invalidField('file', message);
    }
    await taken.keep();
    return firmware;
  }

  private async record(c: Context<ApiEnv>, fields: Fields, upload: StoredUpload): Promise<Created<Firmware>> {
    const { signature, ...parsed } = this.parse(fields);
    narrowed(c, parsed.productKey);
    const { sha256, md5, sizeBytes } = upload;
    const signatureKeyId = await this.signer({ ...parsed, sizeBytes, sha256 }, signature);
    const created = await this.deps.records.addFirmware(
      {
        ...parsed,
        id: newId(),
        sizeBytes,
        sha256,
        sign: parsed.signMethod === 'MD5' ? md5 : sha256,
        signature: signature ?? null,
        signatureKeyId,
        createdAtMs: this.deps.now(),
      },
      this.deps.limits,
      idempotencyOf(c, { ...parsed, signature, sha256 }),
    );
    await (created.replayed ? this.discard(upload) : upload.keep());
    return created;
  }

  private parse(fields: Fields) {
    const parsed = FirmwareFields.safeParse(Object.fromEntries(fields));
    if (!parsed.success) throw invalidRequest(fieldProblems(parsed.error, 'body'));
    this.checkName(parsed.data.name);
    return parsed.data;
  }

  /**
   * The key of the product that has made the signature; null when nothing is signed. Whether it had to be is decided by
   * the records.
   */
  private async signer(firmware: SignedFirmware, signature: string | undefined): Promise<string | null> {
    if (signature === undefined) return null;
    const trusted = (await this.deps.records.getProduct(firmware.productKey))?.trustedKeys ?? [];
    const key = trusted.find(({ publicKey }) => isSignedBy(publicKey, firmware, signature));
    if (key) return key.keyId;
    const message =
      trusted.length === 0
        ? 'can not be checked: the product trusts no key yet'
        : `was made by none of the keys that the product trusts (${trusted.map(({ keyId }) => keyId).join(', ')}), or of another file, product, module or version`;
    throw new FerryError('firmware-signature-invalid', `signature: ${message}.`, {
      errors: [{ field: 'signature', message }],
    });
  }

  private checkName(name: string): void {
    const message = firmwareNameProblem(name, this.deps.limits.nameCharactersMax);
    if (message === undefined) return;
    throw new FerryError('firmware-name-invalid', `name: ${message}.`, { errors: [{ field: 'name', message }] });
  }

  /** What can be refused before the file is read. The records decide again, within their transaction. */
  private async checkEarly(c: Context<ApiEnv>, fields: Fields, request: 'new' | 'repeatable'): Promise<void> {
    const { records, limits } = this.deps;
    const sentBytes = Number(c.req.header('content-length') ?? 0);
    if (sentBytes > limits.fileBytesMax + FORM_BYTES_MAX) throw tooLarge(limits.fileBytesMax);
    const parsed = FirmwareFields.partial().safeParse(Object.fromEntries(fields));
    if (!parsed.success) throw invalidRequest(fieldProblems(parsed.error, 'body'));
    const { name, productKey } = parsed.data;
    if (name !== undefined) this.checkName(name);
    if (productKey !== undefined) narrowed(c, productKey);
    if (productKey !== undefined) {
      const product = await records.getProduct(productKey);
      if (!product) throw notFound(`The product ${productKey}`);
      if (product.trustUndecided) throw trustUndecided(productKey);
    }
    // A repeat of an upload that was the last to fit is answered, not refused.
    const used = await records.countFirmware();
    if (request === 'new' && used >= limits.firmwareMax) throw quotaExceeded(used, limits.firmwareMax);
  }

  private async discard(upload: StoredUpload): Promise<void> {
    await upload.discard(() => this.isUsed(upload.sha256));
  }

  private async isUsed(sha256: string): Promise<boolean> {
    let cursor: string | undefined;
    do {
      const page = await this.deps.records.listFirmware({}, { limit: 500, cursor });
      if (page.items.some((firmware) => firmware.sha256 === sha256)) return true;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return false;
  }
}

/** Node's own stream where there is a socket: its back-pressure reaches the client. */
function requestOf(c: Context<ApiEnv>) {
  const headers = Object.fromEntries(c.req.raw.headers);
  const incoming = (c.env as ApiEnv['Bindings'] | undefined)?.incoming;
  if (incoming) return { body: incoming, headers };
  const web = c.req.raw.body;
  return { body: web ? Readable.fromWeb(web) : Readable.from([]), headers };
}

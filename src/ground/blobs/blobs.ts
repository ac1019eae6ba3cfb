import { randomUUID } from 'node:crypto';
import { type Kysely, type Selectable, sql } from 'kysely';
import { type Clock, createUuid7, Fault, type Secret } from '../std/index.ts';
import type { Store, StoreTransaction } from '../store/index.ts';
import type { BlobBackend } from './backend.ts';
import type { BlobContentTable, BlobTable, BlobTables } from './schema.ts';
import { newSalt, openBytes } from './sealed-bytes.ts';
import { type Spooled, spool } from './spool.ts';

/** Bytes that nothing refers to any more, and bytes whose row never came, are kept so long: someone may be reading them. */
const IDLE_MS = 3_600_000;
const ORPHAN_MS = 24 * 3_600_000;
const SWEEP_ROWS = 200;
const NAME_LENGTH_MAX = 255;
const LIST_MAX = 200;

export interface BlobsOptions {
  readonly store: Store;
  readonly backend: BlobBackend;
  readonly clock: Clock;
  /** A folder of this machine for what is on its way. */
  readonly spoolFolder: string;
  /** Encrypts what is kept from now on. Needed for as long as anything encrypted is there. */
  readonly encryption?: { readonly master: Secret; readonly isOn: boolean };
  /** Largest content. */
  readonly bytesMax: number;
}

export interface BlobInput {
  readonly organizationId: string;
  readonly name: string;
  readonly contentType: string;
  readonly purpose: string;
  /** ms since the epoch; absent: kept until it is removed. */
  readonly expiresMs?: number;
  /** Written together with the blob's row: there exactly if it is. */
  readonly effects?: (trx: StoreTransaction, blob: BlobView) => Promise<void>;
}

export interface BlobView {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly contentType: string;
  readonly purpose: string;
  readonly bytes: number;
  /** Hex, of the content. */
  readonly sha256: string;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
}

export interface Blobs {
  /** Keeps a stream. Fault `payload_too_large`, `storage_full`, `unavailable`, or what the source throws: then nothing was kept. */
  put(source: AsyncIterable<Uint8Array>, input: BlobInput): Promise<BlobView>;
  /** Fault `not_found`, also where it is another organization's. */
  show(organizationId: string, id: string): Promise<BlobView>;
  /** The bytes of a blob, or of a part of it. */
  read(
    organizationId: string,
    id: string,
    range?: { readonly start: number; readonly end: number },
  ): Promise<AsyncIterable<Uint8Array>>;
  list(
    organizationId: string,
    options?: { readonly before?: string; readonly limit?: number; readonly purpose?: string },
  ): Promise<readonly BlobView[]>;
  /** False where it was not there. */
  remove(organizationId: string, id: string): Promise<boolean>;
  usage(organizationId: string): Promise<{ readonly bytes: number; readonly quotaBytes: number | undefined }>;
  setQuota(organizationId: string, quotaBytes: number | undefined): Promise<void>;
  /** Removes what expired, and bytes that nothing refers to; a bounded number at a time. To be called now and then. */
  sweep(): Promise<{ readonly expired: number; readonly removed: number }>;
  /** Removes bytes that no row knows: what a kill left behind. Reads the whole list. */
  sweepOrphans(): Promise<number>;
}

export function createBlobs(options: BlobsOptions): Blobs {
  return new KeptBlobs(options);
}

class KeptBlobs implements Blobs {
  readonly #options: BlobsOptions;
  readonly #newId: () => string;

  constructor(options: BlobsOptions) {
    this.#options = options;
    this.#newId = createUuid7(options.clock.nowMs);
  }

  async put(source: AsyncIterable<Uint8Array>, input: BlobInput): Promise<BlobView> {
    const { store, bytesMax, spoolFolder, encryption } = this.#options;
    const name = nameOf(input.name);
    const { bytes: used, quotaBytes } = await this.usage(input.organizationId);
    const left = quotaBytes === undefined ? bytesMax : Math.min(bytesMax, Math.max(0, quotaBytes - used));
    const salt = encryption?.isOn ? newSalt() : undefined;
    const content = encryption && salt !== undefined ? { master: encryption.master, salt } : undefined;
    await using spooled = await spool(source, { folder: spoolFolder, bytesMax: left, content });
    const key = await this.#keepNew(input.organizationId, spooled);
    try {
      return await store.transaction(async trx => {
        await this.#count(trx, input.organizationId, spooled.bytes);
        await this.#refer(trx, { organizationId: input.organizationId, spooled, key, salt });
        const blob = await this.#insert(trx, { ...input, name }, spooled);
        await input.effects?.(trx, blob);
        return blob;
      });
    } catch (error) {
      if (key !== undefined) await this.#options.backend.remove(key).catch(() => {});
      throw error;
    }
  }

  /** Keeps the bytes under a new key, unless the organization has them. */
  async #keepNew(organizationId: string, spooled: Spooled): Promise<string | undefined> {
    if (await this.#content(this.#db(), organizationId, spooled.sha256)) return undefined;
    const key = `${spooled.sha256.slice(0, 2)}/${spooled.sha256}-${randomUUID()}`;
    await this.#options.backend.keep(key, spooled.file, spooled.bytesAtRest);
    return key;
  }

  async #count(trx: StoreTransaction, organizationId: string, bytes: number): Promise<void> {
    const db = this.#db(trx);
    await db
      .insertInto('blob_usage')
      .values({ organization_id: organizationId, bytes: 0n, quota_bytes: null })
      .onConflict(conflict => conflict.doNothing())
      .execute();
    const size = BigInt(bytes);
    const { numUpdatedRows } = await db
      .updateTable('blob_usage')
      .set({ bytes: sql<bigint>`bytes + ${size}` })
      .where('organization_id', '=', organizationId)
      .where(({ or, eb }) => or([eb('quota_bytes', 'is', null), sql<boolean>`bytes + ${size} <= quota_bytes`]))
      .executeTakeFirst();
    if (numUpdatedRows > 0n) return;
    throw new Fault('payload_too_large', {
      message: 'The storage quota of the organization is used up',
      messageZh: '组织的存储配额已用尽',
    });
  }

  /** One more refers to the content: to the row that is there, or to one of our own. */
  async #refer(
    trx: StoreTransaction,
    of: {
      readonly organizationId: string;
      readonly spooled: Spooled;
      readonly key: string | undefined;
      readonly salt: string | undefined;
    },
  ): Promise<void> {
    const { organizationId, spooled, key, salt } = of;
    const db = this.#db(trx);
    const { numUpdatedRows } = await db
      .updateTable('blob_contents')
      .set({ refs: sql<bigint>`refs + 1`, idle_us: null })
      .where('organization_id', '=', organizationId)
      .where('sha256', '=', spooled.sha256)
      .executeTakeFirst();
    // Another upload of the same bytes was quicker: ours are an orphan, which the next sweep removes.
    if (numUpdatedRows > 0n) return;
    if (key === undefined)
      throw new Fault('conflict', {
        message: 'The same content was removed at this moment: send it again',
        messageZh: '相同的内容刚刚被删除：请重新上传',
      });
    const bytes = BigInt(spooled.bytes);
    await db
      .insertInto('blob_contents')
      .values({
        organization_id: organizationId,
        sha256: spooled.sha256,
        key,
        bytes,
        salt: salt ?? null,
        refs: 1n,
        idle_us: null,
      })
      .execute();
  }

  async #insert(trx: StoreTransaction, input: BlobInput, spooled: Spooled): Promise<BlobView> {
    const row = await this.#db(trx)
      .insertInto('blobs')
      .values({
        id: `blob_${this.#newId()}`,
        organization_id: input.organizationId,
        sha256: spooled.sha256,
        name: input.name,
        content_type: input.contentType.slice(0, NAME_LENGTH_MAX),
        purpose: input.purpose,
        bytes: BigInt(spooled.bytes),
        created_us: this.#nowUs(),
        expires_us: input.expiresMs === undefined ? null : BigInt(Math.trunc(input.expiresMs)) * 1000n,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return viewOf(row);
  }

  async show(organizationId: string, id: string): Promise<BlobView> {
    return viewOf(await this.#row(organizationId, id));
  }

  async read(organizationId: string, id: string, range?: { readonly start: number; readonly end: number }) {
    const { backend, encryption } = this.#options;
    const row = await this.#row(organizationId, id);
    const content = await this.#content(this.#db(), organizationId, row.sha256);
    if (!content) throw unknown(id);
    const bytes = Number(row.bytes);
    const { start, end } = range ?? { start: 0, end: bytes };
    if (start < 0 || end > bytes || start > end)
      throw new Fault('invalid_parameter', {
        param: 'range',
        message: `The content has ${bytes} bytes`,
        messageZh: `内容共 ${bytes} 字节`,
      });
    const { key, salt } = content;
    if (salt === null) return backend.read(key, { start, end });
    if (!encryption)
      throw new Fault('config_invalid', {
        message: 'The content is encrypted, and no key is configured',
        messageZh: '内容已加密，但未配置密钥',
      });
    return openBytes(part => backend.read(key, part), { start, end }, { bytes, salt, master: encryption.master });
  }

  async list(
    organizationId: string,
    {
      before,
      limit = 50,
      purpose,
    }: { readonly before?: string; readonly limit?: number; readonly purpose?: string } = {},
  ): Promise<readonly BlobView[]> {
    let query = this.#db().selectFrom('blobs').selectAll().where('organization_id', '=', organizationId);
    if (before !== undefined) query = query.where('id', '<', before);
    if (purpose !== undefined) query = query.where('purpose', '=', purpose);
    const rows = await query
      .orderBy('id', 'desc')
      .limit(Math.min(LIST_MAX, Math.max(1, limit)))
      .execute();
    return rows.map(viewOf);
  }

  async remove(organizationId: string, id: string): Promise<boolean> {
    return this.#options.store.transaction(async trx => {
      const db = this.#db(trx);
      const row = await db
        .deleteFrom('blobs')
        .where('id', '=', id)
        .where('organization_id', '=', organizationId)
        .returning(['sha256', 'bytes'])
        .executeTakeFirst();
      if (!row) return false;
      await db
        .updateTable('blob_usage')
        .set({ bytes: sql<bigint>`bytes - ${row.bytes}` })
        .where('organization_id', '=', organizationId)
        .execute();
      await db
        .updateTable('blob_contents')
        .set({ refs: sql<bigint>`refs - 1`, idle_us: this.#nowUs() })
        .where('organization_id', '=', organizationId)
        .where('sha256', '=', row.sha256)
        .execute();
      return true;
    });
  }

  async usage(organizationId: string) {
    const row = await this.#db()
      .selectFrom('blob_usage')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .executeTakeFirst();
    const quota = row?.quota_bytes ?? null;
    return { bytes: Number(row?.bytes ?? 0n), quotaBytes: quota === null ? undefined : Number(quota) };
  }

  async setQuota(organizationId: string, quotaBytes: number | undefined): Promise<void> {
    const quota_bytes = quotaBytes === undefined ? null : BigInt(Math.trunc(quotaBytes));
    await this.#db()
      .insertInto('blob_usage')
      .values({ organization_id: organizationId, bytes: 0n, quota_bytes })
      .onConflict(conflict => conflict.column('organization_id').doUpdateSet({ quota_bytes }))
      .execute();
  }

  async sweep(): Promise<{ readonly expired: number; readonly removed: number }> {
    const over = await this.#db()
      .selectFrom('blobs')
      .select(['id', 'organization_id'])
      .where('expires_us', '<=', this.#nowUs())
      .limit(SWEEP_ROWS)
      .execute();
    for (const { id, organization_id } of over) await this.remove(organization_id, id);
    const idle = await this.#db()
      .selectFrom('blob_contents')
      .select(['organization_id', 'sha256', 'key'])
      .where('refs', '=', 0n)
      .where('idle_us', '<=', this.#nowUs() - BigInt(IDLE_MS) * 1000n)
      .limit(SWEEP_ROWS)
      .execute();
    let removed = 0;
    for (const { organization_id, sha256, key } of idle) {
      const { numDeletedRows } = await this.#db()
        .deleteFrom('blob_contents')
        .where('organization_id', '=', organization_id)
        .where('sha256', '=', sha256)
        .where('key', '=', key)
        .where('refs', '=', 0n)
        .executeTakeFirst();
      if (numDeletedRows === 0n) continue;
      // A kill between the two leaves an orphan, which sweepOrphans finds.
      await this.#options.backend.remove(key);
      removed++;
    }
    return { expired: over.length, removed };
  }

  async sweepOrphans(): Promise<number> {
    const { backend, clock } = this.#options;
    let removed = 0;
    for await (const { key, sinceMs } of backend.list()) {
      if (clock.nowMs() - sinceMs < ORPHAN_MS) continue;
      const known = await this.#db()
        .selectFrom('blob_contents')
        .select('key')
        .where('key', '=', key)
        .executeTakeFirst();
      if (known) continue;
      await backend.remove(key);
      removed++;
    }
    return removed;
  }

  async #row(organizationId: string, id: string): Promise<Selectable<BlobTable>> {
    const row = await this.#db()
      .selectFrom('blobs')
      .selectAll()
      .where('id', '=', id)
      .where('organization_id', '=', organizationId)
      .executeTakeFirst();
    if (!row) throw unknown(id);
    return row;
  }

  #content(
    db: Kysely<BlobTables>,
    organizationId: string,
    sha256: string,
  ): Promise<Selectable<BlobContentTable> | undefined> {
    return db
      .selectFrom('blob_contents')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .where('sha256', '=', sha256)
      .executeTakeFirst();
  }

  #nowUs(): bigint {
    return BigInt(this.#options.clock.nowMs()) * 1000n;
  }

  #db(trx?: StoreTransaction): Kysely<BlobTables> {
    return (trx ?? this.#options.store.db).withTables<BlobTables>();
  }
}

/** The last part of what may be a path, without what no file name has. */
function nameOf(name: string): string {
  const last = name.replace(/^.*[\\/]/s, '').replace(/\p{Cc}/gu, '');
  return last.slice(0, NAME_LENGTH_MAX) || 'unnamed';
}

function unknown(id: string): Fault {
  return new Fault('not_found', { message: `There is no content ${id}`, messageZh: `内容 ${id} 不存在` });
}

function viewOf(row: Selectable<BlobTable>): BlobView {
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.name,
    contentType: row.content_type,
    purpose: row.purpose,
    bytes: Number(row.bytes),
    sha256: row.sha256,
    createdMs: Number(row.created_us / 1000n),
    expiresMs: row.expires_us === null ? undefined : Number(row.expires_us / 1000n),
  };
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { DIALECTS, testStores } from '../../../test/support/stores.ts';
import { systemClock } from '../../ground/std/index.ts';
import { openStore } from '../../ground/store/index.ts';
import { AUDIT_SCHEMA, createAudit } from './index.ts';

const stores = testStores();
const entry = (object: string) => ({ actor: 'owner', role: 'owner', action: 'key.create', object, outcome: 'ok' });

for (const dialect of DIALECTS)
  describe(dialect, () => {
    test('entries are numbered without gaps and chained, also when many write at once', async t => {
      const place = await stores.place(dialect, t);
      if (!place) return;
      await using store = await openStore({ ...place, rooms: [AUDIT_SCHEMA] });
      const audit = createAudit({ store, clock: systemClock });
      await Promise.all(
        Array.from({ length: 20 }, (_, at) => audit.record({ ...entry(`key_${at}`), detail: { name: '中文 😀' } })),
      );
      await assert.rejects(
        store.transaction(async trx => {
          await audit.record(entry('lost'), trx);
          throw new Error('no');
        }),
        /no/,
      );
      await audit.record({ ...entry('last'), organizationId: 'acme' });
      assert.deepEqual(await audit.verify(), { checked: 21, brokenAt: undefined });
      assert.deepEqual(
        (await audit.list({ limit: 2 })).map(({ seq }) => seq),
        [21, 20],
      );
      assert.deepEqual(
        (await audit.list({ organizationId: 'acme' })).map(({ object }) => object),
        ['last'],
      );
    });

    test('secrets are cut out, and what is too long is cut off', async t => {
      const place = await stores.place(dialect, t);
      if (!place) return;
      await using store = await openStore({ ...place, rooms: [AUDIT_SCHEMA] });
      const audit = createAudit({ store, clock: systemClock });
      const detail = { providers: [{ id: 'a', apiKey: 'sk-1' }], Password: 'x', note: 'y'.repeat(20_000), nul: '\0' };
      await audit.record({ ...entry('a\0b'), detail });
      const [kept] = await audit.list({});
      assert.ok(kept && !kept.detail.includes('sk-1') && !kept.detail.includes('"x"') && kept.detail.length < 9_000);
      assert.equal((await audit.verify()).brokenAt, undefined);
    });

    test('a changed, removed or inserted entry is found', async t => {
      const changes = [
        sql`update audit set detail = detail || ' ' where seq = 2`,
        sql`update audit set organization_id = null where seq = 3`,
        sql`delete from audit where seq = 2`,
        sql`delete from audit where seq = 4`,
        sql`update audit set seq = 9 where seq = 4`,
      ];
      for (const change of changes) {
        const place = await stores.place(dialect, t);
        if (!place) return;
        await using store = await openStore({ ...place, rooms: [AUDIT_SCHEMA] });
        const audit = createAudit({ store, clock: systemClock });
        for (let at = 0; at < 4; at++) await audit.record({ ...entry(`k${at}`), organizationId: '' });
        await assert.rejects(change.execute(store.db), /insert-only/);
        const drop =
          dialect === 'sqlite'
            ? ['audit_no_update', 'audit_no_delete'].map(name => `drop trigger ${name}`)
            : ['drop trigger audit_insert_only on audit'];
        for (const statement of drop) await sql.raw(statement).execute(store.db);
        await change.execute(store.db);
        assert.notEqual((await audit.verify()).brokenAt, undefined);
      }
    });
  });

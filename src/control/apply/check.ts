import { isIP } from 'node:net';
import {
  type ConfigDocument,
  type DeploymentSpec,
  formatAmount,
  type ModelSpec,
  type OrganizationSpec,
  type PriceSpec,
  type ProviderSpec,
  parseAmount,
  parseDate,
} from '@millrace/contract';
import { addressKind, toFault } from '../../ground/std/index.ts';
import type { ControlDeps } from '../deps.ts';
import type { Issue } from '../issue-text.ts';
import { walletsIn } from './organization.ts';

type Path = readonly (string | number)[];
type Report = (path: Path, en: string, zh: string) => void;

/** What no schema can say: ids that stand twice, references that lead nowhere, files that are not there, credits that shrink. */
export async function checkReferences(deps: ControlDeps, document: ConfigDocument): Promise<readonly Issue[]> {
  const issues: Issue[] = [];
  const report: Report = (path, en, zh) => void issues.push({ path, words: { en, zh } });
  const { providers, models, organizations } = document;
  checkUnique(providers, ['providers'], report);
  checkUnique(models, ['models'], report);
  checkUnique(organizations, ['organizations'], report);
  for (const [index, provider] of providers.entries()) checkAddress(provider, ['providers', index], report);
  const world = await readWorld(deps, document);
  for (const [index, model] of models.entries())
    await checkModel(deps, model, { path: ['models', index], world, report });
  for (const [index, organization] of organizations.entries())
    await checkOrganization(deps, organization, { path: ['organizations', index], report });
  return issues;
}

interface World {
  readonly providers: ReadonlySet<string>;
  /** Deployment id → the model it belongs to. */
  readonly deployments: Map<string, string>;
}

/** What the document may refer to: its own objects and those that are in the store and stay there. */
async function readWorld({ store, catalog }: ControlDeps, { providers, models }: ConfigDocument): Promise<World> {
  const stored = await catalog.providers();
  const replaced = new Set(models.map(({ id }) => id));
  const rows = await store.db.selectFrom('deployments').select(['id', 'model_id']).execute();
  return {
    providers: new Set([...stored, ...providers].map(({ id }) => id)),
    deployments: new Map(rows.flatMap(row => (replaced.has(row.model_id) ? [] : [[row.id, row.model_id] as const]))),
  };
}

function checkUnique(list: readonly { readonly id: string }[], path: Path, report: Report): void {
  const first = new Map<string, number>();
  for (const [index, { id }] of list.entries()) {
    const before = first.get(id);
    if (before === undefined) first.set(id, index);
    else
      report(
        [...path, index, 'id'],
        `"${id}" stands twice, first as entry ${before + 1}`,
        `“${id}”重复，首次出现在第 ${before + 1} 项`,
      );
  }
}

/** A private address that may not be called would only be found out by the first request. */
function checkAddress({ baseUrl, allowPrivateNetwork }: ProviderSpec, path: Path, report: Report): void {
  const host = new URL(baseUrl).hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const isLocal = host === 'localhost' || host.endsWith('.localhost');
  const kind = isLocal ? 'private' : isIP(host) === 0 ? 'public' : addressKind(host);
  if (kind === 'never')
    report([...path, 'baseUrl'], `${host} is an address that is never called`, `${host} 是禁止访问的地址`);
  if (kind === 'private' && !allowPrivateNetwork)
    report(
      [...path, 'baseUrl'],
      `${host} is on a private network: set allowPrivateNetwork: true to allow it`,
      `${host} 位于私有网络：如需允许，请设置 allowPrivateNetwork: true`,
    );
}

async function checkModel(
  deps: ControlDeps,
  model: ModelSpec,
  { path, world, report }: { readonly path: Path; readonly world: World; readonly report: Report },
): Promise<void> {
  checkPrices(model.prices, [...path, 'prices'], report);
  for (const [index, deployment] of model.deployments.entries()) {
    const at = [...path, 'deployments', index];
    const owner = world.deployments.get(deployment.id);
    if (owner !== undefined)
      report(
        [...at, 'id'],
        `"${deployment.id}" is a deployment of ${owner} already`,
        `“${deployment.id}”已是 ${owner} 的部署`,
      );
    world.deployments.set(deployment.id, model.id);
    if (deployment.provider !== undefined && !world.providers.has(deployment.provider))
      report(
        [...at, 'provider'],
        `there is no provider "${deployment.provider}", neither here nor on the server`,
        `不存在供应商“${deployment.provider}”：此文件和服务器上都没有`,
      );
    checkPrices(deployment.costs, [...at, 'costs'], report);
    await checkEngine(deps, deployment, { path: at, report });
  }
}

/** Two prices of one currency from one time on: which one counts would be a matter of luck. */
function checkPrices(prices: readonly PriceSpec[], path: Path, report: Report): void {
  const seen = new Set<string>();
  for (const [index, { currency, effectiveFrom }] of prices.entries()) {
    const key = `${currency} ${effectiveFrom === undefined ? 0 : parseDate(effectiveFrom)}`;
    const since = effectiveFrom ?? 'the beginning';
    if (seen.has(key))
      report(
        [...path, index],
        `is a second price in ${currency} from ${since} on: give it another effectiveFrom`,
        `是 ${currency} 自${effectiveFrom ?? '一开始'}起的第二个价格：请设置不同的 effectiveFrom`,
      );
    seen.add(key);
  }
}

async function checkEngine(
  { inspectModel }: ControlDeps,
  { engine }: DeploymentSpec,
  { path, report }: { readonly path: Path; readonly report: Report },
): Promise<void> {
  if (!engine) return;
  try {
    await inspectModel(engine.file);
  } catch (error) {
    const fault = toFault(error);
    report([...path, 'engine', 'file'], fault.messageIn('en'), fault.messageIn('zh'));
  }
}

async function checkOrganization(
  { store, ledger }: ControlDeps,
  organization: OrganizationSpec,
  { path, report }: { readonly path: Path; readonly report: Report },
): Promise<void> {
  checkUnique(organization.projects, [...path, 'projects'], report);
  const seen = new Set<string>();
  for (const [index, { currency, credit }] of walletsIn(organization).entries()) {
    const at = organization.wallets ? [...path, 'wallets', index] : [...path, 'wallet'];
    if (seen.has(currency))
      report([...at, 'currency'], `is a second wallet in ${currency}`, `是第二个 ${currency} 钱包`);
    seen.add(currency);
    const wanted = credit === undefined ? undefined : parseAmount(credit);
    if (wanted === undefined) continue;
    const credited = await store.transaction(trx => ledger.configuredCredit(trx, organization.id, currency));
    if (wanted < credited)
      report(
        [...at, 'credit'],
        `${formatAmount(wanted)} is less than the ${formatAmount(credited)} ${currency} that configuration has credited already; ` +
          `to take money back run: millrace wallet credit --org ${organization.id} --currency ${currency} --amount -${formatAmount(credited - wanted)}`,
        `${formatAmount(wanted)} 小于配置已充值的 ${formatAmount(credited)} ${currency}；` +
          `如需收回，请运行：millrace wallet credit --org ${organization.id} --currency ${currency} --amount -${formatAmount(credited - wanted)}`,
      );
  }
}

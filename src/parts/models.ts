import { modelFile } from '../control/index.ts';
import { systemClock } from '../ground/std/index.ts';
import { createCatalog, createSeal } from '../models/catalog/index.ts';
import { superviseEngines } from '../serving/engines/index.ts';
import { slots, store } from './books.ts';
import { home, log } from './home.ts';
import { definePart } from './part.ts';

/** The hosts of embedded models; none of them runs yet. */
export const engines = definePart({
  name: 'engines',
  needs: { home, slots, log },
  open: ({ home: { runDir }, slots: { deployments }, log: to }) =>
    superviseEngines({
      ...{ node: process.execPath, runDir, deployments: [], slots: deployments, log: to, clock: systemClock },
    }),
  close: opened => opened.stop(),
});

export const catalog = definePart({
  name: 'catalog',
  needs: { home, store, slots, engines, log },
  open: ({ home: { secrets }, store: kept, slots: { deployments }, engines: hosts, log: to }) =>
    createCatalog({
      ...{ store: kept, clock: systemClock, seal: createSeal(secrets.master), slots: deployments, log: to },
      engineBaseUrl: id => hosts.baseUrl(id),
    }),
  close: opened => opened[Symbol.dispose](),
});

/** Runs what the catalog says, from the moment it is known: a model takes longest of all to be ready. */
export const runningEngines = definePart({
  name: 'running engines',
  needs: { catalog, engines },
  open({ catalog: models, engines: hosts }) {
    const update = () =>
      void hosts.update(models.engines().map(engine => ({ ...engine, file: modelFile(engine.file) })));
    models.onChange(update);
    update();
  },
});

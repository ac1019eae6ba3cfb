import type { Catalog } from '../models/catalog/index.ts';
import { type Engines, inspectGguf } from '../serving/engines/index.ts';
import type { ControlDeps } from './deps.ts';
import { modelFile } from './model-file.ts';

/** What the control plane may ask of engines, and of the files that they run. */
export function engineDeps({
  engines,
  catalog,
  serves,
}: {
  readonly engines: Engines;
  readonly catalog: Catalog;
  /** A server runs every engine of the catalog; a command line only one that it asks for. */
  readonly serves: boolean;
}): Pick<ControlDeps, 'engineStatus' | 'startEngine' | 'inspectModel'> {
  return {
    engineStatus: () => engines.status(),
    startEngine(id) {
      if (serves) return;
      const asked = catalog.engines().filter(({ deploymentId }) => deploymentId === id);
      void engines.update(asked.map(engine => ({ ...engine, file: modelFile(engine.file) })));
    },
    async inspectModel(file) {
      const { name, contextTokens } = await inspectGguf(modelFile(file));
      return { name: name ?? '', contextTokens };
    },
  };
}

/**
 * What guests that are to run start from, each once, most used first: every host keeps templates of these ready, for any
 * of the guests may have to be started on it.
 */
import { splitBootArguments, type TemplateRecipe, templateRecipesMax } from '@skein/shared';
import type { VmInventory } from './inventory.ts';

export function wantedTemplates(vms: readonly VmInventory[]): TemplateRecipe[] {
  const uses = new Map<string, { recipe: TemplateRecipe; count: number }>();
  for (const { spec } of vms) {
    if (spec.power === 'off') continue;
    const { image, memoryMib, bootArguments } = spec.machine;
    const recipe = { image, memoryMib, kernelArguments: splitBootArguments(bootArguments).kernel };
    const key = JSON.stringify(recipe);
    const known = uses.get(key) ?? { recipe, count: 0 };
    known.count += 1;
    uses.set(key, known);
  }
  return [...uses.values()]
    .sort((a, b) => b.count - a.count)
    .slice(0, templateRecipesMax)
    .map(({ recipe }) => recipe);
}

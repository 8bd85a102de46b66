/**
 * How a guest is powered on: as a clone of a template where this host has one, else by booting its kernel, which then
 * leaves a template for the next. Reads files; decides nothing else.
 */
import { randomBytes } from 'node:crypto';
import { NICS_BESIDE_IDENTITY_PORT_MAX } from '@skein/machine';
import { type MachineSpec, splitBootArguments, type TemplateRecipe } from '@skein/shared';
import type { ImageStore } from '../image/image-store.ts';
import type { TemplateStore } from '../template/template-store.ts';
import type { VmOrigin } from './vm-channel.ts';

/** The port that machines here have, and that an image's init must know. */
const identityPort = 'skein.identity';
const entropyBytes = 32;

export interface PlannedStart {
  readonly origin: VmOrigin;
  /** Of a clone, whose console shows no banner. */
  readonly kernel: string | null;
  /** Null: this guest cannot be cloned. */
  readonly recipe: TemplateRecipe | null;
}

export class GuestStart {
  readonly #images: ImageStore;
  readonly #templates: TemplateStore;

  constructor(images: ImageStore, templates: TemplateStore) {
    this.#images = images;
    this.#templates = templates;
  }

  /** @throws OperationError image.not-found, image.corrupt */
  async plan(machine: MachineSpec): Promise<PlannedStart> {
    const recipe = await this.#recipeOf(machine);
    const templatePath = recipe === null ? null : await this.#templates.find(recipe);
    if (templatePath === null) return await this.#boot(machine, recipe);
    const { kernelVersion } = await this.#images.describe(machine.image);
    const identity = { words: splitBootArguments(machine.bootArguments).identity, entropy: newEntropy() };
    return { origin: { kind: 'clone', templatePath, identity }, kernel: kernelVersion, recipe };
  }

  /** The template was refused: it goes, and the kernel is booted. */
  async planWithoutTemplate(machine: MachineSpec): Promise<PlannedStart> {
    const recipe = await this.#recipeOf(machine);
    if (recipe !== null) await this.#templates.discard(recipe);
    return await this.#boot(machine, recipe);
  }

  /** A boot up to where the template is taken, and no further. @throws OperationError image.not-found, image.corrupt */
  async planTemplate(recipe: TemplateRecipe): Promise<VmOrigin | null> {
    const about = await this.#images.describe(recipe.image);
    if (about.identityPort !== identityPort) return null;
    const image = await this.#images.load(recipe.image);
    return {
      kind: 'boot',
      kernel: image.kernel,
      initrd: image.initrd,
      bootArguments: joined(image.defaultBootArguments, recipe.kernelArguments),
      randomSeed: newEntropy(),
      identity: null,
      template: this.#templates.place(recipe),
    };
  }

  async #boot(machine: MachineSpec, recipe: TemplateRecipe | null): Promise<PlannedStart> {
    const image = await this.#images.load(machine.image);
    const { kernel, identity } = splitBootArguments(machine.bootArguments);
    const own = recipe === null ? machine.bootArguments : kernel;
    const origin: VmOrigin = {
      kind: 'boot',
      kernel: image.kernel,
      initrd: image.initrd,
      bootArguments: joined(image.defaultBootArguments, own),
      randomSeed: newEntropy(),
      identity: recipe === null ? null : { words: identity, entropy: newEntropy() },
      template: recipe === null ? null : this.#templates.place(recipe),
    };
    return { origin, kernel: null, recipe };
  }

  /** Null for guests that read their kernel's command line alone. */
  async #recipeOf(machine: MachineSpec): Promise<TemplateRecipe | null> {
    const about = await this.#images.describe(machine.image);
    const readsPort =
      about.identityPort === identityPort && machine.nics.length <= NICS_BESIDE_IDENTITY_PORT_MAX;
    if (!readsPort) return null;
    const { image, memoryMib, bootArguments } = machine;
    return { image, memoryMib, kernelArguments: splitBootArguments(bootArguments).kernel };
  }
}

function newEntropy(): Uint8Array {
  return randomBytes(entropyBytes);
}

function joined(...parts: readonly string[]): string {
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join(' ');
}

/**
 * Templates on this host: a file each, named after what it depends on. A file is whole or absent, and its content is
 * checked whenever a guest is cloned from it; so several agents may share a directory, and whatever is lost or damaged
 * is made anew. Those used last are kept.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TemplateRecipe } from '@skein/shared';

/** Raised when templates of before must not be used any more although their format did not change. */
const generation = 1;
const templatesMax = 8;
/** Nobody takes so long to make a template: what is older was left by a process that is gone. */
const leftoverAgeMs = 120_000;
/** Between a claim's file and the name in it lies no time at all, in which its holder may be killed all the same. */
const namelessAgeMs = 5000;
const suffix = { template: '.template', partial: '.partial', claim: '.claim' } as const;

/** Where a template goes: it is written under the temporary name, then renamed. */
export interface TemplatePlace {
  readonly path: string;
  readonly temporaryPath: string;
}

export class TemplateStore {
  readonly #directory: string;
  readonly #coreDigest: string;

  constructor(directory: string, coreDigest: string) {
    this.#directory = directory;
    this.#coreDigest = coreDigest;
  }

  /** Makes the directory, and removes what killed processes left in it. Rejects with what the file system says. */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const { name, ageMs } of await this.#list()) {
      const isUnfinished = name.endsWith(suffix.partial) || name.endsWith(suffix.claim);
      if (isUnfinished && ageMs > leftoverAgeMs) await this.#remove(name);
    }
  }

  /** The template's file, or null: then the kernel is booted. */
  async find(recipe: TemplateRecipe): Promise<string | null> {
    const path = this.#path(recipe, suffix.template);
    const now = new Date();
    return await utimes(path, now, now).then(
      () => path,
      () => null,
    );
  }

  place(recipe: TemplateRecipe): TemplatePlace {
    const temporary = `.${randomBytes(6).toString('hex')}${suffix.partial}`;
    return { path: this.#path(recipe, suffix.template), temporaryPath: this.#path(recipe, temporary) };
  }

  /**
   * The right to make it, among all agents that share the directory; null if another has it. It is given back by
   * `release`, or is over when its holder must be gone. Making one without it does no harm, and is work for nothing.
   */
  async claim(recipe: TemplateRecipe): Promise<boolean> {
    const path = this.#path(recipe, suffix.claim);
    if (await isOver(path)) await rm(path, { force: true });
    return await writeFile(path, String(process.pid), { flag: 'wx' }).then(
      () => true,
      () => false,
    );
  }

  async release(recipe: TemplateRecipe): Promise<void> {
    await rm(this.#path(recipe, suffix.claim), { force: true });
  }

  /** Throws a template away: it is damaged, or of another machine. */
  async discard(recipe: TemplateRecipe): Promise<void> {
    await rm(this.#path(recipe, suffix.template), { force: true });
  }

  /** Removes those that were not used for longest; call it when one has come. */
  async prune(): Promise<void> {
    const templates = (await this.#list()).filter(({ name }) => name.endsWith(suffix.template));
    const oldestLast = templates.sort((a, b) => a.ageMs - b.ageMs);
    for (const { name } of oldestLast.slice(templatesMax)) await this.#remove(name);
  }

  #path(recipe: TemplateRecipe, ending: string): string {
    const { image, memoryMib, kernelArguments } = recipe;
    const parts = [generation, this.#coreDigest, image, memoryMib, kernelArguments];
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
    return join(this.#directory, `${key}${ending}`);
  }

  async #list(): Promise<{ name: string; ageMs: number }[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const files = names.map(async (name) => {
      const found = await stat(join(this.#directory, name)).catch(() => null);
      return found === null ? [] : [{ name, ageMs: Date.now() - found.mtimeMs }];
    });
    return (await Promise.all(files)).flat();
  }

  async #remove(name: string): Promise<void> {
    await rm(join(this.#directory, name), { force: true });
  }
}

/** A claim whose holder is gone; one with our own process id is of an earlier life, in a container for example. */
async function isOver(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null) return false;
  const ageMs = Date.now() - found.mtimeMs;
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  if (!(pid > 0)) return ageMs > namelessAgeMs;
  return ageMs > leftoverAgeMs || pid === process.pid || !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TemplateRecipe } from '@skein/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TemplateStore } from './template-store.ts';

const recipe: TemplateRecipe = { image: 'a'.repeat(64), memoryMib: 128, kernelArguments: 'quiet' };
/** Above any process id that Linux gives. */
const nobodysPid = 2 ** 22 + 1;

let folder: string;
let store: TemplateStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-templates-'));
  store = new TemplateStore(folder, 'core');
  await store.open();
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(of: TemplateStore, what: TemplateRecipe): string {
  const { path } = of.place(what);
  writeFileSync(path, 'template');
  return path;
}

function age(path: string, seconds: number): void {
  const then = Date.now() / 1000 - seconds;
  utimesSync(path, then, then);
}

const claimFile = (): string =>
  join(folder, readdirSync(folder).find((name) => name.endsWith('.claim')) ?? '');

describe('templates on a host', () => {
  it('are found by all that they depend on, and by nothing less', async () => {
    expect(await store.find(recipe)).toBeNull();
    const path = put(store, recipe);
    expect(await store.find({ ...recipe })).toBe(path);
    for (const other of [{ image: 'b'.repeat(64) }, { memoryMib: 256 }, { kernelArguments: '' }])
      expect(await store.find({ ...recipe, ...other })).toBeNull();
    expect(await new TemplateStore(folder, 'another core').find(recipe)).toBeNull();
  });

  it('are gone when they were discarded', async () => {
    put(store, recipe);
    await store.discard(recipe);
    expect(await store.find(recipe)).toBeNull();
  });

  it('are kept by their last use, eight of them', async () => {
    const paths = Array.from({ length: 10 }, (_, index) => put(store, { ...recipe, memoryMib: 64 + index }));
    paths.forEach((path, index) => {
      age(path, 1000 - index);
    });
    await store.find({ ...recipe, memoryMib: 64 });
    await store.prune();
    expect(readdirSync(folder)).toHaveLength(8);
    expect(await store.find({ ...recipe, memoryMib: 64 })).toBe(paths[0]);
    expect(await store.find({ ...recipe, memoryMib: 65 })).toBeNull();
    expect(await store.find({ ...recipe, memoryMib: 66 })).toBeNull();
  });

  it('are written under names that no two writers share', () => {
    const places = [store.place(recipe), store.place(recipe)];
    expect(places[0]?.path).toBe(places[1]?.path);
    expect(places[0]?.temporaryPath).not.toBe(places[1]?.temporaryPath);
  });

  it('lose what killed writers left, once these must be gone', async () => {
    const fresh = store.place(recipe).temporaryPath;
    const old = store.place(recipe).temporaryPath;
    writeFileSync(fresh, 'half');
    writeFileSync(old, 'half');
    age(old, 3600);
    await store.open();
    expect(readdirSync(folder).map((name) => join(folder, name))).toEqual([fresh]);
  });
});

describe('the right to make a template', () => {
  it('has one at a time, until it is given back', async () => {
    expect(await store.claim(recipe)).toBe(true);
    // As if an agent had it that lives: the process that started this one.
    writeFileSync(claimFile(), String(process.ppid));
    expect(await store.claim(recipe)).toBe(false);
    expect(await store.claim({ ...recipe, memoryMib: 256 })).toBe(true);
    await store.release(recipe);
    expect(await store.claim(recipe)).toBe(true);
  });

  it('is over when its holder is gone, or was this process in an earlier life', async () => {
    for (const pid of [nobodysPid, process.pid]) {
      await store.claim(recipe);
      writeFileSync(claimFile(), String(pid));
      expect(await store.claim(recipe)).toBe(true);
    }
  });

  it('is over when its holder was killed before it could write its name', async () => {
    await store.claim(recipe);
    writeFileSync(claimFile(), '');
    expect(await store.claim(recipe)).toBe(false);
    age(claimFile(), 10);
    expect(await store.claim(recipe)).toBe(true);
  });

  it('is over when it has been held for longer than making one takes', async () => {
    await store.claim(recipe);
    writeFileSync(claimFile(), String(process.ppid));
    age(claimFile(), 3600);
    expect(await store.claim(recipe)).toBe(true);
  });
});

/**
 * What the source says of the pages that it is about to send: the vCPU's thread, which has nothing to do before the lease has passed,
 * has the host give them their memory (vm/allocate-ahead.ts).
 */
import type { MachineMemory } from '@skein/machine';
import { bitmapOf } from './page-bitmap.ts';
import type { VmLink } from './vm-link.ts';

export class MemoryAhead {
  readonly #vm: Pick<VmLink, 'tell'>;
  readonly #memory: Pick<MachineMemory, 'pages'>;
  /** Each page is said to come once, in order: however much a source invents, it comes to an end. */
  #toldPages = 0;

  constructor(vm: Pick<VmLink, 'tell'>, memory: Pick<MachineMemory, 'pages'>) {
    this.#vm = vm;
    this.#memory = memory;
  }

  /** A bit for each page from `firstPage` on. Returns null, or why that cannot be. */
  learn(firstPage: number, pages: Uint8Array): string | null {
    const end = firstPage + pages.length * 8;
    if (firstPage < this.#toldPages) return `pages from ${firstPage} on are said to come a second time`;
    const bitmap = end > this.#memory.pages ? null : bitmapOf(pages, pages.length * 8);
    if (bitmap === null) return 'pages are said to come that the guest does not have';
    this.#toldPages = end;
    this.#vm.tell({ type: 'allocate-ahead', firstPage, pages: bitmap });
    return null;
  }
}

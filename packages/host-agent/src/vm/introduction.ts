/**
 * Tells a guest who it is when it asks, once. At that moment, and never again, the machine is what every guest of its
 * kind could start from: a template is taken then, if one is wanted (architecture: Template).
 */
import { existsSync } from 'node:fs';
import { type Machine, saveTemplate } from '@skein/machine';
import { encodeIdentity } from '../core/guest-identity.ts';
import type { TemplatePlace } from '../template/template-store.ts';
import type { GuestIdentity, VmEvent } from './vm-channel.ts';

/** A guest that has asked soon waits; what it still does until then, its clones need not do. */
const slicesToIdleMax = 200;

export interface IntroductionOptions {
  readonly machine: Machine;
  /** Null: it ends when the template is taken. */
  readonly identity: GuestIdentity | null;
  readonly template: TemplatePlace | null;
  readonly tell: (event: VmEvent) => void;
}

export class Introduction {
  readonly #options: IntroductionOptions;
  #slices = 0;
  #isOver = false;
  #wasSpokenTo = false;

  constructor(options: IntroductionOptions) {
    this.#options = options;
  }

  /** Nothing is left to be done at a slice's end. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Between two slices; `isIdle`: the last one ended because the guest waits. True: the machine is not needed any more. */
  meet(isIdle: boolean): boolean {
    const { machine, identity } = this.#options;
    // What was typed to this guest must not be read by all of its clones.
    const template = this.#wasSpokenTo ? null : this.#options.template;
    if (this.#isOver || !machine.isIdentityAwaited) return false;
    this.#slices += 1;
    if (template !== null && !isIdle && this.#slices < slicesToIdleMax) return false;
    if (template !== null) this.#keep(template);
    this.now();
    return identity === null;
  }

  /** Somebody typed at this guest's console: what it holds is its own from now on. */
  spokenTo(): void {
    this.#wasSpokenTo = true;
  }

  /** Also before it has asked: the port keeps the words. For a machine that is about to be another host's. */
  now(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { machine, identity } = this.#options;
    if (identity === null) return;
    const bytes = encodeIdentity(identity.words, identity.entropy, BigInt(Date.now()) * 1000n);
    machine.apply({ type: 'identity', bytes });
  }

  #keep({ path, temporaryPath }: TemplatePlace): void {
    // Another guest, or another agent, was faster.
    if (existsSync(path)) return;
    const startedMs = performance.now();
    try {
      const { pages } = saveTemplate(this.#options.machine, path, temporaryPath);
      this.#options.tell({ type: 'template-saved', pages, tookMs: performance.now() - startedMs });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.tell({ type: 'template-failed', message });
    }
  }
}

/** QEMU's side: one guest that goes from process to process, migrated by one setting after the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestImage } from '@skein/guests';
import type { Moved, MovingGuest, Side } from './moving-guest.ts';
import { ConsoleObserver } from './observer.ts';
import { QemuMachine } from './qemu-machine.ts';
import { configure, listenForSource, migrateQemu } from './qemu-migration.ts';
import type { QemuSetting } from './qemu-settings.ts';

const bootDeadlineMs = 90_000;

export class QemuBed {
  readonly #folder = mkdtempSync(join(tmpdir(), 'skein-qemu-'));
  readonly #args: readonly string[];
  readonly #name: string;
  #observer = new ConsoleObserver();
  #running: QemuMachine | null = null;
  #waiting: { readonly machine: QemuMachine; readonly uri: string } | null = null;
  /** The source of the last migration, stopped, with the whole guest in it. */
  #left: QemuMachine | null = null;
  #started = 0;

  constructor(image: GuestImage, name: string, memoryMib: number) {
    this.#name = name;
    this.#args = [
      ...['-m', `${memoryMib}`, '-nic', 'none', '-kernel', image.kernelPath, '-initrd', image.initrdPath],
      ...['-append', `${image.defaultBootArguments} skein.hostname=${name}`],
    ];
  }

  side(setting: QemuSetting): Side {
    return {
      name: `qemu ${setting.name}`,
      guest: async () => {
        this.#running ??= await this.#boot();
        return this.#guest(setting);
      },
      takeBack: () => this.#takeBack(),
      discard: () => this.#discard(),
    };
  }

  async close(): Promise<void> {
    await this.#discard();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #guest(setting: QemuSetting): MovingGuest {
    return {
      observer: this.#observer,
      type: (text) => this.#running?.type(text),
      prepare: async () => {
        await this.#release();
        const machine = await this.#start(['-incoming', 'defer']);
        this.#waiting = { machine, uri: '' };
        const uri = await listenForSource(machine, setting);
        this.#waiting = { machine, uri };
        if (this.#running !== null) await configure(this.#running, setting);
      },
      migrate: () => this.#migrate(setting),
    };
  }

  async #migrate(setting: QemuSetting): Promise<Moved> {
    const [source, waiting] = [this.#running, this.#waiting];
    if (source === null || waiting === null) throw new Error('no migration was prepared');
    const moved = await migrateQemu(source, waiting.machine, waiting.uri, setting);
    this.#waiting = null;
    this.#left = moved.hasMoved ? source : waiting.machine;
    if (moved.hasMoved) this.#running = waiting.machine;
    return moved;
  }

  /** QEMU, qapi/run-state.json, RunState: a source whose guest went away may be continued. */
  async #takeBack(): Promise<void> {
    const [lost, left] = [this.#running, this.#left];
    if (left === null) throw new Error('no source to go back to');
    [this.#running, this.#left] = [left, null];
    await lost?.kill();
    await left.qmp.execute('cont');
  }

  /** Ends all but the machine in which the guest runs. */
  async #release(): Promise<void> {
    const machines = [this.#left, this.#waiting?.machine];
    [this.#left, this.#waiting] = [null, null];
    await Promise.all(machines.map((machine) => machine?.kill()));
  }

  async #boot(): Promise<QemuMachine> {
    this.#observer = new ConsoleObserver();
    const machine = await this.#start([]);
    try {
      const ready = `skein-guest: ready ${this.#name}`;
      await this.#observer.until(ready, bootDeadlineMs, () => this.#observer.text.includes(ready));
      return machine;
    } catch (error) {
      await machine.kill();
      throw error;
    }
  }

  #start(more: readonly string[]): Promise<QemuMachine> {
    this.#started += 1;
    const observer = this.#observer;
    return QemuMachine.start({
      folder: this.#folder,
      name: `qmp-${this.#started}`,
      args: [...this.#args, ...more],
      hear: (text) => observer.hear(text),
    });
  }

  async #discard(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await Promise.all([running?.kill(), this.#release()]);
  }
}

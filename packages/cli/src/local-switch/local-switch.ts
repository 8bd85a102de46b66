/**
 * `--nic switch:NAME`: machines of one user on one host that name the same switch are on one network, and on no other. The
 * switch lives in whichever of them came first; when that one ends, another takes its place within a second, and only frames
 * on their way are lost. Its socket stands in a folder that is the user's alone.
 */
import { mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rarpAnnouncement } from '@skein/network';
import { encodeFrame, FrameDecoder } from './frame-stream.ts';
import { SwitchHub } from './switch-hub.ts';

const retryMs = 50;
/** sun_path of Linux has 108 bytes, its end included: unix(7). */
const pathBytesMax = 107;

export interface LocalSwitchOptions {
  /** A DNS label. */
  readonly name: string;
  /** Where the user's state is kept. */
  readonly stateFolder: string;
  readonly mac: string;
  /** A frame for the machine; the array is its own. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** For people: the machine has no network any more, and why. */
  readonly onTrouble: (message: string) => void;
}

interface Place {
  send(frame: Uint8Array): void;
  close(): void;
}

export class LocalSwitch {
  readonly #options: LocalSwitchOptions;
  readonly #path: string;
  #place: Place | null = null;
  #isClosed = false;

  private constructor(options: LocalSwitchOptions) {
    this.#options = options;
    const folder = join(options.stateFolder, 'switches');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#path = join(folder, `${options.name}.sock`);
    if (Buffer.byteLength(this.#path) > pathBytesMax)
      throw new RangeError(`${this.#path} is too long for a socket; set SKEIN_STATE to a shorter folder`);
  }

  /** Returns when it is connected, or is the switch. Throws what the file system says. */
  static async join(options: LocalSwitchOptions): Promise<LocalSwitch> {
    const joined = new LocalSwitch(options);
    await joined.#takePlace();
    return joined;
  }

  /** Lost while there is no switch for a moment. The array may be reused afterwards. */
  send(frame: Uint8Array): void {
    this.#place?.send(frame);
  }

  close(): void {
    this.#isClosed = true;
    this.#place?.close();
    this.#place = null;
  }

  async #takePlace(): Promise<void> {
    this.#place = null;
    while (!this.#isClosed) {
      const place = await this.#find();
      if (place !== null) {
        this.#place = place;
        // The others learn where it is, and the switch whose port this is.
        place.send(rarpAnnouncement(this.#options.mac));
        return;
      }
      await delay(retryMs);
    }
  }

  /** Again, when the place of before is gone. */
  #lookAgain(): void {
    if (this.#isClosed) return;
    this.#takePlace().catch((error: unknown) => {
      this.#options.onTrouble(`the switch ${this.#options.name} is lost: ${reasonOf(error)}`);
    });
  }

  /** Null: a switch is there that is too busy to answer. */
  async #find(): Promise<Place | null> {
    try {
      return await this.#connect();
    } catch (cause) {
      // Nobody is there, or only what a dead switch left; a switch that is too busy to answer is one.
      const { code } = cause as NodeJS.ErrnoException;
      return code === 'ENOENT' || code === 'ECONNREFUSED' ? await this.#open() : null;
    }
  }

  async #connect(): Promise<Place> {
    const socket = connect(this.#path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    this.#receive(socket);
    return {
      send: (frame) => void socket.write(encodeFrame(frame)),
      close: () => void socket.destroy(),
    };
  }

  #receive(socket: Socket): void {
    const decoder = new FrameDecoder();
    socket.on('data', (piece) => {
      try {
        for (const frame of decoder.push(piece)) this.#options.onFrame(frame);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#lookAgain());
    socket.unref();
  }

  #open(): Promise<Place> {
    const { mac, onFrame } = this.#options;
    return SwitchHub.open({ path: this.#path, mac, onFrame, onReplaced: () => this.#lookAgain() });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

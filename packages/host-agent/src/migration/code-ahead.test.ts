import { zstdCompressSync } from 'node:zlib';
import {
  type CoreModules,
  createDevices,
  createMachineMemory,
  loadCore,
  Machine,
  usedCodePageBytes,
} from '@skein/machine';
import { batchBytesMax, PageBatchWriter } from '@skein/shared';
import { beforeAll, describe, expect, it } from 'vitest';
import { PageReceiver } from './page-receiver.ts';

const memoryMib = 64;
const codePage = 0;
const steps = 3;
let core: CoreModules;

beforeAll(async () => {
  core = await loadCore();
});

function createMachine(awaitPage: (page: number) => void = () => {}): Machine {
  const memory = createMachineMemory(core, memoryMib);
  return new Machine({
    core,
    memory,
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
    awaitPage,
  });
}

/** A guest that is on its way: its pages come through a receiver, in the order of the calls. */
class Arrival {
  readonly machine: Machine;
  readonly receiver: PageReceiver;
  #batches = 0;

  constructor() {
    this.machine = createMachine(() => this.bring(program(77)));
    this.receiver = new PageReceiver(core, this.machine.memory);
  }

  bring(page: Uint8Array, isCompressed = false): void {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    if (page.every((byte) => byte === 0)) {
      writer.addZero(codePage);
      this.#apply(writer.finish(1, this.#batches++));
      return;
    }
    writer.bytes.set(page, writer.nextDataOffset);
    writer.addRaw(codePage, hashOf(page));
    const compressed = zstdCompressSync(page);
    this.#apply(
      isCompressed
        ? writer.finishCompressed(1, this.#batches++, compressed)
        : writer.finish(1, this.#batches++),
    );
  }

  /** As a source would say it of the first 16 half words. */
  decodeAhead(): number {
    this.machine.usedCode.dropRewritten();
    const usedCode = new Uint8Array(usedCodePageBytes);
    usedCode.set([0xff, 0xff], 8);
    return this.machine.usedCode.decode(usedCode).decoded;
  }

  /** The constant that its program loads. */
  run(): bigint {
    this.machine.usedCode.dropRewritten();
    this.machine.run(steps);
    return this.machine.register(10);
  }

  #apply(frame: Uint8Array): void {
    expect(this.receiver.apply(frame)).toMatchObject({ kind: 'applied' });
  }
}

/** addi a0, x0, constant; then it stays where it is. */
function program(constant: number): Uint8Array {
  const page = new Uint8Array(4096);
  new Uint32Array(page.buffer).set([(constant << 20) | (10 << 7) | 0x13, 0x0000006f]);
  return page;
}

function hashOf(page: Uint8Array): bigint {
  const machine = createMachine();
  machine.memory.page(codePage).set(page);
  return machine.pageHash(codePage);
}

describe('code that is decoded while its pages still come', () => {
  it('is what the guest runs, where the page stays as it came', () => {
    const arrival = new Arrival();
    arrival.bring(program(11));
    expect(arrival.decodeAhead()).toBe(1);
    expect(arrival.run()).toBe(11n);
  });

  it('is not decoded before it is there', () => {
    const arrival = new Arrival();
    expect(arrival.decodeAhead()).toBe(0);
    arrival.bring(program(12));
    expect(arrival.run()).toBe(12n);
  });

  it.each([false, true])('is forgotten where the page came once more (compressed: %s)', (isCompressed) => {
    const arrival = new Arrival();
    arrival.bring(program(13));
    expect(arrival.decodeAhead()).toBe(1);
    arrival.bring(program(14), isCompressed);
    expect(arrival.run()).toBe(14n);
  });

  it('is decoded anew where the page came once more', () => {
    const arrival = new Arrival();
    arrival.bring(program(15));
    expect(arrival.decodeAhead()).toBe(1);
    expect(arrival.decodeAhead()).toBe(0);
    arrival.bring(program(16));
    expect(arrival.decodeAhead()).toBe(1);
    expect(arrival.run()).toBe(16n);
  });

  it('is forgotten where the page came once more and holds nothing', () => {
    const arrival = new Arrival();
    arrival.bring(program(17));
    expect(arrival.decodeAhead()).toBe(1);
    arrival.bring(new Uint8Array(4096));
    expect(arrival.run()).toBe(0n);
  });

  it('is forgotten where the page follows later: the guest waits for it', () => {
    const arrival = new Arrival();
    arrival.bring(program(18));
    expect(arrival.decodeAhead()).toBe(1);
    const missing = new Uint32Array(arrival.machine.memory.pages / 32);
    missing[0] = 1 << codePage;
    arrival.receiver.withhold(missing);
    expect(arrival.decodeAhead()).toBe(0);
    expect(arrival.run()).toBe(77n);
  });
});

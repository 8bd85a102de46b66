import { Doorbell, FrameRing } from '@skein/network';
import { beforeEach, describe, expect, it } from 'vitest';
import type { VmEvent } from './vm-channel.ts';
import { VmOutputs } from './vm-outputs.ts';

const ring = (): FrameRing =>
  FrameRing.attach(FrameRing.create({ capacityBytes: 1 << 12, doorbell: Doorbell.create() }).handle);

let transmit: FrameRing;
let told: VmEvent[];
let outputs: VmOutputs;

beforeEach(() => {
  const created = FrameRing.create({ capacityBytes: 1 << 12, doorbell: Doorbell.create() });
  transmit = FrameRing.attach(created.handle);
  told = [];
  const nic = {
    mac: '52:54:00:00:00:01',
    transmitRing: created.handle,
    receiveRing: ring().handle,
    traffic: new SharedArrayBuffer(64),
  };
  outputs = new VmOutputs({ port: { postMessage: (event: VmEvent) => told.push(event) }, nics: [nic] });
});

function sent(): string[] {
  const frames: string[] = [];
  transmit.drain(10, (frame) => frames.push(Buffer.from(frame).toString()));
  return frames;
}

const frame = (text: string) => ({ type: 'frame', nic: 0, frame: Buffer.from(text) }) as const;
const off = { type: 'power', action: 'off', exitCode: 0 } as const;

describe("a guest's outputs", () => {
  it('leave as they come', () => {
    outputs.emit(frame('one'));
    expect(sent()).toEqual(['one']);
    outputs.emit(off);
    expect(outputs.hasEnded).toBe(true);
    expect(told).toEqual([off]);
  });

  it('are withheld until they are released, frames and the end, and then leave in their order', () => {
    outputs.withhold();
    const first = frame('one');
    outputs.emit(first);
    // The guest's memory, which a sink has only while it is called.
    first.frame.fill(0);
    outputs.emit(frame('two'));
    outputs.emit(off);
    expect(sent()).toEqual([]);
    expect(told).toEqual([]);
    expect(outputs.hasEnded).toBe(false);
    outputs.release();
    expect(sent()).toEqual(['one', 'two']);
    expect(told).toEqual([off]);
    expect(outputs.hasEnded).toBe(true);
    outputs.emit(frame('three'));
    expect(sent()).toEqual(['three']);
  });

  it('are withheld as far as a ring would hold them; what is more is dropped, and counted as that', () => {
    outputs.withhold();
    const large = { type: 'frame', nic: 0, frame: new Uint8Array(60_000) } as const;
    for (let count = 0; count < 10; count++) outputs.emit(large);
    expect(transmit.dropped).toBe(2);
  });

  it('are counted, on the console and in frames', () => {
    outputs.withhold();
    outputs.emit(frame('one'));
    outputs.emit({ type: 'console', bytes: Buffer.from('hello') });
    expect(outputs.emittedBytes).toBe(8);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MachineError } from '../../machine-error.ts';
import type { DeviceField, DeviceState } from '../device.ts';
import { ALL_FEATURES, BUFFERS, NetBench, QUEUE_SIZE, testFrame } from '../test-support/net-bench.ts';
import { REGISTER } from '../virtio-mmio/registers.ts';
import {
  CONTROL_QUEUE,
  FEATURE_CHECKSUM,
  FEATURE_GUEST_CHECKSUM,
  FEATURE_HOST_TSO4,
  RECEIVE_QUEUE,
  TRANSMIT_QUEUE,
} from './virtio-net.ts';

type Action =
  | { readonly type: 'transmit'; readonly lengthBytes: number; readonly isSplit: boolean }
  | { readonly type: 'receive'; readonly lengthBytes: number }
  | { readonly type: 'buffer'; readonly lengthBytes: number }
  | { readonly type: 'kick' | 'reclaim' | 'notify' | 'link' | 'announce' | 'acknowledge' };

const actions: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    type: fc.constant('transmit' as const),
    lengthBytes: fc.integer({ min: 10, max: 1600 }),
    isSplit: fc.boolean(),
  }),
  fc.record({ type: fc.constant('receive' as const), lengthBytes: fc.integer({ min: 10, max: 1600 }) }),
  fc.record({ type: fc.constant('buffer' as const), lengthBytes: fc.integer({ min: 12, max: 1600 }) }),
  fc.record({
    type: fc.constantFrom(
      'kick' as const,
      'reclaim' as const,
      'notify' as const,
      'link' as const,
      'announce' as const,
      'acknowledge' as const,
    ),
  }),
);

/** Does one thing to a machine and says everything that its guest and its network can see of it. */
function act(bench: NetBench, action: Action, step: number): unknown {
  const place = BUFFERS + (step % 32) * 0x1000;
  switch (action.type) {
    case 'transmit':
      if (bench.queue(TRANSMIT_QUEUE).freeDescriptors >= 2) {
        bench.offerFrame(testFrame(action.lengthBytes, step), place, action.isSplit);
      }
      break;
    case 'receive':
      bench.net.receive(testFrame(action.lengthBytes, step));
      break;
    case 'buffer':
      if (bench.queue(RECEIVE_QUEUE).freeDescriptors >= 1)
        bench.offerReceiveBuffer(place, action.lengthBytes);
      break;
    case 'kick':
      bench.kick(TRANSMIT_QUEUE);
      break;
    case 'notify':
      bench.write(REGISTER.queueNotify, TRANSMIT_QUEUE);
      break;
    case 'link':
      bench.net.setLink(step % 2 === 0);
      break;
    case 'announce':
      bench.net.requestAnnounce();
      break;
    case 'acknowledge':
      bench.write(REGISTER.interruptAcknowledge, bench.read(REGISTER.interruptStatus));
      break;
    case 'reclaim':
      break;
  }
  return {
    used: action.type === 'reclaim' ? [0, 1, 2].map((index) => bench.queue(index).takeUsed()) : [],
    interrupt: bench.environment.isInterrupting,
    registers: Object.values(REGISTER).map((register) => bench.read(register)),
    config: [0, 4].map((offset) => bench.read(REGISTER.config + offset)),
    frames: bench.environment.frames().length,
  };
}

describe('saving a virtio-net device in the middle of traffic', () => {
  it('gives a twin that no guest and no network can tell from the original', () => {
    fc.assert(
      fc.property(
        fc.array(actions, { maxLength: 40 }),
        fc.array(actions, { minLength: 1, maxLength: 40 }),
        (before, after) => {
          const original = new NetBench();
          original.start();
          for (const [step, action] of before.entries()) act(original, action, step);
          const twin = new NetBench(original);
          twin.environment.isProcessingAsked = original.environment.isProcessingAsked;
          original.environment.outputs.length = 0;
          for (const [step, action] of [...after, { type: 'kick' as const }].entries()) {
            expect(act(twin, action, step)).toEqual(act(original, action, step));
          }
          expect(twin.environment.frames()).toEqual(original.environment.frames());
          expect(twin.memory.bytes).toEqual(original.memory.bytes);
          expect(twin.mmio.save()).toEqual(original.mmio.save());
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps a notification that has not been worked off', () => {
    const original = new NetBench();
    original.start();
    original.offerFrame(testFrame(60), BUFFERS);
    original.write(REGISTER.queueNotify, TRANSMIT_QUEUE);
    const twin = new NetBench(original);
    expect(twin.environment.isProcessingAsked).toBe(true);
    twin.mmio.process();
    expect(twin.environment.frames()).toEqual([testFrame(60)]);
  });

  it('keeps what was agreed on before the device offered more', () => {
    const original = new NetBench();
    original.start(ALL_FEATURES & ~FEATURE_CHECKSUM & ~FEATURE_HOST_TSO4 & ~FEATURE_GUEST_CHECKSUM);
    const twin = new NetBench(original);
    expect(twin.mmio.negotiated(FEATURE_CHECKSUM)).toBe(false);
    twin.offerFrame(testFrame(60), BUFFERS);
    twin.kick(TRANSMIT_QUEUE);
    expect(twin.environment.frames()).toEqual([testFrame(60)]);
  });

  it('keeps a queue that the driver is still configuring', () => {
    const original = new NetBench();
    original.negotiate(1n << 32n);
    original.write(REGISTER.queueSelect, CONTROL_QUEUE);
    original.write(REGISTER.queueSize, QUEUE_SIZE);
    const twin = new NetBench(original);
    expect(twin.mmio.save()).toEqual(original.mmio.save());
  });
});

describe('restoring a virtio-net device', () => {
  const source = new NetBench();
  source.start();
  const good = source.mmio.save();

  function withField(path: readonly string[], value: DeviceField | undefined): DeviceState {
    const copy = structuredClone(good) as { version: number; fields: Record<string, DeviceField> };
    let record: Record<string, DeviceField> = copy.fields;
    for (const key of path.slice(0, -1)) record = record[key] as Record<string, DeviceField>;
    const last = path.at(-1) ?? '';
    if (value === undefined) delete record[last];
    else record[last] = value;
    return copy;
  }

  it.each<[string, string[], DeviceField | undefined]>([
    ['a missing field', ['status'], undefined],
    ['a field nobody knows', ['color'], 'red'],
    ['an unknown status bit', ['status'], 0x10],
    ['DRIVER_OK without FEATURES_OK', ['status'], 0x07],
    ['a feature that is not offered', ['driverFeatures'], (1n << 32n) | (1n << 50n)],
    ['a negative number', ['queueSelect'], -1],
    ['a fraction', ['configGeneration'], 0.5],
    ['an unknown interrupt cause', ['interruptStatus'], 4],
    ['a queue too few', ['queues'], []],
    ['a queue that is no record', ['queues'], [1, 2, 3]],
    ['a ready queue of an odd size', ['queues', '0', 'size'], 12],
    ['a ready queue larger than offered', ['queues', '2', 'size'], 128],
    ['rings over device registers', ['queues', '1', 'deviceAddress'], 0x1000_0000n],
    ['rings that are misaligned', ['queues', '1', 'descriptorAddress'], 0x8000_4008n],
    ['an address of more than 64 bits', ['queues', '1', 'driverAddress'], 1n << 64n],
    ['a ring position of more than 16 bits', ['queues', '0', 'nextAvailable'], 65_536],
    ['a MAC address too long', ['net', 'mac'], new Uint8Array(7)],
    ['a multicast MAC address', ['net', 'mac'], Uint8Array.of(1, 0, 0, 0, 0, 1)],
    ['a link that is neither up nor down', ['net', 'isLinkUp'], 1],
  ])('refuses %s and changes nothing', (_title, path, value) => {
    const target = new NetBench();
    target.start();
    target.net.setLink(false);
    const before = target.mmio.save();
    const attempt = () => target.mmio.restore(withField(path, value));
    expect(attempt).toThrow(expect.objectContaining({ code: 'snapshot.invalid' }));
    expect(target.mmio.save()).toEqual(before);
  });

  it.each([
    ['another kind of device', 2, /has a disk there, this machine a network device/],
    ['no device', undefined, /has no device there/],
    ['a device that nobody knows', 99, /has something unknown there/],
  ])('refuses a slot with %s as one of another machine', (_title, deviceId, message) => {
    const attempt = () => new NetBench().mmio.restore(withField(['deviceId'], deviceId));
    expect(attempt).toThrow(expect.objectContaining({ code: 'snapshot.other-machine' }));
    expect(attempt).toThrow(message);
  });

  it('refuses another version', () => {
    const target = new NetBench();
    expect(() => target.mmio.restore({ ...good, version: 2 })).toThrow(MachineError);
  });
});

import { describe, expect, it } from 'vitest';
import { RAM_BASE_ADDRESS } from '../memory-map.ts';
import { ALL_FEATURES, BUFFERS, MAC, NetBench, QUEUE_SIZE, testFrame } from '../test-support/net-bench.ts';
import { RECEIVE_QUEUE, TRANSMIT_QUEUE } from '../virtio-net/virtio-net.ts';
import { EmptyVirtioSlot } from './empty-slot.ts';
import { FEATURE_VERSION_1, INTERRUPT_CONFIG_CHANGE, MAGIC_VALUE, REGISTER, STATUS } from './registers.ts';

describe('the virtio-mmio transport', () => {
  it('identifies itself as a network device of version 2', () => {
    const bench = new NetBench();
    expect(bench.read(REGISTER.magicValue)).toBe(MAGIC_VALUE);
    expect(new TextDecoder().decode(Uint32Array.of(MAGIC_VALUE))).toBe('virt');
    expect(bench.read(REGISTER.version)).toBe(2);
    expect(bench.read(REGISTER.deviceId)).toBe(1);
    expect(bench.mmio.interruptSource).toBe(1);
    expect(bench.mmio.baseAddress).toBe(0x1000_1000);
  });

  it('reads its configuration space by bytes, halfwords and words, and as 0 beyond its end', () => {
    const bench = new NetBench();
    const bytes = Array.from({ length: 6 }, (_, i) => bench.mmio.read(REGISTER.config + i, 1));
    expect(Uint8Array.from(bytes, (byte) => byte ?? 0)).toEqual(MAC);
    expect(bench.mmio.read(REGISTER.config, 4)).toBe(0x1200_5452);
    expect(bench.mmio.read(REGISTER.config + 6, 2)).toBe(1);
    expect(bench.mmio.read(REGISTER.config + 8, 4)).toBe(0);
    expect(bench.mmio.read(0xffc, 4)).toBe(0);
  });

  it('leaves FEATURES_OK clear for a feature it did not offer, and for a driver without VERSION_1', () => {
    const bench = new NetBench();
    expect(bench.negotiate(ALL_FEATURES)).toBe(true);
    expect(bench.negotiate(ALL_FEATURES | (1n << 60n))).toBe(false);
    expect(bench.negotiate(ALL_FEATURES & ~FEATURE_VERSION_1)).toBe(false);
    expect(bench.isBroken).toBe(false);
  });

  it('ignores feature writes once the features are agreed', () => {
    const bench = new NetBench();
    bench.negotiate(ALL_FEATURES);
    bench.write(REGISTER.driverFeaturesSelect, 0);
    bench.write(REGISTER.driverFeatures, 0);
    expect(bench.mmio.negotiated(ALL_FEATURES)).toBe(true);
  });

  it('needs a reset when a ready queue is configured again, and keeps using the latched rings until then', () => {
    for (const [register, value] of [
      [REGISTER.queueSize, 8],
      [REGISTER.queueDescriptorLow, BUFFERS],
      [REGISTER.queueDriverHigh, 1],
      [REGISTER.queueDeviceLow, BUFFERS],
    ] as const) {
      const bench = new NetBench();
      bench.start();
      bench.write(REGISTER.queueSelect, TRANSMIT_QUEUE);
      bench.write(register, value);
      expect(bench.isBroken).toBe(true);
      expect(bench.mmio.metrics.needsReset).toBe(1);
      expect(bench.read(REGISTER.interruptStatus)).toBe(INTERRUPT_CONFIG_CHANGE);
      bench.offerFrame(testFrame(60), BUFFERS);
      bench.kick(TRANSMIT_QUEUE);
      expect(bench.environment.frames()).toEqual([]);
    }
  });

  it('counts a driver that goes on breaking rules once, and writes no RAM of its own any more', () => {
    const bench = new NetBench();
    bench.start();
    bench.queue(TRANSMIT_QUEUE).makeAvailable(9999);
    const before = bench.memory.bytes.slice();
    bench.kick(TRANSMIT_QUEUE);
    bench.write(REGISTER.queueSelect, TRANSMIT_QUEUE);
    bench.write(REGISTER.queueSize, 8);
    bench.kick(TRANSMIT_QUEUE);
    bench.net.receive(testFrame(60));
    expect(bench.mmio.metrics.needsReset).toBe(1);
    expect(bench.memory.bytes).toEqual(before);
  });

  it('refuses queues that are misaligned, outside RAM or of an odd size', () => {
    const ramEnd = RAM_BASE_ADDRESS + 0x4_0000;
    for (const [register, value] of [
      [REGISTER.queueSize, 0],
      [REGISTER.queueSize, 12],
      [REGISTER.queueSize, 512],
      [REGISTER.queueSize, 0xffff_ffff],
      [REGISTER.queueDescriptorLow, RAM_BASE_ADDRESS + 8],
      [REGISTER.queueDriverLow, RAM_BASE_ADDRESS + 1],
      [REGISTER.queueDeviceLow, RAM_BASE_ADDRESS + 2],
      [REGISTER.queueDescriptorLow, 0x1000_1000],
      [REGISTER.queueDescriptorHigh, 0xffff_ffff],
      [REGISTER.queueDeviceLow, ramEnd - (4 + 8 * QUEUE_SIZE)],
      [REGISTER.queueDriverLow, ramEnd - (4 + 2 * QUEUE_SIZE)],
    ] as const) {
      const bench = new NetBench();
      bench.negotiate(ALL_FEATURES);
      bench.configureQueue(RECEIVE_QUEUE);
      bench.write(REGISTER.queueReady, 0);
      bench.write(register, value);
      bench.write(REGISTER.queueReady, 1);
      expect(bench.read(REGISTER.queueReady)).toBe(0);
      expect(bench.isBroken).toBe(true);
    }
  });

  it('works again after the reset that it asked for', () => {
    const bench = new NetBench();
    bench.start();
    bench.queue(TRANSMIT_QUEUE).makeAvailable(9999);
    bench.kick(TRANSMIT_QUEUE);
    expect(bench.isBroken).toBe(true);
    bench.write(REGISTER.status, 0);
    expect(bench.read(REGISTER.status)).toBe(0);
    expect(bench.environment.isInterrupting).toBe(false);
    bench.restart();
    bench.offerFrame(testFrame(60), BUFFERS);
    bench.kick(TRANSMIT_QUEUE);
    expect(bench.environment.frames()).toEqual([testFrame(60)]);
  });

  it('ignores notifications of queues that are not ready or do not exist, and before DRIVER_OK', () => {
    const bench = new NetBench();
    bench.negotiate(ALL_FEATURES);
    bench.configureQueue(TRANSMIT_QUEUE);
    for (const index of [TRANSMIT_QUEUE, RECEIVE_QUEUE, 3, 0xffff_ffff]) {
      bench.write(REGISTER.queueNotify, index);
    }
    expect(bench.environment.isProcessingAsked).toBe(false);
  });

  it('refuses DRIVER_OK without FEATURES_OK, and queues before it', () => {
    const early = new NetBench();
    early.write(REGISTER.status, STATUS.acknowledge | STATUS.driver | STATUS.driverOk);
    expect(early.isBroken).toBe(true);
    expect(early.read(REGISTER.status) & STATUS.driverOk).toBe(0);
    const hasty = new NetBench();
    hasty.configureQueue(RECEIVE_QUEUE);
    expect(hasty.isBroken).toBe(true);
  });

  it('lowers its line only when every cause is acknowledged', () => {
    const bench = new NetBench();
    bench.start();
    bench.offerFrame(testFrame(60), BUFFERS);
    bench.kick(TRANSMIT_QUEUE);
    bench.net.setLink(false);
    expect(bench.read(REGISTER.interruptStatus)).toBe(3);
    bench.write(REGISTER.interruptAcknowledge, 1);
    expect(bench.environment.isInterrupting).toBe(true);
    bench.write(REGISTER.interruptAcknowledge, 2);
    expect(bench.environment.isInterrupting).toBe(false);
  });

  it('raises the configuration generation with every change', () => {
    const bench = new NetBench();
    bench.start();
    const before = bench.read(REGISTER.configGeneration);
    bench.net.setLink(false);
    bench.net.setLink(false);
    expect(bench.read(REGISTER.configGeneration)).toBe(before + 1);
    expect(bench.mmio.read(REGISTER.config + 6, 2)).toBe(0);
  });
});

describe('an empty virtio slot', () => {
  it('answers the probe with device id 0 and takes any write', () => {
    const slot = new EmptyVirtioSlot(7);
    expect(slot.baseAddress).toBe(0x1000_8000);
    expect(slot.read(REGISTER.magicValue, 4)).toBe(MAGIC_VALUE);
    expect(slot.read(REGISTER.version, 4)).toBe(2);
    expect(slot.read(REGISTER.deviceId, 4)).toBe(0);
    expect(slot.write(REGISTER.status, 4, 1)).toBe(true);
    expect(slot.read(REGISTER.status, 4)).toBe(0);
  });
});

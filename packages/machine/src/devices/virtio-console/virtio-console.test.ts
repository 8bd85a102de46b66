import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MachineError } from '../../machine-error.ts';
import { hashBytes } from '../../state-hash.ts';
import { BUFFERS, QUEUE_SIZE, VirtioBench } from '../test-support/virtio-bench.ts';
import { FEATURE_EVENT_INDEX, FEATURE_VERSION_1, REGISTER } from '../virtio-mmio/registers.ts';
import {
  CONTROL_EVENT,
  CONTROL_RECEIVE_QUEUE,
  CONTROL_TRANSMIT_QUEUE,
  FEATURE_MULTIPORT,
  IDENTITY_BYTES_MAX,
  IDENTITY_PORT_NAME,
  PORT_RECEIVE_QUEUE,
  PORT_TRANSMIT_QUEUE,
  VirtioConsole,
} from './virtio-console.ts';

const features = FEATURE_VERSION_1 | FEATURE_EVENT_INDEX | FEATURE_MULTIPORT;
const noPort = 0xffff_ffff;
const bufferBytes = 64;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The driver of Linux, in a few calls. */
class ConsoleBench extends VirtioBench<VirtioConsole> {
  #buffers: number;
  readonly #places: Map<string, number>;

  constructor(twin?: ConsoleBench) {
    super({ attach: (transport) => new VirtioConsole(transport), queues: 4, features, twin });
    this.#buffers = twin === undefined ? 0 : twin.#buffers;
    this.#places = new Map(twin === undefined ? [] : twin.#places);
  }

  /** Buffers for the device to fill. */
  fill(queue: number, count = 4, lengthBytes = bufferBytes): void {
    for (let index = 0; index < count; index++) {
      const at = this.#place();
      const head = this.queue(queue).offer([{ address: at, lengthBytes, isWritable: true }]);
      this.#places.set(`${queue} ${head}`, at);
    }
    this.kick(queue);
  }

  /** What the device filled since the last call. */
  taken(queue: number): Uint8Array[] {
    return this.queue(queue)
      .takeUsed()
      .map(({ head, writtenBytes }) =>
        this.memory.readable(this.#places.get(`${queue} ${head}`) ?? 0, writtenBytes).slice(),
      );
  }

  control(id: number, event: number, value: number): void {
    const message = new Uint8Array(8);
    const view = new DataView(message.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    this.send(CONTROL_TRANSMIT_QUEUE, message);
  }

  send(queue: number, bytes: Uint8Array): void {
    this.queue(queue).takeUsed();
    const at = this.#place();
    this.memory.write(at, bytes);
    this.queue(queue).offer([{ address: at, lengthBytes: bytes.length }]);
    this.kick(queue);
  }

  /** Up to where a program has the port open. */
  open(): void {
    this.start();
    this.fill(CONTROL_RECEIVE_QUEUE);
    this.control(noPort, CONTROL_EVENT.deviceReady, 1);
    this.fill(PORT_RECEIVE_QUEUE);
    this.control(0, CONTROL_EVENT.portReady, 1);
    this.control(0, CONTROL_EVENT.portOpen, 1);
  }

  #place(): number {
    this.#buffers += 1;
    return BUFFERS + (this.#buffers % 256) * 0x100;
  }
}

let bench: ConsoleBench;
beforeEach(() => {
  bench = new ConsoleBench();
});

function received(): string {
  return bench
    .taken(PORT_RECEIVE_QUEUE)
    .map((bytes) => new TextDecoder().decode(bytes))
    .join('');
}

describe('the identity port', () => {
  it('is a port with a name and open at the host, and no console', () => {
    bench.open();
    const events = bench.taken(CONTROL_RECEIVE_QUEUE).map((bytes) => {
      const view = new DataView(bytes.buffer);
      const name = new TextDecoder().decode(bytes.subarray(8));
      return [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true), name];
    });
    const { deviceAdd, portName, portOpen } = CONTROL_EVENT;
    expect(events).toEqual([
      [0, deviceAdd, 1, ''],
      [0, portName, 1, IDENTITY_PORT_NAME],
      [0, portOpen, 1, ''],
    ]);
    expect(bench.read(REGISTER.config + 4)).toBe(1);
    expect(bench.environment.isInterrupting).toBe(true);
  });

  it('is awaited from when the guest opens it until there is something to read', () => {
    expect(bench.device.isAwaited).toBe(false);
    bench.open();
    expect(bench.device.isAwaited).toBe(true);
    bench.queue(PORT_RECEIVE_QUEUE).takeUsed();
    bench.device.receive(bytesOf('x'.repeat(5 * bufferBytes)));
    expect(bench.device.isAwaited).toBe(false);
    bench.control(0, CONTROL_EVENT.portOpen, 0);
    expect(bench.device.isAwaited).toBe(false);
  });

  it('keeps what comes too early until the guest reads, also over the reset with which a driver begins', () => {
    bench.device.receive(bytesOf('early '));
    bench.open();
    expect(received()).toBe('early ');
    bench.device.receive(bytesOf('late'));
    expect(received()).toBe('late');
  });

  it('gives bytes out in order, as buffers come, and drops what is more than its bound', () => {
    bench.open();
    const text = Array.from({ length: IDENTITY_BYTES_MAX + 1000 }, (_, i) => String(i % 10)).join('');
    bench.device.receive(bytesOf(text));
    let got = received();
    for (let round = 0; round < 100 && bench.device.metrics.receivedBytes < IDENTITY_BYTES_MAX; round++) {
      bench.fill(PORT_RECEIVE_QUEUE, 2, 50);
      got += received();
    }
    expect(got).toBe(text.slice(0, IDENTITY_BYTES_MAX));
    expect(bench.device.metrics.droppedInputBytes).toBe(1000);
  });

  it('takes and drops what the guest writes', () => {
    bench.open();
    bench.send(PORT_TRANSMIT_QUEUE, bytesOf('anyone?'));
    expect(bench.queue(PORT_TRANSMIT_QUEUE).takeUsed()).toHaveLength(1);
    expect(bench.device.metrics.transmittedBytes).toBe(7);
    expect(bench.environment.outputs).toEqual([]);
  });

  it('is nothing to a driver that knows no ports', () => {
    bench.start(FEATURE_VERSION_1);
    bench.fill(PORT_RECEIVE_QUEUE);
    bench.device.receive(bytesOf('who'));
    expect(bench.device.isAwaited).toBe(false);
    expect(received()).toBe('');
  });
});

type Action =
  | { readonly type: 'control'; readonly id: number; readonly event: number; readonly value: number }
  | { readonly type: 'fill' | 'raw'; readonly queue: number; readonly value: number }
  | { readonly type: 'receive'; readonly value: number };

const actions: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    type: fc.constant('control' as const),
    id: fc.constantFrom(0, 1, noPort),
    event: fc.nat(8),
    value: fc.nat(2),
  }),
  fc.record({
    type: fc.constantFrom('fill' as const, 'raw' as const),
    queue: fc.nat(3),
    value: fc.integer({ min: 1, max: 80 }),
  }),
  fc.record({ type: fc.constant('receive' as const), value: fc.nat(200) }),
);

/** Does one thing, and says all that a guest can see of it. */
function act(on: ConsoleBench, action: Action): unknown {
  switch (action.type) {
    case 'control':
      on.queue(CONTROL_TRANSMIT_QUEUE).takeUsed();
      if (on.queue(CONTROL_TRANSMIT_QUEUE).freeDescriptors > 0)
        on.control(action.id, action.event, action.value);
      break;
    case 'fill':
      if (on.queue(action.queue).freeDescriptors > 0) on.fill(action.queue, 1, action.value);
      break;
    case 'raw':
      if (on.queue(action.queue).freeDescriptors > 0) on.send(action.queue, new Uint8Array(action.value));
      break;
    case 'receive':
      on.device.receive(new Uint8Array(action.value).fill(65));
      break;
  }
  const registers = Object.values(REGISTER).map((register) => on.read(register));
  return [on.device.isAwaited, on.environment.isInterrupting, registers, hashBytes(on.memory.bytes)];
}

describe('a driver that does what it likes', () => {
  it('gets no more than the device may do, and cannot make it pile up or throw', () => {
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 60 }), (list) => {
        const on = new ConsoleBench();
        on.start();
        for (const action of list) act(on, action);
        const saved = on.mmio.save().fields.console as { input: Uint8Array; untold: number };
        expect(saved.input.length).toBeLessThanOrEqual(IDENTITY_BYTES_MAX);
        expect(saved.untold).toBeLessThanOrEqual(7);
        for (let queue = 0; queue < 4; queue++)
          expect(on.queue(queue).freeDescriptors).toBeLessThanOrEqual(QUEUE_SIZE);
      }),
    );
  });
});

describe('saving the port in the middle of everything', () => {
  it('gives a twin that no guest can tell from the original', () => {
    fc.assert(
      fc.property(
        fc.array(actions, { maxLength: 30 }),
        fc.array(actions, { maxLength: 30 }),
        (before, after) => {
          const original = new ConsoleBench();
          original.start();
          for (const action of before) act(original, action);
          const twin = new ConsoleBench(original);
          for (const action of after) expect(act(twin, action)).toEqual(act(original, action));
          expect(twin.mmio.save()).toEqual(original.mmio.save());
        },
      ),
    );
  });

  it.each([
    ['more input than fits', { input: new Uint8Array(IDENTITY_BYTES_MAX + 1) }],
    ['news that there are not', { untold: 8 }],
    ['openness that is no boolean', { isOpen: 1 }],
    ['a field too many', { more: 1 }],
  ])('refuses %s', (_, change) => {
    bench.open();
    const { version, fields } = bench.mmio.save();
    const damaged = { version, fields: { ...fields, console: { ...(fields.console as object), ...change } } };
    expect(() => new ConsoleBench().mmio.restore(damaged)).toThrow(MachineError);
  });
});

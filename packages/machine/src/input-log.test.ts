import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachineInput } from './input.ts';
import { decodeInputLog, encodeInputLog, type InputLog } from './input-log.ts';

const bytes = fc.uint8Array({ maxLength: 50 });
const nic = fc.nat(7);
const input: fc.Arbitrary<MachineInput> = fc.oneof(
  fc.record({
    type: fc.constant('time' as const),
    guestTicks: fc.bigInt(0n, 2n ** 64n - 1n),
    ratePerStep: fc.nat(),
  }),
  fc.record({ type: fc.constant('console' as const), bytes }),
  fc.record({ type: fc.constant('identity' as const), bytes }),
  fc.record({ type: fc.constant('frame' as const), nic, frame: bytes }),
  fc.record({ type: fc.constant('link' as const), nic, isUp: fc.boolean() }),
  fc.record({ type: fc.constant('announce' as const), nic }),
  fc.record({ type: fc.constant('power' as const), action: fc.constant('off' as const) }),
);
const log: fc.Arbitrary<InputLog> = fc.record({
  startHash: fc.bigInt(0n, 2n ** 64n - 1n),
  startSteps: fc.bigInt(0n, 2n ** 63n),
  inputs: fc.array(fc.record({ steps: fc.bigInt(0n, 2n ** 63n), sequence: fc.nat(), input })),
});

describe('an input log', () => {
  it('reads as it was written', () => {
    fc.assert(
      fc.property(log, (written) => {
        expect(decodeInputLog(encodeInputLog(written))).toEqual(written);
      }),
    );
  });

  it.each([
    ['no header', ''],
    ['another format', '{"format":"x","version":1,"startHash":"0","startSteps":"0"}'],
    ['an unknown input', '{"steps":"1","sequence":0,"input":{"type":"disk"}}'],
    ['steps below zero', '{"steps":"-1","sequence":0,"input":{"type":"power"}}'],
    ['no JSON', 'garbage'],
  ])('with %s is refused with its line', (_, line) => {
    const head = '{"format":"skein-input-log","version":1,"startHash":"0","startSteps":"0"}';
    const text = line === '' || line.includes('"x"') ? line : `${head}\n${line}\n`;
    expect(() => decodeInputLog(text)).toThrow(/line [12]/);
  });
});

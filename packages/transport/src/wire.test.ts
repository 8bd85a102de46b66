import { describe, expect, it } from 'vitest';
import { bulkKind, controlKind, decodeControl, encodeControl } from './wire.ts';

const frameOf = (hex: string): Uint8Array => new Uint8Array([controlKind, ...Buffer.from(hex, 'hex')]);

describe('a control message', () => {
  it('is a kind byte and MessagePack behind it', () => {
    const message = {
      type: 'reply',
      id: 7,
      body: { epoch: 3, big: 5n, bytes: new Uint8Array([1, 2]), no: null },
    };
    const hex =
      '0183a474797065a57265706c79a2696407a4626f647984a565706f636803a3626967d30000000000000005a56279746573c4020102a26e6fc0';
    expect(Buffer.from(encodeControl(message)).toString('hex')).toBe(hex);
    const decoded = decodeControl(frameOf(hex.slice(2))) as typeof message;
    expect({ ...decoded.body, bytes: [...decoded.body.bytes] }).toEqual({ ...message.body, bytes: [1, 2] });
  });

  it('holds bytes of its own, so that a small part does not keep a large message alive', () => {
    const frame = encodeControl({ small: new Uint8Array(10), large: new Uint8Array(60_000) });
    const { small } = decodeControl(frame) as { small: Uint8Array };
    expect(small.buffer).not.toBe(frame.buffer);
    small.fill(9);
    expect(frame.includes(9)).toBe(false);
  });

  it('cannot make objects of a stranger’s choosing', () => {
    expect(() => decodeControl(frameOf('c7067892a1613ba0'))).toThrow('extension type');
    expect(() => decodeControl(frameOf('d473920102'))).toThrow('extension type');
    expect(Object.getPrototypeOf(decodeControl(frameOf('81a95f5f70726f746f5f5f80')))).toBe(Object.prototype);
  });

  it('is nothing else', () => {
    expect(() => decodeControl(new Uint8Array([bulkKind, 0xc0]))).toThrow('neither control nor bulk');
    expect(() => decodeControl(new Uint8Array())).toThrow('neither control nor bulk');
    expect(() => decodeControl(frameOf(''))).toThrow('ends within a value');
  });
});

/**
 * Looks through a MessagePack value before anything is made of it: every length must lie within the bytes at hand,
 * nesting is bounded, and no extension type is let through (they make objects, patterns and record readers of a
 * stranger's choosing). Source: MessagePack specification, "Formats". Omitted: timestamps; no protocol of ours has any.
 */

const depthMax = 32;
/** Bytes of the formats 0xca to 0xd3, their first byte included: floats and integers. */
const numberBytes = [5, 9, 2, 3, 5, 9, 2, 3, 5, 9];

/** Returns a sentence that says what is wrong; null if `bytes` are exactly one plain value. */
export function flawOfMessagePack(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // Values still to come in each open container, the innermost last.
  const open = [1];
  let at = 0;
  while (open.length > 0) {
    const left = open.pop() ?? 0;
    if (left === 0) continue;
    open.push(left - 1);
    const token = bytes[at];
    if (token === undefined) return 'it ends within a value';
    const head = headOf(view, at, token);
    if (typeof head === 'string') return head;
    at += head.bytes;
    // A value has at least one byte, so a count that what is left cannot hold is a lie.
    if (at + head.children > bytes.length) return 'it promises more than it holds';
    if (head.children > 0) open.push(head.children);
    if (open.length > depthMax) return 'it is nested too deeply';
  }
  return at === bytes.length ? null : 'there are bytes behind its end';
}

interface Head {
  /** Of the value itself: its format byte, its length field and, for strings and binary, what they hold. */
  readonly bytes: number;
  /** Values that follow as its elements; a map has two for each entry. */
  readonly children: number;
}

function headOf(view: DataView, at: number, token: number): Head | string {
  if (token <= 0x7f || token >= 0xe0) return { bytes: 1, children: 0 };
  if (token <= 0x8f) return { bytes: 1, children: (token & 0x0f) * 2 };
  if (token <= 0x9f) return { bytes: 1, children: token & 0x0f };
  if (token <= 0xbf) return { bytes: 1 + (token & 0x1f), children: 0 };
  if (token === 0xc0 || token === 0xc2 || token === 0xc3) return { bytes: 1, children: 0 };
  if (token >= 0xc4 && token <= 0xc6) return withLength(view, at, 1 << (token - 0xc4), 'bytes');
  if (token >= 0xca && token <= 0xd3) return { bytes: numberBytes[token - 0xca] ?? 0, children: 0 };
  if (token === 0xd4 && view.byteLength >= at + 3 && view.getUint8(at + 1) === 0) {
    return { bytes: 3, children: 0 }; // How msgpackr writes undefined.
  }
  if (token >= 0xd9 && token <= 0xdb) return withLength(view, at, 1 << (token - 0xd9), 'bytes');
  if (token === 0xdc || token === 0xdd) return withLength(view, at, token === 0xdc ? 2 : 4, 'elements');
  if (token === 0xde || token === 0xdf) return withLength(view, at, token === 0xde ? 2 : 4, 'entries');
  return 'it holds an extension type';
}

function withLength(
  view: DataView,
  at: number,
  fieldBytes: number,
  unit: 'bytes' | 'elements' | 'entries',
): Head | string {
  if (at + 1 + fieldBytes > view.byteLength) return 'it ends within a length';
  const length =
    fieldBytes === 1
      ? view.getUint8(at + 1)
      : fieldBytes === 2
        ? view.getUint16(at + 1)
        : view.getUint32(at + 1);
  if (unit === 'bytes') return { bytes: 1 + fieldBytes + length, children: 0 };
  return { bytes: 1 + fieldBytes, children: unit === 'entries' ? length * 2 : length };
}

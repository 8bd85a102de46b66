/**
 * Writes a device tree as a flattened blob, version 17: header, memory reservations, structure, strings.
 * Source: Devicetree Specification 0.4, "Flattened Devicetree (DTB) Format".
 */

export interface DeviceTreeNode {
  /** With its unit address: "serial@10000000"; empty for the root. */
  readonly name: string;
  readonly properties: Readonly<Record<string, Uint8Array>>;
  readonly children?: readonly DeviceTreeNode[];
}

export interface MemoryReservation {
  readonly address: number;
  readonly sizeBytes: number;
}

const MAGIC = 0xd00d_feed;
const VERSION = 17;
const LAST_COMPATIBLE_VERSION = 16;
const HEADER_BYTES = 40;
const RESERVATION_BYTES = 16;
const BEGIN_NODE = 1;
const END_NODE = 2;
const PROPERTY = 3;
const END = 9;

/** Property values of big-endian 32-bit cells. */
export function cells(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value);
  return bytes;
}

/** Property values of big-endian 64-bit numbers, two cells each. Numbers up to 2^53. */
export function wideCells(...values: number[]): Uint8Array {
  return cells(...values.flatMap((value) => [Math.floor(value / 2 ** 32), value >>> 0]));
}

/** A property value of strings, each ended by a zero byte. */
export function strings(...values: string[]): Uint8Array {
  return new TextEncoder().encode(values.map((value) => `${value}\0`).join(''));
}

/** The value of a property that says all by being there. */
export const PRESENT = new Uint8Array(0);

/** `bootHart`: the hart that starts, boot_cpuid_phys. */
export function flattenDeviceTree(
  root: DeviceTreeNode,
  reservations: readonly MemoryReservation[] = [],
  bootHart = 0,
): Uint8Array {
  const names = new StringTable();
  const structure = [...nodeTokens(root, names), cells(END)];
  const reserved = wideCells(...reservations.flatMap((one) => [one.address, one.sizeBytes]), 0, 0);
  const structureBytes = joinBytes(structure);
  const stringBytes = names.toBytes();

  const structureOffset = HEADER_BYTES + (reservations.length + 1) * RESERVATION_BYTES;
  const stringsOffset = structureOffset + structureBytes.length;
  const totalBytes = align4(stringsOffset + stringBytes.length);
  const header = cells(
    MAGIC,
    totalBytes,
    structureOffset,
    stringsOffset,
    HEADER_BYTES,
    VERSION,
    LAST_COMPATIBLE_VERSION,
    bootHart,
    stringBytes.length,
    structureBytes.length,
  );
  const blob = new Uint8Array(totalBytes);
  blob.set(joinBytes([header, reserved, structureBytes, stringBytes]));
  return blob;
}

function* nodeTokens(node: DeviceTreeNode, names: StringTable): Generator<Uint8Array> {
  yield cells(BEGIN_NODE);
  yield padded(strings(node.name));
  for (const [name, value] of Object.entries(node.properties)) {
    yield cells(PROPERTY, value.length, names.offsetOf(name));
    yield padded(value);
  }
  for (const child of node.children ?? []) yield* nodeTokens(child, names);
  yield cells(END_NODE);
}

class StringTable {
  readonly #offsets = new Map<string, number>();
  #lengthBytes = 0;

  offsetOf(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#lengthBytes;
    this.#offsets.set(name, offset);
    this.#lengthBytes += strings(name).length;
    return offset;
  }

  toBytes(): Uint8Array {
    return strings(...this.#offsets.keys());
  }
}

function align4(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}

function padded(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(align4(bytes.length));
  result.set(bytes);
  return result;
}

function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

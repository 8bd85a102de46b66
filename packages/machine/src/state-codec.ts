/**
 * Saved state as bytes: named, versioned sections whose fields are written by name, and a checksum at the end. The
 * reader treats every byte as a stranger's: lengths are checked against what is there before anything is allocated.
 * Layout (little endian): magic "SKNS", u32 version, u32 section count; per section: name, u32 version, record;
 * u64 checksum over all before it. A record: u32 count, then name and value each; a value: one tag byte, content.
 */
import type { DeviceField, DeviceState } from './devices/device.ts';
import { MachineError } from './machine-error.ts';
import { hashBytes } from './state-hash.ts';

export type Sections = ReadonlyMap<string, DeviceState>;

const magic = 0x534e_4b53;
const formatVersion = 1;
const sectionsMax = 64;
const depthMax = 8;
const itemsMax = 65_536;
const encoder = new TextEncoder();
/** Of sections and fields: the same few hundred in every state. */
const encodedNames = new Map<string, Uint8Array>();
const decoder = new TextDecoder('utf-8', { fatal: false });
const tags = { number: 1, bigint: 2, false: 3, true: 4, string: 5, bytes: 6, list: 7, record: 8 } as const;

export function encodeSections(sections: Sections): Uint8Array {
  writer.clear();
  writer.u32(magic);
  writer.u32(formatVersion);
  writer.u32(sections.size);
  for (const [name, state] of sections) {
    writer.name(name);
    writer.u32(state.version);
    writer.record(state.fields);
  }
  writer.u64(hashBytes(writer.bytes()));
  return writer.bytes().slice();
}

/**
 * 64 bits over all of a saved state: the checksum that it ends with, which whoever saved it has made and whoever restores it compares.
 * For states that are on their way; what snapshots and input logs hold (Machine.cpuAndDevicesHash) is over the checksum as well.
 */
export function savedStateHash(state: Uint8Array): bigint {
  return new DataView(state.buffer, state.byteOffset, state.byteLength).getBigUint64(state.length - 8, true);
}

/** @throws MachineError snapshot.invalid, snapshot.version */
export function decodeSections(bytes: Uint8Array): Sections {
  if (bytes.length < 20) throw invalid('it is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic) throw invalid('it does not begin like one');
  const version = view.getUint32(4, true);
  if (version !== formatVersion) {
    throw new MachineError('snapshot.version', `saved state has format ${version}, this program reads 1`);
  }
  const content = bytes.subarray(0, bytes.length - 8);
  if (view.getBigUint64(bytes.length - 8, true) !== hashBytes(content))
    throw invalid('its checksum is wrong');
  const reader = new Reader(content, 8);
  const count = reader.u32();
  if (count > sectionsMax) throw invalid(`it has ${count} sections`);
  const sections = new Map<string, DeviceState>();
  for (let index = 0; index < count; index++) {
    const name = reader.text();
    if (sections.has(name)) throw invalid(`section ${name} is there twice`);
    sections.set(name, { version: reader.u32(), fields: reader.record(0) });
  }
  if (!reader.isAtEnd) throw invalid('there is something behind its last section');
  return sections;
}

function invalid(reason: string): MachineError {
  return new MachineError('snapshot.invalid', `this is no saved state: ${reason}`);
}

class Writer {
  #buffer = new Uint8Array(65_536);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, value, true);
  }

  clear(): void {
    this.#length = 0;
  }

  name(name: string): void {
    const known = encodedNames.get(name);
    if (known !== undefined) {
      this.#block(known);
      return;
    }
    const encoded = encoder.encode(name);
    encodedNames.set(name, encoded);
    this.#block(encoded);
  }

  text(value: string): void {
    this.#block(encoder.encode(value));
  }

  record(fields: Readonly<Record<string, DeviceField>>): void {
    const entries = Object.entries(fields);
    this.u32(entries.length);
    for (const [name, value] of entries) {
      this.name(name);
      this.#value(value);
    }
  }

  #value(value: DeviceField): void {
    if (typeof value === 'number') {
      this.#tag(tags.number);
      const at = this.#take(8);
      this.#view.setFloat64(at, value, true);
    } else if (typeof value === 'bigint') {
      this.#tag(tags.bigint);
      this.u64(value);
    } else if (typeof value === 'boolean') {
      this.#tag(value ? tags.true : tags.false);
    } else if (typeof value === 'string') {
      this.#tag(tags.string);
      this.text(value);
    } else if (value instanceof Uint8Array) {
      this.#tag(tags.bytes);
      this.#block(value);
    } else if (Array.isArray(value)) {
      this.#tag(tags.list);
      this.u32(value.length);
      for (const item of value as readonly DeviceField[]) this.#value(item);
    } else {
      this.#tag(tags.record);
      this.record(value as Readonly<Record<string, DeviceField>>);
    }
  }

  #tag(tag: number): void {
    const at = this.#take(1);
    this.#view.setUint8(at, tag);
  }

  #block(bytes: Uint8Array): void {
    this.u32(bytes.length);
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** Where so many bytes go. The buffer may be another one afterwards. */
  #take(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) this.#grow(at);
    return at;
  }

  #grow(written: number): void {
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length));
    larger.set(this.#buffer.subarray(0, written));
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** One for all states: what a thread saves, it saves while a guest waits, and memory that is new costs its page faults. */
const writer = new Writer();

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  text(): string {
    return decoder.decode(this.#block());
  }

  record(depth: number): Record<string, DeviceField> {
    const count = this.#count();
    const fields: Record<string, DeviceField> = Object.create(null);
    for (let index = 0; index < count; index++) {
      const name = this.text();
      if (name in fields) throw invalid(`field ${name} is there twice`);
      fields[name] = this.#value(depth + 1);
    }
    return fields;
  }

  #value(depth: number): DeviceField {
    if (depth > depthMax) throw invalid('it is nested too deeply');
    switch (this.#view.getUint8(this.#take(1))) {
      case tags.number:
        return this.#view.getFloat64(this.#take(8), true);
      case tags.bigint:
        return this.#view.getBigUint64(this.#take(8), true);
      case tags.false:
        return false;
      case tags.true:
        return true;
      case tags.string:
        return this.text();
      case tags.bytes:
        return this.#block().slice();
      case tags.list:
        return Array.from({ length: this.#count() }, () => this.#value(depth + 1));
      case tags.record:
        return this.record(depth);
      default:
        throw invalid('it holds a value of an unknown kind');
    }
  }

  /** A count of things of at least one byte each. */
  #count(): number {
    const count = this.u32();
    if (count > itemsMax || count > this.#bytes.length - this.#offset) throw invalid('a count is too large');
    return count;
  }

  #block(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw invalid('it ends too early');
    this.#offset = start + length;
    return start;
  }
}

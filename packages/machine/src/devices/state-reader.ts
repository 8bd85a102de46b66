/**
 * Reads a saved device state that may come from a stranger: each field is checked for presence, kind and range
 * before anything uses it, and fields nobody asked for are refused. Devices read everything first and assign after.
 */
import { MachineError } from '../machine-error.ts';
import type { DeviceField, DeviceState } from './device.ts';

type FieldRecord = Readonly<Record<string, DeviceField>>;

export class StateReader {
  readonly #path: string;
  readonly #fields: FieldRecord;
  readonly #unread: Set<string>;

  private constructor(path: string, fields: FieldRecord) {
    this.#path = path;
    this.#fields = fields;
    this.#unread = new Set(Object.keys(fields));
  }

  /** Throws MachineError `snapshot.version` if the state is of another version. */
  static open(device: string, state: DeviceState, version: number): StateReader {
    if (state.version !== version) {
      const found = String(state.version);
      throw new MachineError(
        'snapshot.version',
        `${device}: state has version ${found}, this machine reads version ${version}`,
      );
    }
    if (!isRecord(state.fields)) throw invalid(`${device}: fields are missing`);
    return new StateReader(device, state.fields);
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#take(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw this.invalid(name, `an integer from ${min} to ${max}`);
    }
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#take(name);
    if (typeof value !== 'boolean') throw this.invalid(name, 'a boolean');
    return value;
  }

  /** An unsigned 64-bit value. */
  unsigned64(name: string): bigint {
    const value = this.#take(name);
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value) {
      throw this.invalid(name, 'an unsigned 64-bit value');
    }
    return value;
  }

  /** Printable ASCII. */
  text(name: string, lengthMax: number): string {
    const value = this.#take(name);
    if (typeof value !== 'string' || value.length > lengthMax || !/^[ -~]*$/.test(value)) {
      throw this.invalid(name, `at most ${lengthMax} printable characters`);
    }
    return value;
  }

  /** A copy, so that the state stays the owner's. */
  bytes(name: string, lengthMin: number, lengthMax: number): Uint8Array {
    const value = this.#take(name);
    if (!(value instanceof Uint8Array) || value.length < lengthMin || value.length > lengthMax) {
      throw this.invalid(name, `${lengthMin} to ${lengthMax} bytes`);
    }
    return value.slice();
  }

  record(name: string): StateReader {
    const value = this.#take(name);
    if (!isRecord(value)) throw this.invalid(name, 'a record');
    return new StateReader(`${this.#path}.${name}`, value);
  }

  records(name: string, count: number): StateReader[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length !== count)
      throw this.invalid(name, `a list of ${count} records`);
    return value.map((item: DeviceField, index) => {
      if (!isRecord(item)) throw this.invalid(name, `a list of ${count} records`);
      return new StateReader(`${this.#path}.${name}[${index}]`, item);
    });
  }

  /** Throws if a field is left that no one read. */
  finish(): void {
    const [extra] = this.#unread;
    if (extra !== undefined) throw invalid(`${this.#path}.${extra} is not a field of this device`);
  }

  invalid(name: string, expected: string): MachineError {
    return invalid(`${this.#path}.${name} is not ${expected}`);
  }

  #take(name: string): DeviceField | undefined {
    this.#unread.delete(name);
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }
}

function isRecord(value: unknown): value is FieldRecord {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function invalid(message: string): MachineError {
  return new MachineError('snapshot.invalid', message);
}

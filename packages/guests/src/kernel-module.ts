/**
 * Reads what a kernel module says about itself: its name and the modules it needs. Debian's packages carry no
 * modules.dep (depmod makes it at installation), so the dependencies come from each module's own `.modinfo`.
 * Source: System V ABI, "Object Files: Sections"; Linux, include/linux/module.h (MODULE_INFO).
 */
import { GuestImageError } from './guest-image-error.ts';

export interface ModuleInfo {
  /** As the kernel spells it, with underscores. */
  readonly name: string;
  readonly dependsOn: readonly string[];
}

const elfHeaderBytes = 64;
const sectionHeaderBytes = 64;
const machineRiscv = 243;

/**
 * @param elf an uncompressed relocatable ELF64 file
 * @throws GuestImageError image.corrupt when it is not one for RISC-V, or has no `.modinfo`
 */
export function readModuleInfo(elf: Uint8Array): ModuleInfo {
  const fields = new Map<string, string>();
  for (const entry of Buffer.from(findSection(elf, '.modinfo')).toString('latin1').split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) fields.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  const name = fields.get('name');
  if (name === undefined || !/^[\w-]+$/.test(name)) throw corrupt('it states no name');
  const dependsOn = (fields.get('depends') ?? '').split(',').filter((dependency) => dependency !== '');
  return { name: moduleName(name), dependsOn: dependsOn.map(moduleName) };
}

const signatureMagic = Buffer.from('~Module signature appended~\n', 'latin1');
/** struct module_signature; the signature's length is its last field, big-endian. */
const signatureInfoBytes = 12;

/**
 * The module without the signature behind its end. The kernel checks each with some 130 million instructions (a
 * third of a second in an interpreter, six times), but what we load comes from a package whose content was
 * verified already. The kernel notes once that it loads unsigned modules.
 * Source: Linux, include/uapi/linux/module_signature.h and Documentation/admin-guide/module-signing.rst.
 */
export function withoutSignature(elf: Uint8Array): Uint8Array {
  const infoEnd = elf.length - signatureMagic.length;
  if (infoEnd < signatureInfoBytes || !signatureMagic.equals(elf.subarray(infoEnd))) return elf;
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const end = infoEnd - signatureInfoBytes - view.getUint32(infoEnd - 4);
  if (end < elfHeaderBytes) throw corrupt('its signature is longer than itself');
  return elf.subarray(0, end);
}

/** Module names are equal whether written with `-` or with `_`; the kernel shows `_`. */
export function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}

function findSection(elf: Uint8Array, wanted: string): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.length < elfHeaderBytes || view.getUint32(0) !== 0x7f45_4c46 || view.getUint8(4) !== 2) {
    throw corrupt('it is no ELF64 file');
  }
  if (view.getUint16(18, true) !== machineRiscv) throw corrupt('it is not for RISC-V');
  const tableOffset = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  const namesIndex = view.getUint16(62, true);
  if (
    view.getUint16(58, true) !== sectionHeaderBytes ||
    tableOffset + count * sectionHeaderBytes > elf.length
  ) {
    throw corrupt('its section table is out of bounds');
  }
  const section = (index: number): Uint8Array => {
    const head = tableOffset + index * sectionHeaderBytes;
    const offset = Number(view.getBigUint64(head + 24, true));
    const size = Number(view.getBigUint64(head + 32, true));
    if (offset + size > elf.length) throw corrupt('a section is out of bounds');
    return elf.subarray(offset, offset + size);
  };
  if (namesIndex >= count) throw corrupt('it has no section names');
  const names = Buffer.from(section(namesIndex)).toString('latin1');
  for (let index = 1; index < count; index++) {
    const nameOffset = view.getUint32(tableOffset + index * sectionHeaderBytes, true);
    if (names.startsWith(`${wanted}\0`, nameOffset)) return section(index);
  }
  throw corrupt(`it has no section ${wanted}`);
}

function corrupt(reason: string): GuestImageError {
  return new GuestImageError('image.corrupt', `not a kernel module: ${reason}`);
}

import { decodeSections, encodeSections } from './state-codec.ts';

/** Of 1,024: what a guest with a shell and a few programs has. */
const entries = 640;
const entryBytes = 16;
const pageBits = 12n;
/** Readable, writable, executable, accessed, dirty. */
const pte = 0xcfn;

/**
 * The saved state of a machine that has not run, with the TLB of one that has: for whoever wants to know, or to practise, what
 * it is to take a state over.
 * @throws MachineError snapshot.invalid
 */
export function busyState(state: Uint8Array): Uint8Array {
  const sections = new Map(decodeSections(state));
  const cpu = sections.get('cpu');
  if (cpu === undefined) return state;
  const tlb = new Uint8Array(entries * entryBytes);
  const view = new DataView(tlb.buffer);
  for (let entry = 0; entry < entries; entry++) {
    view.setBigUint64(entry * entryBytes, (BigInt(entry) << pageBits) | 1n, true);
    view.setBigUint64(entry * entryBytes + 8, pte, true);
  }
  sections.set('cpu', { version: cpu.version, fields: { ...cpu.fields, tlb } });
  return encodeSections(sections);
}

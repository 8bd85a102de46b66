/** The programs of ours that go into guest images, workloads but for `renew`: static Linux executables made by the assembler, without any toolchain. */
import { type Assembler, createAssembler } from '../assembler/assembler.ts';
import { elfExecutable, pageBytes } from '../assembler/elf.ts';
import { emitCodewriter } from './codewriter.ts';
import { emitDirtier } from './dirtier.ts';
import { emitFiller } from './filler.ts';
import { emitPinger } from './pinger.ts';
import { emitRemapper } from './remapper.ts';
import { emitRenew } from './renew.ts';
import { emitTicker } from './ticker.ts';
import { emitUdpflood } from './udpflood.ts';
import { emitUdpsink } from './udpsink.ts';
import { emitWorkmix } from './workmix/workmix.ts';

export interface Workload {
  /** Name of the file in the guest's /bin. */
  readonly name: string;
  readonly elf: Uint8Array;
}

const programs: Readonly<Record<string, (a: Assembler) => void>> = {
  codewriter: emitCodewriter,
  dirtier: emitDirtier,
  filler: emitFiller,
  pinger: emitPinger,
  remapper: emitRemapper,
  renew: emitRenew,
  ticker: emitTicker,
  udpflood: emitUdpflood,
  udpsink: emitUdpsink,
  workmix: emitWorkmix,
};

/** Where static executables for RV64 usually begin. */
const textAddress = 0x10000;

/** All workloads, sorted by name; equal bytes each time, so that images keep their digest. */
export function buildWorkloads(): readonly Workload[] {
  return Object.entries(programs).map(([name, emit]) => {
    const a = createAssembler();
    emit(a);
    return { name, elf: elfExecutable(a.assemble({ textAddress, dataAlignment: pageBytes }), 'start') };
  });
}

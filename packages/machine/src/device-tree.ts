/**
 * Describes the board to the kernel as QEMU's virt board does, less what this machine does not have (PCI, flash,
 * fw-cfg, platform bus, PMU), with Sv39 and this hart's extensions.
 * Source: QEMU 7.2, hw/riscv/virt.c, create_fdt; Linux, Documentation/devicetree/bindings/riscv.
 */
import {
  CLINT,
  PLIC,
  PLIC_SOURCE_MAX,
  RAM_BASE_ADDRESS,
  RTC,
  RTC_INTERRUPT,
  SIFIVE_TEST,
  TIME_BASE_HZ,
  UART,
  UART_INTERRUPT,
  VIRTIO_SLOTS,
  virtioSlot,
} from './devices/memory-map.ts';
import { FINISH_PASS, FINISH_RESET } from './devices/sifive-test/sifive-test.ts';
import {
  cells,
  type DeviceTreeNode,
  flattenDeviceTree,
  PRESENT,
  strings,
  wideCells,
} from './flattened-device-tree.ts';

export interface BoardDescription {
  readonly memoryMib: number;
  readonly bootArguments: string;
  /** Guest physical addresses of the initial RAM disk; `end` is exclusive. */
  readonly initrd?: { readonly start: number; readonly end: number };
  /** Entropy for the kernel's random generator; without it the kernel starts with none. */
  readonly rngSeed?: Uint8Array;
}

const ISA_BASE = 'rv64i';
const ISA_LETTERS = ['i', 'm', 'a', 'f', 'd', 'c'] as const;
const ISA_NAMED = ['zicntr', 'zicsr', 'zifencei', 'zba', 'zbb', 'zbs', 'sstc'] as const;

const CPU_PHANDLE = 1;
const CPU_INTERRUPTS_PHANDLE = 2;
const PLIC_PHANDLE = 3;
const TEST_PHANDLE = 4;

// Interrupt causes of the hart's own controller.
const SUPERVISOR_EXTERNAL = 9;
const MACHINE_SOFTWARE = 3;
const MACHINE_TIMER = 7;
const MACHINE_EXTERNAL = 11;

/** Input clock of the UART, as on QEMU; with it divisor 2 is 115,200 baud. */
const UART_CLOCK_HZ = 3_686_400;

/** The board as a flattened device tree. */
export function describeBoard(description: BoardDescription): Uint8Array {
  return flattenDeviceTree({
    name: '',
    properties: {
      '#address-cells': cells(2),
      '#size-cells': cells(2),
      compatible: strings('riscv-virtio'),
      model: strings('riscv-virtio,skein'),
    },
    children: [
      describeChosen(description),
      describePowerSwitch('poweroff', FINISH_PASS),
      describePowerSwitch('reboot', FINISH_RESET),
      describeMemory(description.memoryMib),
      describeProcessors(),
      describeSoc(),
    ],
  });
}

function describeChosen(description: BoardDescription): DeviceTreeNode {
  const { bootArguments, initrd, rngSeed } = description;
  return {
    name: 'chosen',
    properties: {
      bootargs: strings(bootArguments),
      'stdout-path': strings(`/soc/serial@${hex(UART.baseAddress)}`),
      ...(initrd && {
        'linux,initrd-start': wideCells(initrd.start),
        'linux,initrd-end': wideCells(initrd.end),
      }),
      ...(rngSeed && { 'rng-seed': rngSeed }),
    },
  };
}

function describePowerSwitch(name: 'poweroff' | 'reboot', value: number): DeviceTreeNode {
  return {
    name,
    properties: {
      compatible: strings(`syscon-${name}`),
      regmap: cells(TEST_PHANDLE),
      offset: cells(0),
      value: cells(value),
    },
  };
}

function describeMemory(memoryMib: number): DeviceTreeNode {
  return {
    name: `memory@${hex(RAM_BASE_ADDRESS)}`,
    properties: {
      device_type: strings('memory'),
      reg: wideCells(RAM_BASE_ADDRESS, memoryMib * 2 ** 20),
    },
  };
}

function describeProcessors(): DeviceTreeNode {
  const interrupts: DeviceTreeNode = {
    name: 'interrupt-controller',
    properties: {
      '#address-cells': cells(0),
      '#interrupt-cells': cells(1),
      'interrupt-controller': PRESENT,
      compatible: strings('riscv,cpu-intc'),
      phandle: cells(CPU_INTERRUPTS_PHANDLE),
    },
  };
  const hart: DeviceTreeNode = {
    name: 'cpu@0',
    properties: {
      phandle: cells(CPU_PHANDLE),
      device_type: strings('cpu'),
      reg: cells(0),
      status: strings('okay'),
      compatible: strings('riscv'),
      'riscv,isa': strings(`rv64${ISA_LETTERS.join('')}_${ISA_NAMED.join('_')}`),
      'riscv,isa-base': strings(ISA_BASE),
      'riscv,isa-extensions': strings(...ISA_LETTERS, ...ISA_NAMED),
      'mmu-type': strings('riscv,sv39'),
    },
    children: [interrupts],
  };
  return {
    name: 'cpus',
    properties: {
      '#address-cells': cells(1),
      '#size-cells': cells(0),
      'timebase-frequency': cells(TIME_BASE_HZ),
    },
    children: [
      hart,
      {
        name: 'cpu-map',
        properties: {},
        children: [
          {
            name: 'cluster0',
            properties: {},
            children: [{ name: 'core0', properties: { cpu: cells(CPU_PHANDLE) } }],
          },
        ],
      },
    ],
  };
}

function describeSoc(): DeviceTreeNode {
  return {
    name: 'soc',
    properties: {
      '#address-cells': cells(2),
      '#size-cells': cells(2),
      compatible: strings('simple-bus'),
      ranges: PRESENT,
    },
    children: [
      {
        name: `test@${hex(SIFIVE_TEST.baseAddress)}`,
        properties: {
          phandle: cells(TEST_PHANDLE),
          ...region(SIFIVE_TEST),
          compatible: strings('sifive,test1', 'sifive,test0', 'syscon'),
        },
      },
      {
        name: `rtc@${hex(RTC.baseAddress)}`,
        properties: { ...wired(RTC_INTERRUPT), ...region(RTC), compatible: strings('google,goldfish-rtc') },
      },
      describeClint(),
      describePlic(),
      {
        name: `serial@${hex(UART.baseAddress)}`,
        properties: {
          ...wired(UART_INTERRUPT),
          ...region(UART),
          'clock-frequency': cells(UART_CLOCK_HZ),
          compatible: strings('ns16550a'),
        },
      },
      ...Array.from({ length: VIRTIO_SLOTS }, (_, slot) => describeVirtioSlot(slot)),
    ],
  };
}

function describeClint(): DeviceTreeNode {
  return {
    name: `clint@${hex(CLINT.baseAddress)}`,
    properties: {
      'interrupts-extended': cells(
        CPU_INTERRUPTS_PHANDLE,
        MACHINE_SOFTWARE,
        CPU_INTERRUPTS_PHANDLE,
        MACHINE_TIMER,
      ),
      ...region(CLINT),
      compatible: strings('sifive,clint0', 'riscv,clint0'),
    },
  };
}

function describePlic(): DeviceTreeNode {
  return {
    name: `plic@${hex(PLIC.baseAddress)}`,
    properties: {
      phandle: cells(PLIC_PHANDLE),
      'riscv,ndev': cells(PLIC_SOURCE_MAX),
      ...region(PLIC),
      'interrupts-extended': cells(
        CPU_INTERRUPTS_PHANDLE,
        MACHINE_EXTERNAL,
        CPU_INTERRUPTS_PHANDLE,
        SUPERVISOR_EXTERNAL,
      ),
      'interrupt-controller': PRESENT,
      compatible: strings('sifive,plic-1.0.0', 'riscv,plic0'),
      '#address-cells': cells(0),
      '#interrupt-cells': cells(1),
    },
  };
}

function describeVirtioSlot(slot: number): DeviceTreeNode {
  const place = virtioSlot(slot);
  return {
    name: `virtio_mmio@${hex(place.baseAddress)}`,
    properties: {
      ...wired(place.interruptSource),
      ...region(place),
      // DMA here never bypasses a cache; drivers may map buffers as ordinary memory.
      'dma-coherent': PRESENT,
      compatible: strings('virtio,mmio'),
    },
  };
}

function region(range: { readonly baseAddress: number; readonly sizeBytes: number }): {
  reg: Uint8Array;
} {
  return { reg: wideCells(range.baseAddress, range.sizeBytes) };
}

function wired(interruptSource: number): { interrupts: Uint8Array; 'interrupt-parent': Uint8Array } {
  return { interrupts: cells(interruptSource), 'interrupt-parent': cells(PLIC_PHANDLE) };
}

function hex(value: number): string {
  return value.toString(16);
}

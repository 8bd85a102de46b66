/**
 * The board's memory map and interrupt lines, as on QEMU's virt board, so that one kernel and image boots on both.
 * Left out of that board: fw-cfg, flash, PCI, the platform bus and the IOMMU.
 * Source: QEMU 7.2, hw/riscv/virt.c, virt_memmap.
 */

export interface AddressRange {
  readonly baseAddress: number;
  readonly sizeBytes: number;
}

export const SIFIVE_TEST: AddressRange = { baseAddress: 0x10_0000, sizeBytes: 0x1000 };
export const RTC: AddressRange = { baseAddress: 0x10_1000, sizeBytes: 0x1000 };
export const CLINT: AddressRange = { baseAddress: 0x200_0000, sizeBytes: 0x1_0000 };
export const PLIC: AddressRange = { baseAddress: 0xc00_0000, sizeBytes: 0x60_0000 };
export const UART: AddressRange = { baseAddress: 0x1000_0000, sizeBytes: 0x100 };
export const VIRTIO: AddressRange = { baseAddress: 0x1000_1000, sizeBytes: 0x1000 };
export const RAM_BASE_ADDRESS = 0x8000_0000;

export const VIRTIO_SLOTS = 8;
export const UART_INTERRUPT = 10;
export const RTC_INTERRUPT = 11;
/** Highest interrupt source of the PLIC, `riscv,ndev`: QEMU's VIRT_IRQCHIP_NUM_SOURCES - 1. */
export const PLIC_SOURCE_MAX = 95;
/** Time base of `time`, `mtime` and every compare register. */
export const TIME_BASE_HZ = 10_000_000;

export function virtioSlot(slot: number): AddressRange & { readonly interruptSource: number } {
  return {
    baseAddress: VIRTIO.baseAddress + slot * VIRTIO.sizeBytes,
    sizeBytes: VIRTIO.sizeBytes,
    interruptSource: 1 + slot,
  };
}

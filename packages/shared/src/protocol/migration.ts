/**
 * What the two transfer workers of a live migration say to each other on the migration network. The target dials
 * (bulk then travels unmasked, RFC 6455, section "Masking"). Pages themselves are bulk frames (frame/page.ts).
 */
import { z } from 'zod';
import { bytesUpTo } from '../bytes.ts';
import { ErrorCodeSchema } from '../errors.ts';
import { Epoch, HostName, OperationId, StateHash, VmId } from '../ids.ts';
import { MachineVersion } from '../model/host.ts';
import { DoneAhead, MigrationRecord } from '../model/migration.ts';
import { VmStartKind } from '../model/vm.ts';
import type { ProtocolDefinition } from './definition.ts';

const Empty = z.strictObject({});
const MonotonicNs = z.bigint().min(0n);
/** Of a guest's clock; what is added to it while it runs stays far below the end of 64 bits. */
const guestTicksMax = 1n << 62n;
/** Longer ones are cut by who says them. */
export const refusalReasonLengthMax = 500;
const Refusal = z.strictObject({
  code: ErrorCodeSchema,
  reason: z.string().max(refusalReasonLengthMax),
});

/** A bit for each page of the largest guest, 3 GiB. */
export const pageBitmapBytesMax = 96 << 10;
/** A bit for each of the pages that are said to come in one message, 8 MiB of them. */
export const comingPagesBytesMax = 256;
/** Pages that are asked for in one message. */
export const wantedPagesMax = 64;

/** CPU and device state: 64 KiB of TLB and some KiB of devices; more is not a machine of ours. */
export const machineStateBytesMax = 4 << 20;
/** Which instructions are in use, of up to 248 pages of code (machine/src/used-code.ts: a source names 160). */
export const usedCodeBytesMax = 64 << 10;
export const consoleBacklogBytesMax = 64 << 10;

/** What the hypervisor knows of a guest beside its machine, so that it moves too. */
export const GuestHistory = z
  .strictObject({
    consolePosition: z.int().min(0),
    consoleBacklog: bytesUpTo(consoleBacklogBytesMax),
    kernel: z.string().max(200).nullable(),
    firstStepMs: z.number().min(0).nullable(),
    readyMs: z.number().min(0).nullable(),
    startedFrom: VmStartKind.nullable(),
    /** Somebody reads along: the target tells on at once, without being asked. */
    isConsoleRead: z.boolean(),
  })
  .refine(({ consolePosition, consoleBacklog }) => consoleBacklog.length <= consolePosition, {
    message: 'the backlog is longer than all that was ever written',
    path: ['consoleBacklog'],
  });
export type GuestHistory = z.infer<typeof GuestHistory>;

/** What completes the state and the pages, sent while the guest stands still. */
export const MigrationFinal = z.strictObject({
  /** Of RAM, CPU and devices. */
  stateHash: StateHash,
  guestTicks: z.bigint().min(0n).max(guestTicksMax),
  /** The source's monotonic clock at the suspension. */
  suspendedAtNs: MonotonicNs,
  /** Page batches sent before this message: all must have been applied. */
  batches: z.int().min(0),
  /** Pages that follow when the guest runs at the target, a bit each, words of 32 bits little endian; null: none. */
  missing: bytesUpTo(pageBitmapBytesMax).nullable(),
});
export type MigrationFinal = z.infer<typeof MigrationFinal>;

/** Times of the target after the grant, on its own monotonic clock. */
export const TargetTimes = z.strictObject({
  readyAtNs: MonotonicNs,
  grantedAtNs: MonotonicNs,
  resumedAtNs: MonotonicNs,
  clockOffsetNs: z.bigint(),
  clockOffsetErrorNs: z.bigint(),
  /** Of everything, once all pages are there. */
  stateHashTarget: StateHash,
  ahead: DoneAhead,
  /** How long the guest waited for pages: how often, in all, and the longest. */
  waits: z.strictObject({ pages: z.int().min(0), waitMs: z.number().min(0), waitMsMax: z.number().min(0) }),
});
export type TargetTimes = z.infer<typeof TargetTimes>;

export const migrationProtocol = {
  name: 'migration',
  roles: { dialer: ['transfer'], listener: ['transfer'] },
  fromDialer: {
    requests: {
      'migration.hello': {
        request: z.strictObject({
          operation: OperationId,
          vm: VmId,
          epoch: Epoch,
          host: HostName,
          machineVersion: MachineVersion,
        }),
        reply: z.strictObject({ memoryMib: z.int(), machineVersion: MachineVersion }),
      },
      /** For the clocks' offset. */
      'migration.clock': { request: Empty, reply: z.strictObject({ nowNs: MonotonicNs }) },
      /** The offset is known and memory reserved: send. */
      'migration.begin': { request: Empty, reply: Empty },
      'migration.resumed': {
        request: TargetTimes,
        /** The whole record, with the source's re-hash where it was possible. */
        reply: z.strictObject({ record: MigrationRecord }),
      },
    },
    notices: {
      /** Credits: bytes of bulk applied to RAM since the last notice. */
      'pages.applied': z.strictObject({ bytes: z.int().min(1) }),
      /** The target gives up, and why: what it was sent cannot be, or came out of turn. It hangs up after this. */
      'migration.refused': Refusal,
      /** The guest waits for them. */
      'pages.wanted': z.strictObject({ pages: z.array(z.int().min(0)).min(1).max(wantedPagesMax) }),
    },
  },
  fromListener: {
    requests: {
      'migration.final': {
        request: MigrationFinal,
        /** Ready: the target hashed what it applied and it is equal; else it answers with an error. */
        reply: z.strictObject({ stateHashTarget: StateHash, readyAtNs: MonotonicNs }),
      },
      /** Before the lease passes: from then on the target may be the only one who has it. */
      'migration.history': { request: GuestHistory, reply: Empty },
    },
    notices: {
      /** Pages of the first round that follow and are not zero, a bit each, from a page on that a word begins with: a hint for the target. */
      'pages.coming': z.strictObject({
        firstPage: z.int().min(0).multipleOf(32),
        pages: bytesUpTo(comingPagesBytesMax).refine(({ length }) => length > 0 && length % 4 === 0, {
          message: 'words of 32 bits, at least one',
        }),
      }),
      /** CPU and devices of the suspended guest: ahead of its last pages, so that the target takes both at a time. */
      'migration.state': z.strictObject({ state: bytesUpTo(machineStateBytesMax) }),
      /** Which of its code the guest used since the migration began: a hint for the target, once, while the guest runs. */
      'migration.code': z.strictObject({ usedCode: bytesUpTo(usedCodeBytesMax) }),
      /** The lease passed; the new epoch is the target's. */
      'migration.granted': z.strictObject({ epoch: Epoch }),
      /** The source goes on and will never pass the lease in this migration. */
      'migration.aborted': Refusal,
    },
  },
} as const satisfies ProtocolDefinition;

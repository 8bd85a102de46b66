/** The machine core: what TypeScript may call, and where everything stands in the shared memory. */

export { allocatePages } from './allocation';
export { disturb, requestProcessing, setInterruptLine, takeKick } from './bus';
export { currentSteps, setDeviceAlarm, setTime, timeAt } from './clock';
export { decodeAhead, dropRewritten, saveUsedCode, watchCode } from './code-ahead';
export { dmaPrepare, harvest, markFree } from './dirty';
export {
  dropDecoded,
  enterSupervisor,
  initialise,
  isRunnable,
  nextTimerTime,
  REASON_ATTENTION,
  REASON_IDLE,
  REASON_KICK,
  REASON_LIMIT,
  refreshDerived,
  reset,
  run,
} from './hart';
export * from './layout';
export { sumPageHashes } from './memory-hash';
export { requirePages } from './missing-pages';
export { pageHash, pageIsZero } from './page-kernel/page-hash';
export { canRestoreTlb, dropFastStores, restoreTlb, saveTlb } from './tlb';

/** The machine core: what TypeScript may call, and where everything stands in the shared memory. */
export * from './layout';
export { requestProcessing, setInterruptLine } from './bus';
export { currentSteps, setTime, timeAt } from './clock';
export { dmaPrepare, harvest } from './dirty';
export { enterSupervisor, initialise, isRunnable, nextTimerTime, refreshDerived, reset, run } from './hart';

/** Metrics that the library brings for every program, as far as documentation and dashboard name them. */

export const libraryMetrics = {
  processCpu: {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the program, all its threads together.',
  },
  processMemory: {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Memory of the program that is in RAM; a guest’s counts in the agent’s.',
  },
  eventLoopLag: {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    help: 'Delay of the main thread’s event loop since the last scrape, 99 % quantile, with the 20 ms between two looks at it.',
  },
} as const;

/**
 * What our programs are started with in their environment, unless it says otherwise.
 *
 * glibc gives threads that allocate at the same time arenas of their own, up to eight a processor, and keeps each at its
 * high water mark. Each VM and each migration has threads that come and go: after 200 migrations in a row each agent had
 * 215 MiB in arenas, 50 more than after 40; with two of them it is 75 to 120 MiB from the 20th to the last. The little that our threads allocate outside
 * V8's heaps and guests' memory does not make them wait for each other. Source: glibc manual, "Memory Allocation Tunables"
 * (glibc.malloc.arena_max), mallopt(3). Other C libraries take no notice.
 *
 * V8 has four helper threads a process unless told otherwise (Node's --v8-pool-size), which is as many a host agent as some
 * machines have cores for all agents: whatever is collected, guests wait for a core. Each agent's heap is small. On two cores the
 * longest gap between two ticks of a guest at rest went from 13 to 10 ms, and its migration from 126 to 116 ms.
 */
export const programEnvironment = { MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--v8-pool-size=2' } as const;

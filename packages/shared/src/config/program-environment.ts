/**
 * What our programs are started with in their environment, unless it says otherwise.
 *
 * glibc gives threads that allocate at the same time arenas of their own, up to eight a processor, and keeps each at its
 * high water mark. Each VM and each migration has threads that come and go: 200 migrations in a row left 150 MiB of arenas
 * in each agent, with two of them it is 70 MiB from the first to the last. The little that our threads allocate outside
 * V8's heaps and guests' memory does not make them wait for each other. Source: glibc manual, "Memory Allocation Tunables"
 * (glibc.malloc.arena_max), mallopt(3). Other C libraries take no notice.
 */
export const programEnvironment = { MALLOC_ARENA_MAX: '2' } as const;

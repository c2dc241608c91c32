/* SPDX-License-Identifier: Apache-2.0 */

/* f_phys.c: what the machine itself takes for the things that pools and loops
 * are made of. Those with 2 threads keep each on a CPU of its own where there
 * are two, but for phys.switch, which has both on one. */

#define PEER "floor-phys"

#include <sys/eventfd.h>
#include <sys/mman.h>

#include "pb.h"

#include <linux/membarrier.h>

/* --- CPUs ----------------------------------------------------------------- */

static cpu_set_t g_cpus; /* that this process may use */

/* The calling thread stays on the n-th of them. */
static void stay_on(int n)
{
    cpu_set_t set;
    size_t cpu;

    n %= CPU_COUNT(&g_cpus);
    for (cpu = 0; !CPU_ISSET(cpu, &g_cpus) || n-- > 0; cpu++)
        ;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    PB_CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* With one CPU only, the other one must get it some time. */
static inline void look_again(int *turns)
{
    pb_pause();
    if (++*turns % 4096 == 0)
        sched_yield();
}

/* --- One thread: the best of five passes ---------------------------------- */

static long g_word PB_ALIGNED(128);
static int g_futex PB_ALIGNED(128);
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static int g_fd;

#define DEFINE_PASS(name, statement)                                           \
    static void name(long n)                                                   \
    {                                                                          \
        while (n-- > 0) {                                                      \
            statement;                                                         \
        }                                                                      \
    }

static void take_and_free(void)
{
    void *block = malloc(48);

    __asm__ volatile("" : "+r"(block));
    free(block);
}

static void write_eventfd(void)
{
    const uint64_t one = 1;

    PB_CHECK(write(g_fd, &one, sizeof(one)) == sizeof(one));
}

DEFINE_PASS(pass_clock, (void)pb_ns())
DEFINE_PASS(pass_pause, pb_pause())
DEFINE_PASS(pass_syscall, syscall(SYS_getppid))
DEFINE_PASS(pass_yield, sched_yield())
DEFINE_PASS(pass_wake_nobody, pb_futex_wake(&g_futex, 1))
DEFINE_PASS(pass_eventfd, write_eventfd())
DEFINE_PASS(pass_mutex, pthread_mutex_lock(&g_mutex);
            pthread_mutex_unlock(&g_mutex))
DEFINE_PASS(pass_atomic, __atomic_add_fetch(&g_word, 1, __ATOMIC_RELAXED))
DEFINE_PASS(pass_fence, __atomic_store_n(&g_word, 1, __ATOMIC_RELAXED);
            __atomic_thread_fence(__ATOMIC_SEQ_CST))
DEFINE_PASS(pass_malloc, take_and_free())

static void *do_nothing(void *baton)
{
    return baton;
}

static void start_and_join(void)
{
    pthread_t thread;

    PB_CHECK(!pthread_create(&thread, NULL, do_nothing, NULL));
    PB_CHECK(!pthread_join(thread, NULL));
}

DEFINE_PASS(pass_thread, start_and_join())

static char *map_pages(size_t size)
{
    char *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    PB_CHECK(start != MAP_FAILED);
    (void)madvise(start, size, MADV_NOHUGEPAGE); /* or there are none */
    return start;
}

/* The first use of a page, and its end; one mapping for all. */
static void pass_fault(long n)
{
    const long page = sysconf(_SC_PAGESIZE);
    char *pages = map_pages((size_t)(n * page));
    long i;

    for (i = 0; i < n; i++)
        *(volatile char *)(pages + i * page) = 1;
    PB_CHECK(munmap(pages, (size_t)(n * page)) == 0);
}

/* A stack: memory, a guard below, the first page in use; and its end. */
static void use_stack(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 64 * 1024;
    char *stack = map_pages(page + size);

    PB_CHECK(mprotect(stack, page, PROT_NONE) == 0);
    *(volatile char *)(stack + size) = 1;
    PB_CHECK(munmap(stack, page + size) == 0);
}

DEFINE_PASS(pass_stack, use_stack())

static const struct {
    const char *row;
    void (*pass)(long n);
    long n;
} g_passes[] = {
    { "phys.clock", pass_clock, 1000000 },
    { "phys.pause", pass_pause, 1000000 },
    { "phys.syscall", pass_syscall, 100000 },
    { "phys.yield", pass_yield, 50000 },
    { "phys.wake-nobody", pass_wake_nobody, 100000 },
    { "phys.eventfd", pass_eventfd, 100000 },
    { "phys.mutex", pass_mutex, 1000000 },
    { "phys.atomic", pass_atomic, 1000000 },
    { "phys.fence", pass_fence, 1000000 },
    { "phys.malloc", pass_malloc, 1000000 },
    { "phys.fault", pass_fault, 10000 },
    { "phys.stack", pass_stack, 2000 },
    { "phys.thread", pass_thread, 200 },
};

static void repeat_pass(const char *row, void (*pass)(long n), long n)
{
    uint64_t best = UINT64_MAX;
    int i;

    for (i = 0; i < 5; i++) {
        uint64_t t = pb_ns();

        pass(n);
        t = pb_ns() - t;
        if (t < best)
            best = t;
    }
    pb_out(row, "", 1, (double)best / (double)n, "ns", "");
}

/* --- Two threads ---------------------------------------------------------- */

static long g_rounds;
static int g_ping PB_ALIGNED(128), g_pong PB_ALIGNED(128);

/* On the second CPU, but for phys.switch. */
static pthread_t start_other(void *(*fn)(void *), int cpu)
{
    pthread_t thread;

    PB_CHECK(!pthread_create(&thread, NULL, fn, (void *)(intptr_t)cpu));
    return thread;
}

static void *add_often(void *cpu)
{
    stay_on((int)(intptr_t)cpu);
    pass_atomic(g_rounds);
    return NULL;
}

/* Two threads add to one word. */
static void add_together(void)
{
    pthread_t other;
    uint64_t t;

    g_word = 0;
    g_rounds = pb_n(5000000);
    other = start_other(add_often, 1);
    t = pb_ns();
    pass_atomic(g_rounds);
    PB_CHECK(!pthread_join(other, NULL));
    t = pb_ns() - t;
    PB_CHECK(g_word == 2 * g_rounds);
    pb_out("phys.atomic", "", 2, (double)t / 2 / (double)g_rounds, "ns", "");
}

static void spin_until(const int *word, int value)
{
    int turns = 0;

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        look_again(&turns);
}

static void sleep_until(int *word, int value)
{
    int seen;

    while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value)
        pb_futex_wait(word, seen);
}

static void set_and_wake(int *word, int value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    pb_futex_wake(word, 1);
}

static void *answer_spinning(void *cpu)
{
    int i;

    stay_on((int)(intptr_t)cpu);
    for (i = 1; i <= g_rounds; i++) {
        spin_until(&g_ping, i);
        __atomic_store_n(&g_pong, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void *answer_sleeping(void *cpu)
{
    int i;

    stay_on((int)(intptr_t)cpu);
    for (i = 1; i <= g_rounds; i++) {
        sleep_until(&g_ping, i);
        set_and_wake(&g_pong, i);
    }
    return NULL;
}

/* A cache line there and back. */
static void bounce_line(void)
{
    pthread_t other;
    uint64_t t;
    int i;

    g_rounds = pb_n(200000);
    other = start_other(answer_spinning, 1);
    t = pb_ns();
    for (i = 1; i <= g_rounds; i++) {
        __atomic_store_n(&g_ping, i, __ATOMIC_RELEASE);
        spin_until(&g_pong, i);
    }
    t = pb_ns() - t;
    PB_CHECK(!pthread_join(other, NULL));
    pb_out("phys.line", "", 2, (double)t / (double)g_rounds, "ns", "");
}

/* Two sleepers wake each other. */
static uint64_t wake_each_other(int cpu)
{
    pthread_t other;
    uint64_t t;
    int i;

    other = start_other(answer_sleeping, cpu);
    t = pb_ns();
    for (i = 1; i <= g_rounds; i++) {
        set_and_wake(&g_ping, i);
        sleep_until(&g_pong, i);
    }
    t = pb_ns() - t;
    PB_CHECK(!pthread_join(other, NULL));
    return t;
}

static void wake_across(void)
{
    g_rounds = pb_n(3000);
    pb_out("phys.futex", "", 2, (double)wake_each_other(1) / (double)g_rounds,
           "ns", "");
}

/* On one CPU a wake-up ends in a switch, twice a round. */
static void switch_threads(void)
{
    g_rounds = pb_n(30000);
    pb_out("phys.switch", "", 2,
           (double)wake_each_other(0) / 2 / (double)g_rounds, "ns", "");
}

/* --- A wake-up, on both sides --------------------------------------------- */

static uint64_t g_woken_at;
static uint32_t *g_latencies;

static void *note_wakes(void *cpu)
{
    int i;

    stay_on((int)(intptr_t)cpu);
    for (i = 1; i <= g_rounds; i++) {
        __atomic_store_n(&g_pong, i, __ATOMIC_RELEASE);
        sleep_until(&g_ping, i);
        g_latencies[i - 1] = pb_u32(pb_ns() - g_woken_at);
    }
    return NULL;
}

/* From the waker's decision until the sleeper runs, after 20 us of sleep; and
 * what the waker's call takes. */
static void wake_sleeper(void)
{
    const long n = pb_n(2000);
    uint32_t *costs = malloc((size_t)n * sizeof(*costs));
    pthread_t other;
    int i;

    g_latencies = malloc((size_t)n * sizeof(*g_latencies));
    g_rounds = n;
    other = start_other(note_wakes, 1);
    for (i = 1; i <= n; i++) {
        uint64_t t;
        int turns = 0;

        spin_until(&g_pong, i);
        for (t = pb_ns() + 20000; pb_ns() < t;)
            look_again(&turns);
        g_woken_at = t = pb_ns();
        set_and_wake(&g_ping, i);
        costs[i - 1] = pb_u32(pb_ns() - t);
    }
    PB_CHECK(!pthread_join(other, NULL));
    pb_out_latency("phys.wake", 2, g_latencies, n);
    pb_out_latency("phys.wake.caller", 2, costs, n);
    free(costs);
    free(g_latencies);
}

/* --- What else two threads do to each other ------------------------------- */

static int g_stop;

static void *compute_until_stop(void *cpu)
{
    stay_on((int)(intptr_t)cpu);
    __atomic_store_n(&g_pong, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&g_stop, __ATOMIC_RELAXED))
        pb_work(100);
    return NULL;
}

/* It interrupts the CPU on which the other one runs. */
static void make_barriers(void)
{
    const long n = pb_n(10000);
    pthread_t other;
    uint64_t t;
    long i;

    PB_CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
                      0, 0));
    other = start_other(compute_until_stop, 1);
    spin_until(&g_pong, 1);
    t = pb_ns();
    for (i = 0; i < n; i++)
        PB_CHECK(
            !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    t = pb_ns() - t;
    __atomic_store_n(&g_stop, 1, __ATOMIC_RELAXED);
    PB_CHECK(!pthread_join(other, NULL));
    pb_out("phys.membarrier", "", 2, (double)t / (double)n, "ns", "");
}

static void **g_blocks;

static void *free_blocks(void *cpu)
{
    long i;

    stay_on((int)(intptr_t)cpu);
    for (i = 0; i < g_rounds; i++) {
        void *block;
        int turns = 0;

        while (!(block = __atomic_load_n(&g_blocks[i], __ATOMIC_ACQUIRE)))
            look_again(&turns);
        free(block);
    }
    return NULL;
}

/* Allocated here, freed there. */
static void free_across(void)
{
    pthread_t other;
    uint64_t t;
    long i;

    g_rounds = pb_n(500000);
    g_blocks = calloc((size_t)g_rounds, sizeof(*g_blocks));
    memset(g_blocks, 0, (size_t)g_rounds * sizeof(*g_blocks));
    other = start_other(free_blocks, 1);
    t = pb_ns();
    for (i = 0; i < g_rounds; i++)
        __atomic_store_n(&g_blocks[i], malloc(48), __ATOMIC_RELEASE);
    PB_CHECK(!pthread_join(other, NULL));
    t = pb_ns() - t;
    pb_out("phys.malloc", "", 2, (double)t / (double)g_rounds, "ns", "");
    free(g_blocks);
}

static const struct {
    const char *row;
    void (*run)(void);
} g_pairs[] = {
    { "phys.atomic", add_together },      { "phys.line", bounce_line },
    { "phys.futex", wake_across },        { "phys.switch", switch_threads },
    { "phys.wake", wake_sleeper },        { "phys.malloc", free_across },
    { "phys.membarrier", make_barriers },
};

/* --- main ----------------------------------------------------------------- */

static int run_alone(const char *row)
{
    size_t i;

    for (i = 0; i < sizeof(g_passes) / sizeof(g_passes[0]); i++)
        if (pb_is(g_passes[i].row, row)) {
            repeat_pass(row, g_passes[i].pass, pb_n(g_passes[i].n));
            return 0;
        }
    return 2;
}

static int run_pair(const char *row)
{
    size_t i;

    for (i = 0; i < sizeof(g_pairs) / sizeof(g_pairs[0]); i++)
        if (pb_is(g_pairs[i].row, row)) {
            g_pairs[i].run();
            return 0;
        }
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s ROW THREADS\n", argv[0]);
        return 2;
    }
    PB_CHECK(sched_getaffinity(0, sizeof(g_cpus), &g_cpus) == 0);
    start_and_join(); /* what has one thread only may use cheaper calls */
    g_fd = eventfd(0, EFD_NONBLOCK);
    PB_CHECK(g_fd >= 0);
    stay_on(0);
    return atoi(argv[2]) == 2 ? run_pair(argv[1]) : run_alone(argv[1]);
}

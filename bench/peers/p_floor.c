/* SPDX-License-Identifier: Apache-2.0 */

/*
 * p_floor.c: floor, what crossing processes costs at least: bytes through a
 * pipe or a pair of sockets, or a ring in shared memory with a futex, with and
 * without polling before it. No tasks, no checks, no death; a busy worker's
 * tasks wait for ever.
 *
 *     p_floor pipe|socketpair|ring|ring-spin WORKLOAD WORKERS
 */

static const char *g_kind;

#define PEER g_kind

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "pb.h"

enum {
    PEER_WINDOW = 512,
    RING = 4096,
    BIG = 1024 * 1024,
    MOST_WORKERS = 64,
    SPIN_NS = 20000
};

typedef int pb_call; /* whose it is */

/* --- Rings ---------------------------------------------------------------- */

/* One direction: one writer, one reader, a cache line each. */
typedef struct ring_t {
    unsigned long head PB_ALIGNED(64); /* the reader's */
    unsigned long tail PB_ALIGNED(64); /* the writer's */
    int asleep PB_ALIGNED(64);
    struct {
        uint64_t len;
        char pad[56];
    } cells[RING] PB_ALIGNED(64);
} ring_t;

typedef struct shared_t {
    ring_t down, up;
    char in[BIG], out[BIG];
} shared_t;

static uint64_t g_spin_ns;

static int is_ready(ring_t *ring)
{
    return __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) != ring->head;
}

static void put(ring_t *ring, uint64_t len)
{
    const unsigned long tail = ring->tail;

    while (tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == RING)
        sched_yield();
    ring->cells[tail % RING].len = len;
    __atomic_store_n(&ring->tail, tail + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->asleep, __ATOMIC_RELAXED)) {
        __atomic_store_n(&ring->asleep, 0, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &ring->asleep, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

static void await_ring(ring_t *ring)
{
    const uint64_t end = pb_ns() + g_spin_ns;
    int i;

    for (;;) {
        for (i = 0; i < 64; i++, pb_pause())
            if (is_ready(ring))
                return;
        if (pb_ns() < end)
            continue;
        __atomic_store_n(&ring->asleep, 1, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!is_ready(ring))
            syscall(SYS_futex, &ring->asleep, FUTEX_WAIT, 1, NULL, NULL, 0);
        __atomic_store_n(&ring->asleep, 0, __ATOMIC_RELAXED);
    }
}

static uint64_t get(ring_t *ring)
{
    uint64_t len;

    await_ring(ring);
    len = ring->cells[ring->head % RING].len;
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
    return len;
}

/* --- Workers -------------------------------------------------------------- */

typedef struct worker_t {
    pid_t pid;
    shared_t *shared; /* or NULL, and the descriptors */
    int down;
    int up;
} worker_t;

static worker_t g_all[MOST_WORKERS];
static int g_n_all, g_next;
static int g_one; /* one call at a time: the same worker has it, and is awake */

static void transfer(int fd, void *bytes, size_t len, int writing)
{
    char *at = (char *)bytes;

    while (len) {
        const ssize_t n = writing ? write(fd, at, len) : read(fd, at, len);

        if (n <= 0)
            _exit(1);
        at += n;
        len -= (size_t)n;
    }
}

static void serve_ring(shared_t *shared)
{
    for (;;) {
        const uint64_t len = get(&shared->down);

        if (len)
            memcpy(shared->out, shared->in, len);
        put(&shared->up, len);
    }
}

static void serve_bytes(int in, int out)
{
    static char bytes[BIG];
    uint64_t len;

    for (;;) {
        transfer(in, &len, sizeof(len), 0);
        transfer(in, bytes, len, 0);
        transfer(out, &len, sizeof(len), 1);
        transfer(out, bytes, len, 1);
    }
}

static void make_ring(worker_t *worker)
{
    worker->shared = (shared_t *)mmap(NULL, sizeof(shared_t),
                                      PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PB_CHECK(worker->shared != MAP_FAILED);
    worker->pid = fork();
    if (worker->pid == 0)
        serve_ring(worker->shared);
}

static void make_bytes(worker_t *worker)
{
    int down[2], up[2]; /* the reading end, the writing end */

    if (pb_is(g_kind, "floor-pipe")) {
        PB_CHECK(pipe(down) == 0 && pipe(up) == 0);
    } else {
        PB_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, down) == 0);
        up[0] = dup(down[1]);
        up[1] = dup(down[0]);
    }
    worker->pid = fork();
    if (worker->pid == 0) {
        close(down[1]);
        close(up[0]);
        serve_bytes(down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    worker->down = down[1];
    worker->up = up[0];
}

/* --- What pb_process.h asks for ------------------------------------------- */

static int process_begin(int argc, char **argv)
{
    static char name[32];

    PB_CHECK(argc == 4);
    snprintf(name, sizeof(name), "floor-%s", argv[1]);
    g_kind = name;
    g_spin_ns = pb_is(g_kind, "floor-ring-spin") ? SPIN_NS : 0;
    return 1;
}

static void process_start(int workers)
{
    PB_CHECK(workers <= MOST_WORKERS);
    g_one = pb_is(g_workload, "P1");
    for (g_n_all = 0; g_n_all < workers; g_n_all++) {
        if (strncmp(g_kind, "floor-ring", 10) == 0)
            make_ring(&g_all[g_n_all]);
        else
            make_bytes(&g_all[g_n_all]);
        PB_CHECK(g_all[g_n_all].pid > 0);
    }
}

static void process_stop(void)
{
    int i;

    for (i = 0; i < g_n_all; i++) {
        kill(g_all[i].pid, SIGKILL);
        waitpid(g_all[i].pid, NULL, 0);
        if (g_all[i].shared) {
            munmap(g_all[i].shared, sizeof(shared_t));
        } else {
            close(g_all[i].down);
            close(g_all[i].up);
        }
    }
    g_n_all = 0;
    g_next = 0;
}

static void send_down(worker_t *worker, const void *bytes, uint64_t len)
{
    if (worker->shared) {
        if (len)
            memcpy(worker->shared->in, bytes, len);
        put(&worker->shared->down, len);
    } else {
        transfer(worker->down, &len, sizeof(len), 1);
        transfer(worker->down, (void *)(uintptr_t)bytes, len, 1);
    }
}

static void take_up(worker_t *worker, void *bytes)
{
    uint64_t len;

    if (worker->shared) {
        len = get(&worker->shared->up);
        if (len)
            memcpy(bytes, worker->shared->out, len);
    } else {
        transfer(worker->up, &len, sizeof(len), 0);
        transfer(worker->up, bytes, len, 0);
    }
}

static inline pb_call process_call(void)
{
    const int i = g_next;

    if (!g_one)
        g_next = (i + 1) % g_n_all;
    send_down(&g_all[i], NULL, 0);
    return i;
}

static inline void process_end(pb_call call)
{
    take_up(&g_all[call], NULL);
}

static const void *process_echo(void *to, const void *from, size_t len)
{
    send_down(&g_all[0], from, len);
    take_up(&g_all[0], to);
    return to;
}

#include "pb_process.h"

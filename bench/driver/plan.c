/* SPDX-License-Identifier: Apache-2.0 */

/* plan.c: who does what. To add a peer, add a line to g_all. */

#include "plan.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T_TASKS  "T1:1,2,4 T3:2 T4:1,2,4 T5.1us:1,2,4 T5.10us:2,4 T6:1 "
#define T_ROUNDS "T1f:1,2 T2:1,2 T2.idle30:1 T2.1cpu:1 "
#define W_WAITS  "W1:8 W2:2 W2.behind:2 W3:2 "
#define W_QUIET  "W3.hogs:2 idle:2 "
#define L_ALL    "L1:1 L1f:1 L2:1 L3:1 L3.sleep:1 "
#define L_EVENTS "L4:1 "
#define S_ALL    "S1:1,2 S2:1,2 "
#define C_ALL    "co.spawn:1 co.yield:1 co.many:1 "

/* Of those that Debian has not: they run where they are found. */
#define MORE                                                                   \
    "T1:1,2,4 T1f:1,2 T2:1,2 T3:2 T4:1,2,4 T5.1us:1,2,4 T5.10us:2,4 T6:1 "     \
    "T6f:1 W1:8 W2.behind:2 "

#define RUST  "cargo, librust-libc-dev, librust-rayon-dev, librust-tokio-dev"
#define GO    "golang-go"
#define P_ALL "P1:2 P2:2 P3:2 P4:2 P4.large:2 "

/* T6f is for those that have futures of their own. */
static const implementation g_all[] = {
    { "brood", "bench/brood_pool", "",
      T_TASKS T_ROUNDS "T6f:1 " W_WAITS W_QUIET, NULL },
    { "brood", "bench/brood_loop", "",
      L_ALL L_EVENTS S_ALL "S1.each:1,2 idle-loop:1", NULL },
    { "brood", "bench/brood_coroutine", "", C_ALL, NULL },
    { "brood", "bench/brood_switch", "", "co.switch:1", NULL },
    { "brood", "bench/brood_lineage", "", "lineage:1,2", NULL },
    { "brood", "bench/brood_process", "", P_ALL "P2.window:2 P5:2", NULL },
    { "mutex-pool", "bench/peers/t_pthread", "",
      T_TASKS T_ROUNDS W_WAITS W_QUIET, NULL },
    { "GThreadPool", "bench/peers/t_glib", "libglib2.0-dev",
      T_TASKS T_ROUNDS W_WAITS, NULL },
    { "oneTBB-enqueue", "bench/peers/t_tbb", "libtbb-dev and g++",
      T_TASKS T_ROUNDS W_WAITS W_QUIET, NULL },
    /* The caller is one of the threads: with 1 nothing crosses, and its round
     * trip would be a function call. */
    { "oneTBB-group", "bench/peers/t_tbb_group", "libtbb-dev and g++",
      "T1:2,4 T4:2,4 T5.1us:2,4 T5.10us:2,4", NULL },
    /* Only one thread may submit. */
    { "libuv-queue_work", "bench/peers/t_uv", "libuv1-dev",
      "T1:1,2,4 T1f:1,2 T2:1,2 T2.1cpu:1 T5.1us:1,2,4 T5.10us:2,4 "
      "T6:1 " W_WAITS,
      NULL },
    /* Its push walks the queue. */
    { "apr_thread_pool", "bench/peers/t_apr", "libaprutil1-dev",
      "T1:1,2 T2:1,2 T3:2 T4:2 T5.1us:2 T6:1", "50" },
    { "asio-thread_pool", "bench/peers/t_asio", "libasio-dev and g++",
      "T1:1,2,4 T1f:1,2 T2:1,2 T3:2 T4:1,2,4 T5.1us:1,2,4 T6:1 T6f:1 " W_WAITS,
      NULL },
    { "BS-thread_pool", "bench/peers/t_bs", "", MORE, NULL },
    { "taskflow", "bench/peers/t_taskflow", "", MORE, NULL },
    { "marl", "bench/peers/t_marl", "", MORE, NULL },
    { "C-Thread-Pool", "bench/peers/t_thpool", "",
      "T1:1,2,4 T2:1,2 T3:2 T4:1,2,4 T5.1us:1,2,4 T5.10us:2,4 T6:1 W1:8",
      NULL },
    /* As many workers as there are CPUs, or one. */
    { "libdispatch", "bench/peers/t_dispatch", "",
      "T1:1,2 T1f:1,2 T2:1,2 T3:2 T4:1,2 T5.1us:1,2 T5.10us:2 T6:1 T6f:1",
      NULL },
    /* As oneTBB-group; and what it does at 1 is nothing but calls. */
    { "inline-libgomp", "bench/peers/t_omp", "gcc",
      "T1:2,4 T4:2,4 T5.1us:2,4 T5.10us:2,4", NULL },
    { "tokio-spawn", "bench/peers/x_rust tokio-spawn", RUST,
      "T1:1,2,4 T1f:1,2 T2:1,2 T3:2 T4:1,2,4 T5.1us:2,4 T6:1", NULL },
    { "tokio-spawn_blocking", "bench/peers/x_rust tokio-spawn_blocking", RUST,
      "T1:1,2 T1f:1,2 T2:1,2 T3:2 T5.1us:2 T6:1", NULL },
    { "rayon", "bench/peers/x_rust rayon", RUST,
      "T1:1,2,4 T2:1,2 T3:2 T4:1,2,4 T5.1us:2,4 T6:1", NULL },
    { "go", "bench/peers/x_go go", GO,
      "T1:1,2,4 T1f:1,2 T2:1,2 T3:2 T4:1,2,4 T5.1us:2,4 T6:1 L3.sleep:1 " C_ALL,
      NULL },
    /* A nested submit into a channel that is full would wait for ever. */
    { "go-chan-pool", "bench/peers/x_go go-chan-pool", GO,
      "T1:1,2,4 T1f:1,2 T2:1,2 T3:2 T5.1us:2,4 T6:1", NULL },
    { "floor-spsc", "bench/peers/t_spsc", "",
      "T1:1,2,4 T1f:1,2 T2:1,2 T3:2 T5.1us:1,2,4 T6:1 T6f:1", NULL },
    { "floor-split", "bench/peers/t_split", "", "T4:1,2,4 T5.1us:2", NULL },
    /* See there what it cannot. */
    { "floor-ck-ring", "bench/peers/t_ck", "libck-dev",
      "T1:1,2 T2:1,2 T5.1us:1,2 T6:1", NULL },
    { "floor-deque", "bench/peers/t_deque", "libck-dev",
      "T2:2 T4:1,2,4 T5.1us:2,4", NULL },
    { "floor-futex", "bench/peers/t_futex", "", "T2.1cpu:1", NULL },
    { "libevent-once", "bench/peers/l_event", "", L_ALL S_ALL, NULL },
    { "libevent-queue", "bench/peers/l_event_queue", "",
      L_ALL L_EVENTS S_ALL "idle-loop:1", NULL },
    { "libuv", "bench/peers/l_uv", "libuv1-dev",
      L_ALL L_EVENTS S_ALL "idle-loop:1", NULL },
    /* The pool of its GTask always has 10 threads. */
    { "glib-main-context", "bench/peers/l_glib", "libglib2.0-dev",
      L_ALL L_EVENTS, NULL },
    { "asio-io_context", "bench/peers/l_asio", "libasio-dev and g++",
      L_ALL L_EVENTS S_ALL, NULL },
    { "libdispatch-serial", "bench/peers/l_dispatch", "", L_ALL "S1:2 S2:2",
      NULL },
    { "tokio-current_thread", "bench/peers/x_rust tokio-current_thread", RUST,
      L_ALL S_ALL C_ALL, NULL },
    { "go-actor", "bench/peers/x_go go-actor", GO, "L1:1 L1f:1 L2:1 L3:1",
      NULL },
    { "concurrent.futures", "bench/peers/x_python concurrent.futures",
      "python3", S_ALL, "10" },
    { "asyncio-to_thread", "bench/peers/x_python asyncio-to_thread", "python3",
      S_ALL, "10" },
    { "asgiref-any", "bench/peers/x_asgiref asgiref-any", "python3-asgiref",
      S_ALL, "10" },
    /* It has one thread, whatever is asked for. */
    { "asgiref-sensitive", "bench/peers/x_asgiref asgiref-sensitive",
      "python3-asgiref", "S1:1 S2:1", "10" },
    { "floor-loop", "bench/peers/l_floor", "", L_ALL S_ALL, NULL },
    { "swapcontext", "bench/peers/c_ucontext", "", "co.switch:1", NULL },
    { "floor-phys", "bench/peers/f_phys", "",
      "phys.clock:1 phys.pause:1 phys.syscall:1 phys.yield:1 "
      "phys.wake-nobody:1 phys.eventfd:1 phys.mutex:1 phys.atomic:1,2 "
      "phys.fence:1 phys.malloc:1,2 phys.fault:1 phys.stack:1 phys.thread:1 "
      "phys.line:2 phys.membarrier:2 phys.switch:2 phys.futex:2 phys.wake:2",
      NULL },
    { "py-Executor-fork", "bench/peers/p_python ProcessPoolExecutor-fork",
      "python3", P_ALL, NULL },
    { "py-Executor-spawn", "bench/peers/p_python ProcessPoolExecutor-spawn",
      "python3", P_ALL, NULL },
    { "py-Pool-fork", "bench/peers/p_python Pool-fork", "python3", P_ALL,
      NULL },
    { "py-Pool-spawn", "bench/peers/p_python Pool-spawn", "python3", P_ALL,
      NULL },
    { "floor-pipe", "bench/peers/p_floor pipe", "", P_ALL "P2.window:2", NULL },
    { "floor-socketpair", "bench/peers/p_floor socketpair", "",
      P_ALL "P2.window:2", NULL },
    { "floor-ring", "bench/peers/p_floor ring", "", P_ALL "P2.window:2", NULL },
    { "floor-ring-spin", "bench/peers/p_floor ring-spin", "",
      P_ALL "P2.window:2", NULL },
};

const row_text plan_rows[] = {
    { "T1", "empty tasks from one thread, its own wait for all" },
    { "T1c", "the same, all done is told by a counter" },
    { "T1f", "with a future each, waited for; cold memory" },
    { "T1f.warm", "the same once more" },
    { "T2", "round trip of one task, through its future" },
    { "T2e", "the same through an event" },
    { "T2.idle30", "T2 beside 30 idle producers" },
    { "T2.1cpu", "T2 with all threads on one CPU" },
    { "T3", "empty tasks from four threads" },
    { "T4", "binary tree, each task submits two" },
    { "T5.1us", "share of the CPUs that 1 us tasks get; more is better" },
    { "T5.10us", "the same for 10 us tasks" },
    { "T6", "memory of a queued task" },
    { "T6f", "the same with a future" },
    { "W1", "64 tasks that sleep 10 ms" },
    { "W2", "from submit to begin, beside a blocked worker" },
    { "W2.behind", "the same right behind the task that blocks" },
    { "W3", "CPU time of a task that finds all asleep" },
    { "W3.wait", "from submit to begin of the same" },
    { "W3.hogs", "W3 beside two CPU hogs" },
    { "W3.hogs.wait", "W3.wait beside two CPU hogs" },
    { "idle.first", "context switches in the second after work" },
    { "idle", "the same in the second after that" },
    { "L1", "callbacks from another thread into the loop" },
    { "L1f", "the same with a future each, waited for" },
    { "L2", "round trip of one, through its future" },
    { "L2e", "the same through an event" },
    { "L3", "timers of 1 to 5 ms, set and fired" },
    { "L3.sleep", "what sleeps on the loop for 1 to 5 ms; cold memory" },
    { "L3.sleep.warm", "the same once more" },
    { "L4", "a byte over a socket to another process and back" },
    { "L4.busy", "the same while a thread of the program computes" },
    { "L4.busy.work", "what that thread gets done; more is better" },
    { "S1", "blocking calls from the loop, 1000 at a time" },
    { "S1.each", "the same by 1000 coroutines, each one at a time" },
    { "S2", "blocking calls from the loop, one at a time" },
    { "idle-loop.first", "context switches in the second after work" },
    { "idle-loop", "the same in the second after that" },
    { "co.switch", "from one stack to another, by itself" },
    { "co.yield", "two coroutines give way to each other" },
    { "co.spawn", "a coroutine that never awaits, from another thread" },
    { "co.post", "a post, in turns with co.spawn" },
    { "co.many", "how many of 100,000 wait at once; more is better" },
    { "co.many.resident", "memory of each of these" },
    { "co.many.each", "until each of these waits; cold memory" },
    { "P1", "round trip of an empty task to a worker process" },
    { "P2", "empty tasks in worker processes, all submitted at once" },
    { "P2.window", "the same, at most 512 of them open" },
    { "P3", "1 MiB to a worker process and back; more is better" },
    { "P4", "from nothing until two worker processes have answered" },
    { "P4.large", "the same from a process of 2 GiB" },
    { "P5", "memory of a task queued for a process" },
    { "lineage", "look-up of a manager, ten generations up" },
    { "phys.clock", "the machine: to read the monotonic clock" },
    { "phys.pause", "the CPU's hint that it spins" },
    { "phys.syscall", "a system call that does nothing" },
    { "phys.yield", "sched_yield() with nobody else there" },
    { "phys.wake-nobody", "a futex wake-up without a sleeper" },
    { "phys.eventfd", "a write to an eventfd nobody waits for" },
    { "phys.mutex", "to lock and unlock a mutex nobody else wants" },
    { "phys.atomic", "an atomic addition; 2: both to the same word" },
    { "phys.fence", "a store and a full fence" },
    { "phys.malloc", "malloc() and free(); 2: the other thread frees" },
    { "phys.fault", "the first use of a page, and giving it back" },
    { "phys.stack", "to map, guard, use and unmap a stack" },
    { "phys.thread", "to make and join a thread" },
    { "phys.line", "a cache line to the other CPU and back" },
    { "phys.membarrier", "membarrier() while the other thread computes" },
    { "phys.switch", "a wake-up and switch on one CPU" },
    { "phys.futex", "futex round trip between two CPUs" },
    { "phys.wake", "until a sleeper on the other CPU runs" },
    { "phys.wake.caller", "what the waker pays for that" },
    { NULL, NULL },
};

/* Workloads that Windows tells nothing of. */
static const row_text g_linux_only[] = {
    { "idle", "nobody counts its switches of threads" },
    { "idle-loop", "nobody counts its switches of threads" },
    { "W3.hogs", "its hogs are forked" },
    { "L4", "the other process is forked" },
    { NULL, NULL },
};

enum { MOST_JOBS = 1000, MOST_MORE = 20 };

typedef struct plan {
    job *jobs;
    int n;
    regex_t only;
} plan;

static const char *runner_of_programs(void)
{
    const char *runner = getenv("BENCH_RUNNER");

    return runner && *runner ? runner : NULL;
}

/* Where libtool has put a program that starts another, that one is meant. */
void plan_file(char *path, size_t size, const char *program,
               const char **runner)
{
    const char *name = strrchr(program, '/');
    const int length = (int)strcspn(program, " ");

    *runner = runner_of_programs();
    if (*runner && name) {
        snprintf(path, size, "%.*s/.libs/%.*s.exe", (int)(name - program),
                 program, length - (int)(name + 1 - program), name + 1);
        if (access(path, R_OK) == 0)
            return;
    }
    snprintf(path, size, "%.*s%s", length, program, *runner ? ".exe" : "");
    /* What is a script runs by itself. */
    if (*runner && access(path, R_OK) != 0) {
        *runner = NULL;
        snprintf(path, size, "%.*s", length, program);
    }
}

static int is_program(const char *command)
{
    const char *runner;
    char path[1024];

    plan_file(path, sizeof(path), command, &runner);
    return access(path, runner ? R_OK : X_OK) == 0;
}

/* Why it cannot be measured; NULL: it can. */
static const char *hindrance(const char *workload)
{
    const row_text *one;

    for (one = g_linux_only; one->row && runner_of_programs(); one++)
        if (strcmp(one->row, workload) == 0)
            return one->text;
    return NULL;
}

static void add_job(plan *p, const implementation *who, const char *workload,
                    int threads)
{
    const char *why = hindrance(workload);
    char text[128];
    job *new_job = &p->jobs[p->n];

    snprintf(text, sizeof(text), "%s %s %d", who->name, workload, threads);
    if (regexec(&p->only, text, 0, NULL, 0) != 0 || p->n == MOST_JOBS)
        return;
    if (why) {
        if (is_program(who->program))
            fprintf(stderr, "bench: skipped %s: %s\n", text, why);
        return;
    }
    new_job->who = who;
    snprintf(new_job->workload, sizeof(new_job->workload), "%s", workload);
    new_job->threads = threads;
    p->n++;
}

/* "T1:1,2,4 T2:1" */
static void add_jobs(plan *p, const implementation *who)
{
    char *text = strdup(who->workloads);
    char *rest = NULL, *item;

    for (item = strtok_r(text, " ", &rest); item;
         item = strtok_r(NULL, " ", &rest)) {
        char *threads = strchr(item, ':');

        if (threads)
            *threads++ = '\0';
        for (; threads; threads = strchr(threads, ',')) {
            threads += *threads == ',';
            add_job(p, who, item, atoi(threads));
        }
    }
    free(text);
}

static void add_implementation(plan *p, const implementation *who)
{
    const int before = p->n;

    add_jobs(p, who);
    if (p->n == before || is_program(who->program))
        return;
    p->n = before;
    fprintf(stderr, "bench: skipped %s: %s is not built", who->name,
            who->program);
    if (*who->package)
        fprintf(stderr, " (needs %s; see make bench-deps)", who->package);
    fprintf(stderr, "\n");
}

/* "NAME=COMMAND=WORKLOADS;..." The texts live as long as the program. */
static void add_more(plan *p, const char *more)
{
    static implementation added[MOST_MORE];
    char *rest = NULL, *item;
    int n = 0;

    for (item = strtok_r(strdup(more), ";", &rest); item && n < MOST_MORE;
         item = strtok_r(NULL, ";", &rest)) {
        implementation *who = &added[n++];
        char *part = NULL;

        who->name = strtok_r(item, "=", &part);
        who->program = strtok_r(NULL, "=", &part);
        who->workloads = strtok_r(NULL, "=", &part);
        who->package = "";
        if (who->name && who->program && who->workloads)
            add_implementation(p, who);
        else
            fprintf(stderr, "bench: not NAME=COMMAND=WORKLOADS: %s\n", item);
    }
}

int plan_make(job **jobs, const char *only, const char *more)
{
    plan p;
    size_t i;

    if (regcomp(&p.only, only, REG_EXTENDED | REG_NOSUB) != 0) {
        fprintf(stderr, "bench: no regular expression: %s\n", only);
        exit(2);
    }
    p.n = 0;
    p.jobs = calloc(MOST_JOBS + 1, sizeof(*p.jobs));
    for (i = 0; i < sizeof(g_all) / sizeof(g_all[0]); i++)
        add_implementation(&p, &g_all[i]);
    if (more)
        add_more(&p, more);
    regfree(&p.only);
    *jobs = p.jobs;
    return p.n;
}

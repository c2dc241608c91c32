/* SPDX-License-Identifier: Apache-2.0 */

/* test_await_fd.c: waiting for sockets, in coroutines and on threads. */

#include "loop/looping.h"

#include <event2/util.h>

#include "base/fault.h"
#include "os/os.h"

static evutil_socket_t ends[2];

static void open_ends(void)
{
    if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        CU_FAIL_FATAL("no pair of sockets");
    evutil_make_socket_nonblocking(ends[0]);
    evutil_make_socket_nonblocking(ends[1]);
}

static void close_ends(void)
{
    evutil_closesocket(ends[0]);
    evutil_closesocket(ends[1]);
}

static apr_os_sock_t os_sock(evutil_socket_t fd)
{
    return (apr_os_sock_t)fd; /* the same number, signed or not */
}

static apr_status_t await_read(void *timeout, void **result)
{
    (void)result;
    return brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_READ,
                          *(apr_interval_time_t *)timeout);
}

static void what_makes_no_sense_is_refused(void)
{
    ASSERT_STATUS(APR_EINVAL, brood_await_fd(0, 0, 0));
    ASSERT_STATUS(APR_EINVAL, brood_await_fd(0, 4, 0));
    ASSERT_STATUS(APR_EBADF, brood_await_fd(os_sock(-1), BROOD_AWAIT_READ, 0));
    ASSERT_STATUS(APR_EBADF, brood_await_fd(987, BROOD_AWAIT_READ, -1));
}

static void a_coroutine_waits_for_a_socket(void)
{
    apr_interval_time_t for_ever = -1, none = 0, some = 3000;
    brood_future_t *task;

    open_ends();
    start_loop();
    ASSERT_STATUS(APR_TIMEUP, outcome(submit(await_read, &none)));
    ASSERT_STATUS(APR_TIMEUP, outcome(submit(await_read, &some)));
    task = submit(await_read, &for_ever);
    wait_blocked(1);
    CU_ASSERT_EQUAL(send(os_sock(ends[1]), "x", 1, 0), 1);
    ASSERT_STATUS(APR_SUCCESS, outcome(task));
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(await_read, &none)));
    stop_loop();
    close_ends();
}

static apr_status_t await_write(void *unused, void **result)
{
    (void)unused;
    (void)result;
    return brood_await_fd(os_sock(ends[0]),
                          BROOD_AWAIT_READ | BROOD_AWAIT_WRITE, -1);
}

static void whichever_comes_first(void)
{
    static char much[4096];
    brood_future_t *task;

    open_ends();
    start_loop();
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(await_write, NULL)));
    while (send(os_sock(ends[0]), much, sizeof(much), 0) > 0)
        ;
    task = submit(await_write, NULL);
    wait_blocked(1);
    while (recv(os_sock(ends[1]), much, sizeof(much), 0) > 0)
        ;
    ASSERT_STATUS(APR_SUCCESS, outcome(task));
    stop_loop();
    close_ends();
}

static void its_end_interrupts_it(void)
{
    apr_interval_time_t for_ever = -1;
    brood_future_t *task;

    open_ends();
    start_loop();
    task = submit(await_read, &for_ever);
    wait_blocked(1);
    brood_future_cancel(task);
    ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
    CU_ASSERT_EQUAL(send(os_sock(ends[1]), "x", 1, 0),
                    1); /* nobody listens any more */
    ASSERT_STATUS(APR_SUCCESS, outcome(submit(nothing, NULL)));
    stop_loop();
    close_ends();
}

typedef struct in_post_t {
    apr_status_t first, ready;
} in_post_t;

static void try_post(void *baton)
{
    in_post_t *in = baton;

    in->first = brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_READ, -1);
    in->ready = brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_WRITE, -1);
}

static void a_post_may_only_look(void)
{
    in_post_t in = { 0, -1 };

    open_ends();
    start_loop();
    brood_loop_manager_post(loop, try_post, &in);
    stop_loop();
    ASSERT_STATUS(BROOD_EDEADLK, in.first);
    ASSERT_STATUS(APR_SUCCESS, in.ready);
    close_ends();
}

static void a_thread_waits_for_a_socket(void)
{
    open_ends();
    ASSERT_STATUS(APR_TIMEUP,
                  brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_READ, 0));
    ASSERT_STATUS(APR_TIMEUP,
                  brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_READ, 2000));
    CU_ASSERT_EQUAL(send(os_sock(ends[1]), "x", 1, 0), 1);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_READ, -1));
    close_ends();
}

static apr_status_t arrive_and_read(void *door, void **result)
{
    apr_interval_time_t for_ever = -1;

    door_open(door);
    return await_read(&for_ever, result);
}

static brood_future_t *on_pool(brood_task_fn *fn, void *baton)
{
    brood_future_t *future = NULL;

    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_thread_manager_submit(
                                         &future, pool, fn, baton, NULL));
    return future;
}

static void a_worker_waits_and_is_interrupted(void)
{
    brood_future_t *task;
    int round;

    for (round = 0; round < 50; round++) {
        door_t door;

        door_init(&door);
        open_ends();
        task = on_pool(arrive_and_read, &door);
        door_wait(&door);
        if (round % 3)
            brood_future_cancel(task);
        if (round % 3 != 1)
            CU_ASSERT_EQUAL(send(os_sock(ends[1]), "x", 1, 0), 1);
        switch (round % 3) {
        case 0:
            ASSERT_STATUS(APR_SUCCESS, outcome(task));
            break;
        case 1:
            ASSERT_STATUS(BROOD_ECANCELED, outcome(task));
            break;
        default: { /* either */
            apr_status_t rv = outcome(task);

            CU_ASSERT(rv == APR_SUCCESS || rv == BROOD_ECANCELED);
        }
        }
        close_ends();
        door_fini(&door);
    }
}

static apr_status_t read_without_descriptor(void *unused, void **result)
{
    apr_interval_time_t for_ever = -1;

    (void)unused;
    brood__fault_at(BROOD__FAULT_DESCRIPTOR, 1);
    return await_read(&for_ever, result);
}

static void a_worker_without_a_descriptor_fails(void)
{
    open_ends();
    ASSERT_STATUS(APR_EMFILE, outcome(on_pool(read_without_descriptor, NULL)));
    CU_ASSERT_FALSE(brood__fault_pending(BROOD__FAULT_DESCRIPTOR));
    close_ends();
}

static apr_status_t echo(void *count, void **result)
{
    apr_status_t rv = APR_SUCCESS;
    char c;

    (void)result;
    while (*(int *)count > 0 && rv == APR_SUCCESS) {
        rv = brood_await_fd(os_sock(ends[0]), BROOD_AWAIT_READ, -1);
        if (recv(os_sock(ends[0]), &c, 1, 0) == 1
            && send(os_sock(ends[0]), &c, 1, 0) == 1)
            --*(int *)count;
    }
    return rv;
}

static void a_conversation(void)
{
    brood_future_t *task;
    int count = 1000, i;
    char c = 'c';

    open_ends();
    start_loop();
    task = submit(echo, &count);
    for (i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL_FATAL(send(os_sock(ends[1]), &c, 1, 0), 1);
        ASSERT_STATUS(APR_SUCCESS,
                      brood_await_fd(os_sock(ends[1]), BROOD_AWAIT_READ, -1));
        CU_ASSERT_EQUAL(recv(os_sock(ends[1]), &c, 1, 0), 1);
    }
    ASSERT_STATUS(APR_SUCCESS, outcome(task));
    stop_loop();
    close_ends();
}

static void time_and_again_nothing_is_lost(void);

static const test_t tests[] = {
    TEST_KEEPS(what_makes_no_sense_is_refused, KEEPS_MEMORY),
    TEST_KEEPS(a_coroutine_waits_for_a_socket, KEEPS_MEMORY),
    TEST_KEEPS(whichever_comes_first, KEEPS_MEMORY),
    TEST_KEEPS(its_end_interrupts_it, KEEPS_MEMORY),
    TEST_KEEPS(a_post_may_only_look, KEEPS_MEMORY),
    TEST_KEEPS(a_thread_waits_for_a_socket, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_waits_and_is_interrupted, KEEPS_MEMORY),
    TEST_KEEPS(a_worker_without_a_descriptor_fails, KEEPS_MEMORY),
    TEST_KEEPS(a_conversation, KEEPS_MEMORY),
    TEST_KEEPS(time_and_again_nothing_is_lost, KEEPS_MEMORY),
};

static void time_and_again_nothing_is_lost(void)
{
    repeat(tests, sizeof(tests) / sizeof(tests[0]));
}

HARNESS_MAIN_WARM("await_fd", tests, warm_up_with_pool)

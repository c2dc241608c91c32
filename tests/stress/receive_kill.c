/* SPDX-License-Identifier: Apache-2.0 */

/*
 * receive_kill.c: the parent takes handles out of messages of a worker that is
 * killed meanwhile. Nothing that it asks for waits for that worker.
 */

#include "process/attack.h"

#include <pthread.h>

#include "os/process.h"
#include "process/core.h"
#include "process/tasks_platform.h"

/* ---- in the worker ---------------------------------------------------------- */

/* The handle of one block, in as many messages as there is room for; the first
 * one is there when the door opens. */
static apr_status_t send_blocks(const void *in, size_t len,
                                brood_buffer_t **out)
{
    const brood__os_handle_t end = brood__os_worker_handle(
        BROOD__HANDLE_BLOCKS);
    const brood__os_message_t message = { BROOD__WIRE_BLOCK, 1, 0 };
    brood__os_block_t block;
    apr_status_t rv;

    (void)out;
    if (brood__os_block_make(&block, 4096) != APR_SUCCESS)
        return APR_EGENERAL;
    rv = brood__os_channel_send(end, &message, block.handle);
    file_door_open(task_words(in, len));
    while (rv == APR_SUCCESS || rv == APR_EAGAIN) {
        if (rv == APR_EAGAIN)
            brood__os_yield();
        rv = brood__os_channel_send(end, &message, block.handle);
    }
    return rv;
}

static const brood_process_entry_t table[] = {
    { "echo", task_echo },
    { "pid", task_pid },
    { "send_blocks", send_blocks },
    { NULL, NULL },
};

/* ---- in the host ------------------------------------------------------------ */

typedef struct victim_t {
    long pid;
    unsigned delay; /* us */
} victim_t;

static void *kill_soon(void *baton)
{
    const victim_t *victim = baton;

    platform_nap(victim->delay);
    process_kill(victim->pid);
    return NULL;
}

/* The only worker, whose results are read by nobody else now: it is neither
 * buried nor freed. */
static brood__child_t *take_child(brood_process_manager_t *m)
{
    brood__child_t *child;

    brood__lock(&m->lock);
    child = BROOD__CONTAINER(m->children.next, brood__child_t, link);
    child->reading = 1;
    child->refs++;
    brood__unlock(&m->lock);
    return child;
}

static void give_child_back(brood_process_manager_t *m, brood__child_t *child)
{
    brood__lock(&m->lock);
    child->reading = 0;
    brood__child_unref(child);
    brood__unlock(&m->lock);
    brood__supervisor_wake();
}

/* The next message, and the handle that came in it closed again. APR_EAGAIN: none
 * yet; APR_EINVAL: its handle went with its sender; APR_EOF: it is dead. */
static apr_status_t receive(brood__child_t *child)
{
    brood__os_message_t message;
    brood__os_handle_t handle;
    const apr_status_t rv = brood__os_channel_receive(child->blocks, &message,
                                                      &handle, 0);

    if (rv == APR_SUCCESS) {
        CU_ASSERT_TRUE(handle != BROOD__OS_NO_HANDLE);
        brood__os_handle_close(handle);
    }
    return rv;
}

static apr_status_t receive_until_dead(brood__child_t *child)
{
    apr_status_t rv;

    do {
        rv = receive(child);
    } while (rv == APR_SUCCESS || rv == APR_EAGAIN || rv == APR_EINVAL);
    return rv;
}

static void who_dies_while_it_sends_holds_nobody_up(void)
{
    const unsigned rounds = test_rounds(20);
    brood_process_manager_t *m = workers(1);
    unsigned round;

    for (round = 0; round < rounds; round++) {
        victim_t victim = { process_number(m, "pid", ""), round % 8 * 1000 };
        brood__child_t *child;
        brood_future_t *future;
        pthread_t killer;
        file_door_t door;

        file_door_init(&door, "sends");
        future = process_submit(m, "send_blocks", door.path);
        WAIT_UNTIL(file_door_is_open(door.path));
        child = take_child(m);
        ASSERT_STATUS(APR_SUCCESS, receive(child));
        CU_ASSERT_EQUAL_FATAL(pthread_create(&killer, NULL, kill_soon, &victim),
                              0);
        ASSERT_STATUS(APR_EOF, receive_until_dead(child));
        (void)pthread_join(killer, NULL);
        give_child_back(m, child);
        ASSERT_STATUS(BROOD_EWORKERDIED, process_end(future));
        file_door_fini(&door);
    }
    process_stop(m);
}

static const test_t tests[] = {
    TEST_KEEPS(who_dies_while_it_sends_holds_nobody_up, KEEPS_MEMORY),
};

PROCESS_MAIN_TABLE("receive_kill", tests, table)

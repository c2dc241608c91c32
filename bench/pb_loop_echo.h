/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PB_LOOP_ECHO_H
#define PB_LOOP_ECHO_H

/*
 * pb_loop_echo.h: L4, what a loop is for: a byte goes to another process over a
 * socket, comes back, makes the socket readable, and goes again. L4.busy: while
 * a thread of the same program computes. That should slow neither of the two.
 */

#if defined(PEER_EVENT) && !defined(_WIN32)

#include <sys/socket.h>

static int g_sockets[2] = { -1, -1 }; /* the loop's, the other process's */
static long g_echo = -1;              /* that process */
static long g_echoes_left;
static pb_event g_echoed;

static void echo_for_ever(void)
{
    char byte;

    while (read(g_sockets[1], &byte, 1) == 1)
        PB_CHECK(write(g_sockets[1], &byte, 1) == 1);
}

/* Before there is any thread. Nobody closes an end that is not his: so none of
 * them ever reads the other's end. */
static void start_echo(void)
{
    PB_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, g_sockets) == 0);
    g_echo = pb_process_start(echo_for_ever);
    PB_CHECK(g_echo > 0);
}

static void send_byte(void)
{
    PB_CHECK(write(g_sockets[0], "", 1) == 1);
}

static void echo_arrived(PB_UNUSED void *baton)
{
    char byte;

    PB_CHECK(read(g_sockets[0], &byte, 1) == 1);
    if (__atomic_sub_fetch(&g_echoes_left, 1, __ATOMIC_RELAXED) > 0)
        send_byte();
    else
        pb_event_set(&g_echoed);
}

static void watch_socket(PB_UNUSED void *baton)
{
    loop_on_readable(g_sockets[0], echo_arrived, NULL);
    pb_event_set(&g_echoed);
}

static void begin_echo(long n)
{
    pb_event_reset(&g_echoed);
    __atomic_store_n(&g_echoes_left, n, __ATOMIC_RELAXED);
    send_byte();
}

static void l4_alone(long n)
{
    pb_span begin = pb_begin();

    begin_echo(n);
    pb_event_wait(&g_echoed);
    pb_out_span("L4", g_workers, pb_end(begin), (double)n, "event");
}

static void l4_busy(long n)
{
    const unsigned steps = 10 * pb_steps_per_us();
    pb_span begin = pb_begin();
    uint64_t wall;
    long us = 0;

    begin_echo(n);
    for (; __atomic_load_n(&g_echoes_left, __ATOMIC_RELAXED) > 0; us += 10)
        pb_work(steps);
    wall = pb_end(begin).wall;
    pb_event_wait(&g_echoed);
    pb_out("L4.busy", "", g_workers, (double)wall / (double)n, "ns/event", "");
    pb_out("L4.busy.work", "", g_workers, (double)us * 1e5 / (double)wall, "%",
           "");
}

static void l4(void)
{
    pb_event_reset(&g_echoed);
    loop_submit(watch_socket, NULL);
    pb_event_wait(&g_echoed);
    l4_alone(pb_n(30000));
    l4_busy(pb_n(30000));
    pb_process_end(g_echo);
}

#else

static void start_echo(void)
{
}

static void l4(void)
{
}

#endif

#endif /* PB_LOOP_ECHO_H */

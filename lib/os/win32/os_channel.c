/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_channel.c: handles, messages with handles in them, and bells.
 *
 * A channel is a named pipe of messages. All reads and writes are overlapped,
 * and one that would wait is canceled, so that nobody can make us wait. One
 * thread at a time sends at an end, and one receives.
 *
 * A handle in a message is a value. The parent duplicates what it sends into the
 * worker, where the value is good. A worker sends the value of its own, which
 * stays open until the parent, the only one who may do so, has duplicated that
 * out of it. Who has both ends sends a duplicate for himself.
 *
 * The parent closes nothing in a worker, though DUPLICATE_CLOSE_SOURCE would do
 * so on the way: Wine 8 has that done by a thread of the other process, and waits
 * for ever if it is killed between the beginning of that and its end.
 */

#include "os/win32/os_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "os/process.h"

#define ROOM 65536 /* bytes of messages that nobody has read yet */

typedef struct packet_t {
    brood__os_message_t message;
    uint64_t handle; /* 0: none */
} packet_t;

struct brood__end_t {
    OVERLAPPED read, write;
    HANDLE stop;    /* set by brood__os_channel_end() */
    HANDLE process; /* has the other end; NULL: it is here, or our parent's */
    int reading;    /* a read was begun that nobody has seen the end of */
    int watched;    /* one always is */
    packet_t packet;
};

static apr_status_t make_pipe(HANDLE pipe[2]);
static apr_status_t give(brood__os_handle_t object, HANDLE handle,
                         uint64_t *value);
static int duplicate(HANDLE handle, HANDLE process, HANDLE *copy);
static void take_back(brood__os_handle_t object, uint64_t value);
static apr_status_t take(const brood__end_t *end, uint64_t value,
                         brood__os_handle_t *handle);
static apr_status_t write_packet(brood__os_handle_t object,
                                 const packet_t *packet);
static apr_status_t begin_read(brood__os_handle_t object);
static apr_status_t end_read(brood__os_handle_t object, int wait, DWORD *n);
static apr_status_t pipe_status(DWORD code);
static void free_end(brood__os_handle_t object);

/* ---- handles ------------------------------------------------------------- */

brood__os_handle_t brood__object_make(HANDLE handle)
{
    brood__os_handle_t object = brood__alloc(sizeof(*object));

    if (!object) {
        (void)CloseHandle(handle);
        return NULL;
    }
    object->handle = object->wait = handle;
    return object;
}

apr_status_t brood__object_make_end(brood__os_handle_t *object, HANDLE handle)
{
    apr_status_t rv = APR_ENOMEM;
    brood__end_t *end;

    *object = brood__object_make(handle);
    if (!*object)
        return rv;
    (*object)->end = end = brood__alloc(sizeof(*end));
    if (end && !brood__table_full()) {
        end->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
        end->read.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
        end->write.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
        (*object)->wait = end->read.hEvent;
        if (end->stop && end->read.hEvent && end->write.hEvent)
            return APR_SUCCESS;
    }
    if (end)
        rv = brood__handle_error();
    brood__os_handle_close(*object);
    *object = BROOD__OS_NO_HANDLE;
    return rv;
}

apr_status_t brood__object_given(brood__os_handle_t end, HANDLE process)
{
    const HANDLE self = GetCurrentProcess();
    brood__os_handle_t peer = end->peer;

    if (!peer)
        return APR_SUCCESS;
    if (peer->end
        && (brood__table_full()
            || !DuplicateHandle(self, process, self, &peer->end->process, 0,
                                FALSE, DUPLICATE_SAME_ACCESS)))
        return brood__handle_error();
    end->peer = peer->peer = NULL;
    return APR_SUCCESS;
}

void brood__object_watch(brood__os_handle_t object, int on)
{
    if (!object->end)
        return;
    object->end->watched = on;
    if (on && begin_read(object) != APR_SUCCESS)
        (void)SetEvent(object->wait); /* the end is something to be told */
}

void brood__os_handle_close(brood__os_handle_t handle)
{
    brood__os_handle_t peer;

    if (!handle)
        return;
    peer = handle->peer;
    if (peer) {
        peer->peer = NULL;
        peer->alone = 1;
        if (!peer->end)
            (void)SetEvent(peer->handle);
    }
    if (handle->end)
        free_end(handle);
    (void)CloseHandle(handle->handle);
    brood__free(handle);
}

/* The handles in messages that nobody has read are ours to close, if they are
 * in this process. */
static void free_end(brood__os_handle_t object)
{
    brood__end_t *end = object->end;
    brood__os_message_t message;
    brood__os_handle_t handle;
    DWORD n;

    end->watched = 0;
    while (!end->process && end->stop && end->read.hEvent && end->write.hEvent
           && brood__os_channel_receive(object, &message, &handle, 0)
                  == APR_SUCCESS)
        brood__os_handle_close(handle);
    if (end->reading) {
        (void)CancelIoEx(object->handle, &end->read);
        (void)GetOverlappedResult(object->handle, &end->read, &n, TRUE);
    }
    if (end->stop)
        (void)CloseHandle(end->stop);
    if (end->read.hEvent)
        (void)CloseHandle(end->read.hEvent);
    if (end->write.hEvent)
        (void)CloseHandle(end->write.hEvent);
    if (end->process)
        (void)CloseHandle(end->process);
    brood__free(end);
}

/* ---- channels ------------------------------------------------------------ */

apr_status_t brood__os_channel_make(brood__os_handle_t ends[2])
{
    HANDLE pipe[2] = { NULL, NULL };
    apr_status_t rv;

    rv = make_pipe(pipe);
    if (rv != APR_SUCCESS)
        return rv;
    rv = brood__object_make_end(&ends[0], pipe[0]);
    if (rv != APR_SUCCESS) {
        (void)CloseHandle(pipe[1]);
        return rv;
    }
    rv = brood__object_make_end(&ends[1], pipe[1]);
    if (rv != APR_SUCCESS) {
        brood__os_handle_close(ends[0]);
        return rv;
    }
    ends[0]->peer = ends[1];
    ends[1]->peer = ends[0];
    return APR_SUCCESS;
}

/* Under a name that nobody can guess, that nobody has had before, and with room
 * for one who opens it, which is us. */
static apr_status_t make_pipe(HANDLE pipe[2])
{
    DWORD mode = PIPE_READMODE_MESSAGE;
    wchar_t name[64];
    uint64_t random[2];
    apr_status_t rv;

    if (brood__table_full())
        return brood__handle_error();
    rv = brood__os_random(random, sizeof(random));
    if (rv != APR_SUCCESS)
        return rv;
    (void)swprintf(name, 64, L"\\\\.\\pipe\\brood-%016llx%016llx",
                   (unsigned long long)random[0],
                   (unsigned long long)random[1]);
    pipe[0] = CreateNamedPipeW(name,
                               PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED
                                   | FILE_FLAG_FIRST_PIPE_INSTANCE,
                               PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE
                                   | PIPE_REJECT_REMOTE_CLIENTS,
                               1, ROOM, ROOM, 0, NULL);
    if (pipe[0] == INVALID_HANDLE_VALUE)
        return brood__handle_error();
    pipe[1] = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL,
                          OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    if (pipe[1] != INVALID_HANDLE_VALUE
        && SetNamedPipeHandleState(pipe[1], &mode, NULL, NULL))
        return APR_SUCCESS;
    rv = brood__handle_error();
    if (pipe[1] != INVALID_HANDLE_VALUE)
        (void)CloseHandle(pipe[1]);
    (void)CloseHandle(pipe[0]);
    return rv;
}

apr_status_t brood__os_channel_send(brood__os_handle_t end,
                                    const brood__os_message_t *message,
                                    brood__os_handle_t handle)
{
    packet_t packet = { *message, 0 };
    apr_status_t rv = APR_SUCCESS;

    if (handle)
        rv = give(end, handle->handle, &packet.handle);
    if (rv == APR_SUCCESS)
        rv = write_packet(end, &packet);
    if (rv != APR_SUCCESS && packet.handle)
        take_back(end, packet.handle);
    return rv;
}

int brood__os_channel_lends(void)
{
    return 1;
}

/* A table that is full may be ours or theirs. Who has filled theirs can be given
 * nothing any more, and is as good as gone. */
static apr_status_t give(brood__os_handle_t object, HANDLE handle,
                         uint64_t *value)
{
    const brood__end_t *end = object->end;
    const HANDLE self = GetCurrentProcess();
    apr_status_t rv;
    HANDLE copy = handle;

    if (object->given
        || duplicate(handle, end->process ? end->process : self, &copy)) {
        *value = (uint64_t)(uintptr_t)copy;
        return APR_SUCCESS;
    }
    if (end->process && GetLastError() == ERROR_ACCESS_DENIED)
        return APR_EOF; /* it is ending */
    rv = brood__handle_error();
    if (end->process && rv == APR_EMFILE && duplicate(handle, self, &copy)) {
        (void)CloseHandle(copy);
        rv = APR_EOF;
    }
    return rv;
}

static int duplicate(HANDLE handle, HANDLE process, HANDLE *copy)
{
    return !brood__table_full()
           && DuplicateHandle(GetCurrentProcess(), handle, process, copy, 0,
                              FALSE, DUPLICATE_SAME_ACCESS);
}

/* What was put into a worker that takes no messages ends with that worker. */
static void take_back(brood__os_handle_t object, uint64_t value)
{
    if (!object->given && !object->end->process)
        (void)CloseHandle((HANDLE)(uintptr_t)value);
}

static apr_status_t write_packet(brood__os_handle_t object,
                                 const packet_t *packet)
{
    OVERLAPPED *write = &object->end->write;
    DWORD n = 0;

    if (!WriteFile(object->handle, packet, sizeof(*packet), NULL, write)) {
        if (GetLastError() != ERROR_IO_PENDING)
            return pipe_status(GetLastError());
        if (WaitForSingleObject(write->hEvent, 0) != WAIT_OBJECT_0)
            (void)CancelIoEx(object->handle, write); /* there is no room */
    }
    if (!GetOverlappedResult(object->handle, write, &n, TRUE))
        return GetLastError() == ERROR_OPERATION_ABORTED
                   ? APR_EAGAIN
                   : pipe_status(GetLastError());
    return n == sizeof(*packet) ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t brood__os_channel_receive(brood__os_handle_t object,
                                       brood__os_message_t *message,
                                       brood__os_handle_t *handle, int wait)
{
    brood__end_t *end = object->end;
    packet_t packet;
    DWORD n = 0;
    apr_status_t rv;

    *handle = BROOD__OS_NO_HANDLE;
    if (WaitForSingleObject(end->stop, 0) == WAIT_OBJECT_0)
        return APR_EOF;
    do {
        rv = begin_read(object);
        if (rv == APR_SUCCESS)
            rv = end_read(object, wait, &n);
    } while (rv == APR_EINTR);
    if (rv != APR_SUCCESS)
        return rv;
    packet = end->packet;
    if (end->watched)
        brood__object_watch(object, 1);
    if (n != sizeof(packet))
        return APR_EINVAL;
    *message = packet.message;
    return take(end, packet.handle, handle);
}

/* From a worker comes any number at all. One that means "this process" or "this
 * thread" is no handle; the others are only its own. */
static apr_status_t take(const brood__end_t *end, uint64_t value,
                         brood__os_handle_t *handle)
{
    HANDLE ours = (HANDLE)(uintptr_t)value;

    if (!value)
        return APR_SUCCESS;
    if (end->process && value > INT32_MAX)
        return APR_EINVAL;
    if (end->process
        && (brood__table_full()
            || !DuplicateHandle(end->process, (HANDLE)(uintptr_t)value,
                                GetCurrentProcess(), &ours, 0, FALSE,
                                DUPLICATE_SAME_ACCESS)))
        return brood__handle_error() == APR_EMFILE ? APR_EMFILE : APR_EINVAL;
    *handle = brood__object_make(ours);
    return *handle ? APR_SUCCESS : APR_ENOMEM;
}

static apr_status_t begin_read(brood__os_handle_t object)
{
    brood__end_t *end = object->end;

    if (end->reading)
        return APR_SUCCESS;
    if (!ReadFile(object->handle, &end->packet, sizeof(end->packet), NULL,
                  &end->read)
        && GetLastError() != ERROR_IO_PENDING)
        return pipe_status(GetLastError());
    end->reading = 1;
    return APR_SUCCESS;
}

/* APR_EINTR: the thread has ended that had begun it, and the read with it. */
static apr_status_t end_read(brood__os_handle_t object, int wait, DWORD *n)
{
    brood__end_t *end = object->end;
    HANDLE either[2] = { end->read.hEvent, end->stop };
    int stopped = 0;

    if (wait)
        (void)WaitForMultipleObjects(2, either, FALSE, INFINITE);
    if (WaitForSingleObject(end->read.hEvent, 0) != WAIT_OBJECT_0) {
        if (!wait && end->watched)
            return APR_EAGAIN;
        (void)CancelIoEx(object->handle, &end->read);
        stopped = 1;
    }
    end->reading = 0;
    if (GetOverlappedResult(object->handle, &end->read, n, TRUE))
        return APR_SUCCESS;
    if (GetLastError() != ERROR_OPERATION_ABORTED)
        return pipe_status(GetLastError());
    if (!stopped)
        return APR_EINTR;
    return wait ? APR_EOF : APR_EAGAIN;
}

static apr_status_t pipe_status(DWORD code)
{
    switch (code) {
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED:
        return APR_EOF;
    case ERROR_MORE_DATA: /* longer than any message */
        return APR_EINVAL;
    default:
        return APR_FROM_OS_ERROR((apr_status_t)code);
    }
}

void brood__os_channel_end(brood__os_handle_t end)
{
    (void)SetEvent(end->end->stop);
}

apr_status_t brood__os_channel_wait(brood__os_handle_t end, int64_t timeout)
{
    if (begin_read(end) != APR_SUCCESS)
        return APR_SUCCESS; /* the end is there to be received */
    return WaitForSingleObject(end->wait, brood__milliseconds(timeout))
                   == WAIT_OBJECT_0
               ? APR_SUCCESS
               : APR_TIMEUP;
}

/* ---- bells --------------------------------------------------------------- */

apr_status_t brood__os_bell_make(brood__os_handle_t ends[2])
{
    HANDLE event, same;

    ends[0] = ends[1] = BROOD__OS_NO_HANDLE;
    event = brood__table_full() ? NULL : CreateEventW(NULL, FALSE, FALSE, NULL);
    if (!event)
        return brood__handle_error();
    ends[0] = brood__object_make(event);
    if (!ends[0])
        return APR_ENOMEM;
    if (!duplicate(event, GetCurrentProcess(), &same)) {
        const apr_status_t rv = brood__handle_error();

        brood__os_handle_close(ends[0]);
        return rv;
    }
    ends[1] = brood__object_make(same);
    if (!ends[1]) {
        brood__os_handle_close(ends[0]);
        return APR_ENOMEM;
    }
    ends[0]->peer = ends[1];
    ends[1]->peer = ends[0];
    return APR_SUCCESS;
}

/* The parent's end of an event does not tell that the worker's is closed. So a
 * worker that finds out that a task has done that ends, with the answer in its
 * ring: then nobody waits for a bell that cannot ring. */
static void check(brood__os_handle_t end, int worked)
{
    if (!worked && end->given)
        brood__os_worker_exit(ERROR_INVALID_HANDLE);
}

void brood__os_bell_ring(brood__os_handle_t end)
{
    check(end, SetEvent(end->handle));
}

int brood__os_bell_clear(brood__os_handle_t end)
{
    (void)ResetEvent(end->handle);
    return !end->alone;
}

apr_status_t brood__os_doorbell_make(brood__os_handle_t ends[2])
{
    return brood__os_bell_make(ends);
}

void brood__os_doorbell_ring(brood__os_handle_t end, atomic_uint *word)
{
    (void)word;
    (void)SetEvent(end->handle);
}

/* A ring that came before stays in the event. */
void brood__os_doorbell_wait(brood__os_handle_t end, atomic_uint *word,
                             unsigned seen)
{
    if (brood__load(word, acquire) == seen)
        check(end, WaitForSingleObject(end->handle, INFINITE) == WAIT_OBJECT_0);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * process.h: the platform contract for worker processes.
 *
 * As os.h: unix/ and win32/ fulfil it under the same file names. Nothing here
 * trusts the other process: no call blocks because of what a worker did to its
 * own ends, none raises SIGPIPE, and no block can be made smaller than it was
 * mapped. All descriptors and handles are made so that no other child process
 * inherits them.
 *
 * A brood__os_handle_t is a descriptor; on Windows a HANDLE and what belongs to
 * it. What a worker
 * shall have is handed over as an array of them; the worker finds them under
 * the same indexes by brood__os_worker_handle().
 */

#ifndef BROOD_OS_PROCESS_H
#define BROOD_OS_PROCESS_H

#include "os/os.h"

/* ---- os_block.c: shared memory without a name --------------------------- */

/*
 * Linux, FreeBSD: memfd_create() with seals. Other POSIX: shm_open() under a
 * random name that is unlinked at once. Windows: CreateFileMapping() without a
 * name; a handle duplicated with FILE_MAP_READ only is what read_only() and
 * freeze() mean there, so both succeed; but no receiver can see it, so that
 * open() calls none safe.
 */
typedef struct brood__os_block_t {
    brood__os_handle_t handle;
    void *base; /* where it is mapped; NULL: not */
    size_t size;
} brood__os_block_t;

/* Zeroed, mapped for reading and writing; its size is sealed. Over the system's
 * limit of files it is refused, without a signal. */
apr_status_t brood__os_block_make(brood__os_block_t *block, size_t size);

/* Whoever gets the handle from now on can map it for reading only; our mapping
 * stays writable. APR_ENOTIMPL: cannot be promised here. */
apr_status_t brood__os_block_read_only(brood__os_block_t *block);

/* Unmap it; nobody can ever write to it again, ourselves included. Where that
 * cannot be promised, the receiver copies; see brood__os_block_open(). */
apr_status_t brood__os_block_freeze(brood__os_block_t *block);

/* Map a block that was handed to us, which must have `size` bytes at least.
 * APR_EINVAL when it has not, or is no such block. */
apr_status_t brood__os_block_map(brood__os_block_t *block,
                                 brood__os_handle_t handle, size_t size,
                                 int writable);

/* Map for reading a block that a stranger says he has frozen. *safe: it cannot
 * change any more; otherwise copy with brood__os_block_read() only. Takes the
 * handle over, also when it fails. */
apr_status_t brood__os_block_open(brood__os_block_t *block,
                                  brood__os_handle_t handle, size_t size,
                                  int *safe);

/* Copy out of a block that may be changed by others at this moment. */
apr_status_t brood__os_block_read(const brood__os_block_t *block, void *to,
                                  size_t size);

/* Unmap and close; does nothing to one that was never made (all 0). */
void brood__os_block_free(brood__os_block_t *block);

/* ---- os_channel.c: messages, blocks in messages, bells ------------------- */

/*
 * A channel carries messages of a fixed size, each with at most one handle. It
 * is also the lifeline: when a process ends, however, the other end reads
 * APR_EOF. POSIX: a pair of Unix sockets. Windows: a duplex named pipe with a
 * random name, FILE_FLAG_FIRST_PIPE_INSTANCE and one instance; a handle is
 * duplicated into or out of the worker by the parent, which has
 * PROCESS_DUP_HANDLE for it, and its value travels in the message.
 */
typedef struct brood__os_message_t {
    uint32_t what;
    uint32_t size;  /* the sender's to use */
    uint64_t where; /* the sender's to use */
} brood__os_message_t;

apr_status_t brood__os_channel_make(brood__os_handle_t ends[2]);

/* Never blocks. `handle` may be BROOD__OS_NO_HANDLE and stays the caller's.
 * APR_EAGAIN: there is no room; APR_EOF: the other end is gone. */
apr_status_t brood__os_channel_send(brood__os_handle_t end,
                                    const brood__os_message_t *message,
                                    brood__os_handle_t handle);

/* 1: what a worker sends is only lent: its handle must stay open until the
 * parent has received the message, and tells of that. 0: a message has its handle
 * in itself. */
int brood__os_channel_lends(void);

/* *handle is the caller's, or BROOD__OS_NO_HANDLE. APR_EAGAIN: nothing is there
 * (unless `wait`), APR_EOF, APR_EMFILE or APR_ENOMEM when its handle got lost
 * (the message is there), or APR_EINVAL for something that is no message. */
apr_status_t brood__os_channel_receive(brood__os_handle_t end,
                                       brood__os_message_t *message,
                                       brood__os_handle_t *handle, int wait);

/* Whoever waits to receive here, and will, gets APR_EOF. */
void brood__os_channel_end(brood__os_handle_t end);

/* Until there is something to receive. APR_TIMEUP. */
apr_status_t brood__os_channel_wait(brood__os_handle_t end, int64_t timeout);

/*
 * A bell that wakes the parent's watcher. ends[0] is watched, ends[1] is the
 * worker's. POSIX: a pipe, since both ends of an eventfd share their flags, so
 * that a worker could make the parent's read block. Windows: an auto-reset
 * event (both ends are the same object).
 */
apr_status_t brood__os_bell_make(brood__os_handle_t ends[2]);
void brood__os_bell_ring(brood__os_handle_t end);
/* Never blocks. 0: the other end is closed. Windows: not told of one that was
 * given to a worker; then the process tells. */
int brood__os_bell_clear(brood__os_handle_t end);

/*
 * A doorbell that wakes the one thread of a worker that waits at it. `word` is
 * in a block that the worker can write. Linux: futex(2) on the word, and there
 * is no handle. Elsewhere a pipe (ends[0] is the worker's); Windows: an
 * auto-reset event. The wait ends when *word != seen, or for no reason.
 */
apr_status_t brood__os_doorbell_make(brood__os_handle_t ends[2]);
void brood__os_doorbell_ring(brood__os_handle_t end, atomic_uint *word);
void brood__os_doorbell_wait(brood__os_handle_t end, atomic_uint *word,
                             unsigned seen);

void brood__os_handle_close(brood__os_handle_t handle); /* or NO_HANDLE */

/* ---- os_process.c: start, end, death -------------------------------------- */

typedef struct brood__os_exit_t {
    int known;  /* 0: somebody else has reaped it */
    int code;   /* -1: a signal */
    int signal; /* 0: it exited */
} brood__os_exit_t;

/*
 * Start `exe` with the arguments, and with the handles and no others.
 *
 * POSIX: posix_spawn() with all default signal dispositions but SIGINT, which
 * is ignored; an empty mask; a process group of its own; /dev/null as standard
 * input; handle i as descriptor 3 + i. Never fork(), since the cost would grow
 * with our memory and other threads may hold any lock. Then a process
 * descriptor where there is one; the caller tells the worker to go on only
 * after that (see lib/process/child.h), so the number cannot be that of another
 * process. Windows: CreateProcessW(), suspended, with a
 * PROC_THREAD_ATTRIBUTE_HANDLE_LIST of standard output and error and one
 * inheritable pipe; into a Job object with KILL_ON_JOB_CLOSE; the handles are
 * duplicated into it and their values written to the pipe; then resumed.
 *
 * The calling thread must live as long as the worker: parent-death signals
 * follow the thread on Linux.
 */
apr_status_t brood__os_process_start(brood__os_process_t *process,
                                     const char *exe, const char *const *argv,
                                     const brood__os_handle_t *handles,
                                     size_t n);

/* One that a fork server has started, and has not reaped: its number and, in
 * `watch`, a process descriptor, which is taken over; BROOD__OS_NO_HANDLE: one is
 * made here, where that can be. Not on Windows. */
void brood__os_process_adopt(brood__os_process_t *process, int64_t pid,
                             brood__os_handle_t watch);

int64_t brood__os_process_id(const brood__os_process_t *process);

/* What becomes readable (signaled) when it ends; BROOD__OS_NO_HANDLE where
 * there is no such thing: then the end of its channel tells, and
 * brood__os_process_ended() is asked now and then. Linux: pidfd; BSD and macOS:
 * a kqueue for each; Windows: the process handle. */
brood__os_handle_t brood__os_process_watch(const brood__os_process_t *process);

/* Ask it to end: SIGTERM to its group; nothing on Windows, where a console may
 * be shared with innocents. Then at any price, with all that it started:
 * SIGKILL to its group; TerminateJobObject(). */
void brood__os_process_terminate(brood__os_process_t *process);
void brood__os_process_kill(brood__os_process_t *process);

/* Has it ended? Reaps it, and only it; never blocks; works though the host
 * program reaps everything or ignores SIGCHLD. What it has left of its group is
 * killed. After true no other call but brood__os_process_free(). */
int brood__os_process_ended(brood__os_process_t *process,
                            brood__os_exit_t *how);

/* Bytes of memory that it occupies; 0: unknown. */
uint64_t brood__os_process_rss(const brood__os_process_t *process);

void brood__os_process_free(brood__os_process_t *process);

/* ---- os_watcher.c: one thread waits for many handles ---------------------- */

/* POSIX: poll(2). Windows: WaitForMultipleObjects() for the first 63, and
 * RegisterWaitForSingleObject() for those beyond. All calls but wake() on one
 * thread. */
typedef struct brood__os_watcher_t brood__os_watcher_t;

apr_status_t brood__os_watcher_make(brood__os_watcher_t **watcher);
void brood__os_watcher_free(brood__os_watcher_t *watcher);

/* APR_ENOMEM. `handle` may be watched once, and must be removed before it is
 * closed. wait() sets *ready to 1. */
apr_status_t brood__os_watcher_add(brood__os_watcher_t *watcher,
                                   brood__os_handle_t handle, int *ready);
void brood__os_watcher_remove(brood__os_watcher_t *watcher,
                              brood__os_handle_t handle);

/* Sleep until something watched is ready, wake() was called, or `timeout` is
 * over. May end for no reason: the caller looks at everything. */
void brood__os_watcher_wait(brood__os_watcher_t *watcher, int64_t timeout);
void brood__os_watcher_wake(brood__os_watcher_t *watcher);

/* ---- os_worker.c: in the worker ------------------------------------------ */

/* The path of this program's file, to be started again: the file that runs,
 * whatever has been put under its name meanwhile, where the system can do that.
 * APR_ENAMETOOLONG. */
apr_status_t brood__os_exe(char *path, size_t size);

/* 1: an absolute path; 0: a plain name, which names no folder; -1: neither. */
int brood__os_path_kind(const char *path);

/* First in a worker: take the handles (n of them), close every other
 * descriptor above standard error, arrange to be killed when the parent dies.
 * APR_EINVAL when it was not started as a worker. Windows: read their values
 * from standard input. */
apr_status_t brood__os_worker_begin(size_t n);
brood__os_handle_t brood__os_worker_handle(size_t index);

/* Die with the parent `pid`, if the system can see to it: Linux
 * PR_SET_PDEATHSIG; else nothing, the lifeline is there. */
void brood__os_worker_die_with(int64_t pid);

/* End at once, without atexit(); also on a thread beside main. */
BROOD__NORETURN void brood__os_worker_exit(int code);

int64_t brood__os_pid(void);
int64_t brood__os_parent_pid(void);

/*
 * A fork server's part: a copy of the calling process, which has one thread.
 * In the child 0 in *pid, and the handles are in place as after
 * brood__os_worker_begin(). *watch: a process descriptor, or NO_HANDLE.
 * Windows: APR_ENOTIMPL.
 */
apr_status_t brood__os_fork_worker(int64_t *pid, brood__os_handle_t *watch,
                                   const brood__os_handle_t *handles, size_t n);

/* Has this child of the fork server ended, and how? Reaps it. */
int brood__os_reap(int64_t pid, brood__os_exit_t *how);

/* 1: there are fork servers here. */
int brood__os_can_fork(void);

#endif /* BROOD_OS_PROCESS_H */

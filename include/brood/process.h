/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_PROCESS_H
#define BROOD_PROCESS_H

#include <stdint.h>

#include <apr_errno.h>

#include <brood/buffer.h>
#include <brood/export.h>

/** @file brood/process.h
 *  @brief What a program must do to be its own worker process.
 *
 *     task -> process manager -> [worker process] -> buffer -> future
 *
 * @section workers What a worker is
 *
 * It has a family tree, managers and context variables of its own; see
 * brood_process_lineage(). It has standard output and error of its parent, or
 * /dev/null where that has none, nothing on standard input, none of its
 * parent's other descriptors, default signal dispositions, no blocked signals,
 * but SIGINT is ignored: Ctrl-C is the parent's business. It is the leader of a
 * process group of its own, which the parent kills when the worker has ended.
 * It ends when its parent ends, however that happens; what it forked itself
 * outlives a parent that was killed. Functions run one at a time on its main
 * thread.
 */

/**
 * The work; in a worker process.
 *
 * @param      in  the bytes given to the submit; aligned to 16; must not be
 *                 written.
 * @param      len how many.
 * @param[out] out the result, which the worker takes over; NULL, as it is
 *                 before, for none. Released when the status is no success.
 * @return the task's status. brood_task_canceled() works as in other tasks, and
 *         so does the rule about BROOD_ECANCELED (brood/task.h).
 */
typedef apr_status_t brood_process_fn(const void *in, apr_size_t len,
                                      brood_buffer_t **out);

/** A function and its name; a table ends with a NULL name. Stays as it is. A
 *  module exports its table as `brood_process_table`. */
typedef struct brood_process_entry_t {
    const char *name;     /**< what submits say */
    brood_process_fn *fn; /**< the work */
} brood_process_entry_t;

/** One process of a chain; see brood_process_lineage(). Stays as it is. */
typedef struct brood_process_id_t {
    uint64_t pid;    /**< the system's number */
    uint64_t serial; /**< brood's, never reused within the parent; 0: a process
                          that is no worker, the root */
} brood_process_id_t;

BROOD_BEGIN_DECLS

/**
 * The first line of main(): in a worker process this does the worker's work and
 * never returns; in any other it notes the table and returns at once.
 *
 * May be called before brood_initialize(). A table in which two functions share
 * a name, or which has no function for a name, or more than 1024 of them, ends
 * the program with a message.
 *
 * @param argc  as given to main().
 * @param argv  as given to main().
 * @param table the functions; must stay; ends with a NULL name.
 *
 * @threads   the first, before there are others.
 * @ownership @a table stays the caller's.
 * @blocks    never, but in a worker for ever.
 */
BROOD_API void brood_process_main(int argc, const char *const *argv,
                                  const brood_process_entry_t *table);

/**
 * The chain of processes from the calling one (first) to the root, which was
 * not started by brood.
 *
 * @param[out] chain up to @a max entries; may be NULL when @a max is 0.
 * @param      max   room in @a chain.
 * @return how many there are, which may be more than @a max; chains longer than
 *         16 end with their root all the same, and lack some next to it.
 *
 * @threads   any; needs no brood_initialize().
 * @ownership @a chain stays the caller's.
 * @blocks    never.
 */
BROOD_API apr_size_t brood_process_lineage(brood_process_id_t *chain,
                                           apr_size_t max);

BROOD_END_DECLS

#endif /* BROOD_PROCESS_H */

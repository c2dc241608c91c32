/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_MANAGER_H
#define BROOD_MANAGER_H

#include <stdint.h>

#include <apr_errno.h>

#include <brood/export.h>

/** @file brood/manager.h
 *  @brief The words that every kind of manager shares.
 *
 *     lineage -> task -> [manager] -> queue -> worker -> future -> loop
 *
 * @section manager_life Life of a manager
 *
 *     get()                    made, NOT STARTED; found by descendants
 *     start()                  RUNNING: accepts tasks
 *     stop()                   STOPPING, then STOPPED; start() again is allowed
 *     owner and all of its     collected: it refuses, drains (a daemon
 *     descendants are gone     cancels), and its memory goes
 *
 * @section ids Ids
 *
 * An id is a name in the namespace of the node that owns the manager. NULL is
 * the default id; NULL, "" and "0" are three ids. Each kind of manager has ids
 * of its own.
 */

/** Always a new manager on the current node, in place of one of the same id. */
#define BROOD_GET_FORCE_CREATE 0x1u
/** BROOD_ENOTFOUND instead of making one. */
#define BROOD_GET_STRICT 0x2u
/** In a task: if none is found, make it on the node that owns the manager that
 *  runs the task, so that later tasks find it too. */
#define BROOD_GET_AT_OWNER 0x4u

/** What to do with the tasks that are still queued when a manager stops. */
typedef enum {
    BROOD_STOP_DRAIN, /**< run them all first */
    BROOD_STOP_CANCEL /**< settle them with BROOD_ECANCELED, raise the token of
                           those that run */
} brood_stop_e;

/** Buckets of a histogram: bucket 0 counts less than 1 us, bucket n counts
 *  2^(n-1) us up to 2^n us, the last one everything above. */
#define BROOD_HISTOGRAM_BUCKETS 32

/**
 * The counters of one manager. Set `size` before the call; fields that the
 * caller's version does not know are not written.
 *
 * Counters are exact when the manager is idle and may lag a little while it
 * works. The histograms are samples: at most one task in 64 of each submitting
 * thread is timed.
 */
typedef struct brood_stats_t {
    apr_size_t size;     /**< sizeof this struct, as the caller knows it */
    uint64_t submitted;  /**< accepted tasks */
    uint64_t completed;  /**< tasks that ran and returned APR_SUCCESS */
    uint64_t failed;     /**< tasks that ran and returned anything else */
    uint64_t canceled;   /**< tasks that never ran: canceled or expired */
    uint64_t rejected;   /**< refused submits: full, type, stopped */
    uint64_t queued;     /**< accepted and not begun, now */
    uint64_t running;    /**< begun and not ended, now */
    uint64_t workers;    /**< threads, now */
    uint64_t idle;       /**< threads that sleep, now */
    uint64_t blocked;    /**< threads whose task waits, now */
    uint64_t started;    /**< threads ever started */
    uint64_t wakes;      /**< wake-ups of sleeping threads */
    uint64_t steals;     /**< tasks taken from another worker */
    uint64_t oldest_age; /**< us since the oldest queued task that is known
                                was submitted; 0: none */
    uint64_t wait_time[BROOD_HISTOGRAM_BUCKETS]; /**< submit to begin */
    uint64_t run_time[BROOD_HISTOGRAM_BUCKETS];  /**< begin to end */
    uint64_t wait_time_sum; /**< us, of what wait_time counts */
    uint64_t run_time_sum;  /**< us, of what run_time counts */
} brood_stats_t;

/** Initializer for brood_stats_t. */
#define BROOD_STATS_INIT                                                       \
    {                                                                          \
        sizeof(brood_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,       \
            { 0 }, { 0 }, 0, 0                                                 \
    }

#endif /* BROOD_MANAGER_H */

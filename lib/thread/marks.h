/* SPDX-License-Identifier: Apache-2.0 */

/* marks.h: what travels between the tasks of a lane. Never called. */

#ifndef BROOD_THREAD_MARKS_H
#define BROOD_THREAD_MARKS_H

#include "thread/inbox.h"

apr_status_t brood__mark_next(void *block, void **unused);
apr_status_t brood__mark_scope(void *scope, void **unused);
apr_status_t brood__mark_time(void *ns, void **unused);

BROOD__INLINE int brood__is_mark(brood_task_fn *fn)
{
    return fn == brood__mark_next || fn == brood__mark_scope
           || fn == brood__mark_time;
}

#endif /* BROOD_THREAD_MARKS_H */

/* SPDX-License-Identifier: Apache-2.0 */

/* bridge.h: what both directions of the bridge share. */

#ifndef BROOD_ASYNC_BRIDGE_H
#define BROOD_ASYNC_BRIDGE_H

#include <brood/async.h>

#include "loop/loop.h"

/* Complete and checked options. APR_EINVAL. */
apr_status_t brood__async_options(brood_async_options_t *full,
                                  const brood_async_options_t *options);

/* Have what a coroutine submits know its loop, for the way back. */
apr_status_t brood__bridge_mark_slow(void);

BROOD__INLINE apr_status_t brood__bridge_mark(void)
{
    return BROOD__LIKELY(!brood__loop_in_coroutine())
               ? APR_SUCCESS
               : brood__bridge_mark_slow();
}

#endif /* BROOD_ASYNC_BRIDGE_H */

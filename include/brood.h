/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BROOD_H
#define BROOD_H

/** @file brood.h
 *  @brief All of brood.
 *
 *     lineage -> task -> thread manager -> future -> loop manager -> async
 */

#include <brood/affinity.h>
#include <brood/async.h>
#include <brood/await.h>
#include <brood/buffer.h>
#include <brood/context.h>
#include <brood/errors.h>
#include <brood/export.h>
#include <brood/future.h>
#include <brood/init.h>
#include <brood/lineage.h>
#include <brood/loop_manager.h>
#include <brood/manager.h>
#include <brood/observe.h>
#include <brood/process.h>
#include <brood/process_manager.h>
#include <brood/task.h>
#include <brood/thread_manager.h>
#include <brood/transaction.h>
#include <brood/version.h>

#endif /* BROOD_H */

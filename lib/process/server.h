/* SPDX-License-Identifier: Apache-2.0 */

/*
 * server.h: a fork server: a helper process with one thread that forks workers.
 *
 * It is a child of the supervisor's, found dead as workers are. It answers each
 * request in order, so the supervisor waits for the answer. A worker's process
 * descriptor is made by the server, whose child it is, and passed on; how it
 * ended is known to the server only, which is asked.
 */

#ifndef BROOD_PROCESS_SERVER_H
#define BROOD_PROCESS_SERVER_H

#include "process/core.h"

/* The helper program that loads modules; a test puts another one here. */
extern const char *brood__helper_path;

typedef struct brood__server_t brood__server_t;

/* What is started for a worker: this program, or the helper for a module. */
apr_status_t brood__process_exe(char *path, size_t size, const char *module);

apr_status_t brood__server_start(brood__server_t **server, const char *name,
                                 const char *module);
void brood__server_stop(brood__server_t *server); /* accepts NULL */

/* Sets child->process. */
apr_status_t brood__server_fork(brood__server_t *server, brood__child_t *child,
                                const brood__os_handle_t *theirs);

/* It has ended by itself; then it is stopped, and another one is started. */
int brood__server_is_dead(brood__server_t *server);

/* Has a worker of it ended, and how? */
int brood__server_exit(brood__server_t *server, int64_t pid,
                       brood__os_exit_t *how);

#endif /* BROOD_PROCESS_SERVER_H */

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * server.h: a fork server: a helper process with one thread that forks workers.
 *
 * It is a child of the supervisor's, found dead as workers are. A worker's
 * process descriptor is made by the server, whose child it is, and passed on;
 * how it ended is known to the server only, which is asked.
 *
 * The supervisor never waits for it, since it may be stopped, or slow, and all
 * managers have one supervisor: one request is out at a time, the answer is
 * taken when it comes, and a server that gives none for too long is killed. Its
 * workers end with it (core.h has their flags):
 *
 *     forking --(FORKED)--> adopted --(its descriptor)--> gone --(EXIT)--> told
 *         '------(FORKED: it could not)------------------------------------^
 */

#ifndef BROOD_PROCESS_SERVER_H
#define BROOD_PROCESS_SERVER_H

#include "process/core.h"

/* The helper program that loads modules; a test puts another one here. */
extern const char *brood__helper_path;

/* ns; how long an answer may take; a test puts less here. */
extern int64_t brood__server_patience;

typedef struct brood__server_t brood__server_t;

/* What is started for a worker: this program, or the helper for a module. */
apr_status_t brood__process_exe(char *path, size_t size, const char *module);

apr_status_t brood__server_start(brood__server_t **server, const char *name,
                                 const char *module);
void brood__server_stop(brood__server_t *server); /* accepts NULL */

/* Ask for a worker; the server must be free. On failure nothing is out. */
apr_status_t brood__server_fork(brood__server_t *server, brood__child_t *child,
                                const brood__os_handle_t *theirs);

/* ---- under the manager's lock: these never wait -------------------------- */

/* Take an answer, if there is one. True: it is dead, or has not answered in
 * time and was killed; its workers are to be given up. `thorough`: look although
 * the watcher has not told of one; a supervisor in a hurry does not ask it. Of
 * one that was killed: see whether it has ended. */
int brood__server_tend(brood__server_t *server, int64_t now, int thorough);

/* When it must have answered, or is to be looked at; 0: nothing is due. */
int64_t brood__server_deadline(const brood__server_t *server);

/* Its workers are being killed: do not wait for it for long. */
void brood__server_hurry(brood__server_t *server, int64_t now);

/* Nothing is out. */
int brood__server_is_free(const brood__server_t *server);

/* Why it is of no use any more, and must be stopped when it has no workers:
 * APR_EOF, it has ended; APR_TIMEUP, it gave no answer; else, its answer was not
 * to be understood. APR_SUCCESS: it is all right. */
apr_status_t brood__server_broken(const brood__server_t *server);

/* It is of no use, and has not ended yet; then, how it has. */
int brood__server_is_dying(const brood__server_t *server);
const brood__os_exit_t *brood__server_exit(const brood__server_t *server);

/* Has a worker of it ended, and how? What is not known yet is asked for. */
int brood__server_has_ended(brood__server_t *server, brood__child_t *child,
                            brood__os_exit_t *how);

#endif /* BROOD_PROCESS_SERVER_H */

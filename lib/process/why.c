/* SPDX-License-Identifier: Apache-2.0 */

/* why.c: what the log tells of a manager that has given up. */

#include "process/core.h"

#include <stdio.h>

#include <brood/errors.h>

#include "observe/log.h"

static void describe_death(const brood_process_manager_t *m, char *text,
                           size_t size);

void brood__say_why(brood_process_manager_t *m, apr_status_t why)
{
    char name[200], text[120], death[160] = "";

    if (why != BROOD_ECRASHLOOP && why != BROOD_EMISMATCH)
        return;
    if (why == BROOD_ECRASHLOOP)
        describe_death(m, death, sizeof(death));
    brood__log(BROOD_LOG_ERROR, "%s: %s%s; it takes no more tasks",
               brood_process_manager_describe(m, name, sizeof(name)),
               brood_strerror(why, text, sizeof(text)), death);
}

/* Nothing, if somebody else has reaped it. Large codes are those of systems
 * that write them so. */
static void describe_death(const brood_process_manager_t *m, char *text,
                           size_t size)
{
    char why[100];

    if (m->unmade != APR_SUCCESS)
        (void)snprintf(text, size, "; the last one could not be started: %s",
                       brood_strerror(m->unmade, why, sizeof(why)));
    else if (m->how.known && m->how.signal)
        (void)snprintf(text, size, "; the last one was killed by signal %d",
                       m->how.signal);
    else if (m->how.known && (m->how.code < 0 || m->how.code > 255))
        (void)snprintf(text, size, "; the last one exited with 0x%x",
                       (unsigned)m->how.code);
    else if (m->how.known)
        (void)snprintf(text, size, "; the last one exited with %d",
                       m->how.code);
}

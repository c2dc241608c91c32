/* SPDX-License-Identifier: Apache-2.0 */

/* why.c: what the log tells of a manager that has given up. */

#include "process/core.h"

#include <stdio.h>

#include <brood/errors.h>

#include "observe/log.h"

static void describe_death(const brood_process_manager_t *m, char *text,
                           size_t size);
static void describe_exit(const brood__os_exit_t *how, const char *who,
                          char *text, size_t size);

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

static void describe_death(const brood_process_manager_t *m, char *text,
                           size_t size)
{
    char why[100];

    if (m->unmade != APR_SUCCESS)
        (void)snprintf(text, size, "; the last one could not be started: %s",
                       brood_strerror(m->unmade, why, sizeof(why)));
    else if (m->broken == APR_SUCCESS)
        describe_exit(&m->how, "the last one", text, size);
    else if (m->broken == APR_EOF)
        describe_exit(&m->how, "their fork server", text, size);
    else if (m->broken == APR_TIMEUP)
        (void)snprintf(text, size, "; their fork server did not answer");
    else
        (void)snprintf(text, size, "; their fork server gave a wrong answer");
}

/* Nothing, if somebody else has reaped it. Large codes are those of systems
 * that write them so. */
static void describe_exit(const brood__os_exit_t *how, const char *who,
                          char *text, size_t size)
{
    if (how->known && how->signal)
        (void)snprintf(text, size, "; %s was killed by signal %d", who,
                       how->signal);
    else if (how->known && (how->code < 0 || how->code > 255))
        (void)snprintf(text, size, "; %s exited with 0x%x", who,
                       (unsigned)how->code);
    else if (how->known)
        (void)snprintf(text, size, "; %s exited with %d", who, how->code);
}

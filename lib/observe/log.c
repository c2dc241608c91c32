/* SPDX-License-Identifier: Apache-2.0 */

/* log.c: lines for the operator. */

#include "observe/log.h"

#include <brood/errors.h>

#include <stdarg.h>
#include <stdio.h>

#include "observe/hook.h"
#include "os/os.h"

#define LINE_SIZE 1024
#define A_WHILE   ((int64_t)1000000000)
#define MOST      10 /* failures that are told one by one in a while */

static brood__hook_t g_log = BROOD__HOOK_INIT;
static brood__hook_t g_unobserved = BROOD__HOOK_INIT;

/* Relaxed, all three: each failure is told or counted, whichever while it falls
 * into. */
static atomic_llong g_while_ends;
static atomic_uint g_told;       /* in this while */
static atomic_ullong g_left_out; /* not told yet */

void brood__unobserved_rest(void)
{
    unsigned long long n = brood__swap(&g_left_out, 0, relaxed);

    if (n)
        brood__log(BROOD_LOG_WARNING,
                   "%llu more tasks failed and nobody read it", n);
}

/* A program that fails a million times a minute has other use for its log. */
static int may_tell(void)
{
    int64_t now = brood__os_now();
    long long ends = brood__load(&g_while_ends, relaxed);

    if (now >= ends && brood__cas(&g_while_ends, &ends, now + A_WHILE, relaxed))
        brood__store(&g_told, 0, relaxed);
    if (brood__load(&g_told, relaxed) < MOST
        && brood__add(&g_told, 1, relaxed) < MOST)
        return 1;
    brood__add(&g_left_out, 1, relaxed);
    return 0;
}

static void print(int level, const char *line);
static int may_tell(void);

void brood_log_hook_set(brood_log_fn *fn, void *baton)
{
    brood__hook_set(&g_log, (brood__hook_fn *)fn, NULL, baton);
}

void brood_unobserved_hook_set(brood_unobserved_fn *fn, void *baton)
{
    brood__hook_set(&g_unobserved, (brood__hook_fn *)fn, NULL, baton);
}

void brood__log(int level, const char *format, ...)
{
    char line[LINE_SIZE];
    brood__hook_call_t call;
    unsigned char *c;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (c = (unsigned char *)line; *c; c++)
        if (*c < ' ' || *c == 0x7f)
            *c = '?';

    brood__hook_enter(&g_log, &call);
    if (call.first)
        ((brood_log_fn *)call.first)(level, line, call.baton);
    else
        print(level, line);
    brood__hook_leave(&call);
}

void brood__unobserved(apr_status_t status, const char *name)
{
    brood__hook_call_t call;
    char reason[200];
    brood_unobserved_fn *fn;

    brood__hook_enter(&g_unobserved, &call);
    fn = (brood_unobserved_fn *)call.first;
    if (fn)
        fn(status, name, call.baton);
    brood__hook_leave(&call);
    if (fn || !may_tell())
        return;
    brood__unobserved_rest();
    brood_strerror(status, reason, sizeof(reason));
    brood__log(BROOD_LOG_WARNING, "task %s failed and nobody read it: %s (%d)",
               name ? name : "without a name", reason, (int)status);
}

static void print(int level, const char *line)
{
    static const char *const words[] = { "error", "warning", "info" };
    unsigned i = level < 0 ? 0 : level > 2 ? 2 : (unsigned)level;

    fprintf(stderr, "brood: %s: %s\n", words[i], line);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * brood_worker.c: the worker process of programs whose main() is not ours. It
 * loads the module that it is told, takes its table of functions, and becomes a
 * worker. Started by brood only.
 */

#include <brood/errors.h>
#include <brood/process.h>

#include <stdio.h>
#include <string.h>

#include <apr_dso.h>
#include <apr_file_info.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "os/place.h"

#define TABLE "brood_process_table"

static int refuse(apr_status_t why)
{
    char text[120];

    fprintf(stderr, "brood-worker: cannot start: %s (%d)\n",
            brood_strerror(why, text, sizeof(text)), (int)why);
    return 70;
}

int main(int argc, const char *const *argv)
{
    apr_dso_handle_sym_t table;
    apr_dso_handle_t *module;
    apr_pool_t *pool;
    const char *path, *root, *rest;
    char text[200], folder[1024];
    apr_status_t rv;

    if (argc < 3 || strncmp(argv[1], "--brood-", 8) != 0) {
        fprintf(stderr, "brood-worker: started by brood, not by hand\n");
        return 64;
    }
    /* On Windows the arguments are UTF-8 only afterwards. */
    rv = apr_app_initialize(&argc, &argv, NULL);
    if (rv == APR_SUCCESS)
        rv = apr_pool_create(&pool, NULL);
    if (rv != APR_SUCCESS)
        return refuse(rv);
    path = argv[2];
    rest = path;
    if (apr_filepath_root(&root, &rest, 0, pool) == APR_ERELATIVE) {
        /* by name: from our folder, never from a path */
        rv = brood__os_place(folder, sizeof(folder), BROOD_MODULES, "../lib/");
        if (rv != APR_SUCCESS)
            return refuse(rv);
        path = apr_pstrcat(pool, folder, "/", path, (char *)NULL);
    }
    if (apr_dso_load(&module, path, pool) != APR_SUCCESS) {
        fprintf(stderr, "brood-worker: %s\n",
                apr_dso_error(module, text, sizeof(text)));
        return 66;
    }
    if (apr_dso_sym(&table, module, TABLE) != APR_SUCCESS) {
        fprintf(stderr, "brood-worker: %s exports no %s\n", path, TABLE);
        return 66;
    }
    brood_process_main(argc, argv, (const brood_process_entry_t *)table);
    return 70; /* not reached: we are a worker */
}

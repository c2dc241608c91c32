/* SPDX-License-Identifier: Apache-2.0 */

/*
 * get_exit.c: threads get managers while those they descend from end, and
 * others look at all of them. Nobody may find what is gone.
 */

#include "lineage/fake.h"

#define GETTERS 3

static atomic_int g_go_on;
static atomic_int g_bad; /* handles that were not what was asked for */

static void check(brood__manager_t *manager, const char *id)
{
    if (!manager || strcmp(manager->id, id) != 0)
        brood__add(&g_bad, 1, relaxed);
}

/* A grandchild: its parent may be gone while it looks up. */
static void *APR_THREAD_FUNC look_up(apr_thread_t *thread, void *baton)
{
    (void)thread;
    check(get("of the family", 0), "of the family");
    check(get("own", BROOD_GET_FORCE_CREATE), "own");
    check(get("own", BROOD_GET_STRICT), "own");
    return baton;
}

/* What a round shares with the thread it makes; that one uses `pool` while its
 * maker only waits for it. */
typedef struct family_t {
    apr_pool_t *pool;
    apr_thread_t *child;
} family_t;

static void *APR_THREAD_FUNC beget(apr_thread_t *thread, void *baton)
{
    family_t *family = baton;

    (void)thread;
    check(get("of the family", 0), "of the family");
    (void)brood_thread_create(&family->child, NULL, look_up, NULL,
                              family->pool);
    return NULL;
}

static void *APR_THREAD_FUNC repeat(apr_thread_t *thread, void *lineage)
{
    family_t family;
    apr_thread_t *parent;
    apr_status_t rv;
    unsigned n;

    (void)thread;
    for (n = test_rounds(300); n; n--) {
        family.child = NULL;
        apr_pool_create(&family.pool, NULL);
        if (n % 2) /* below the main thread's family, and as a new root */
            (void)brood_lineage_attach(lineage);
        else
            brood__self_exit();
        if (brood_thread_create(&parent, NULL, beget, &family, family.pool)
            == APR_SUCCESS)
            apr_thread_join(&rv, parent);
        if (family.child)
            apr_thread_join(&rv, family.child);
        if (n % 2)
            brood_lineage_detach();
        apr_pool_destroy(family.pool);
    }
    return NULL;
}

static int read_id(brood__manager_t *manager, void *baton)
{
    (void)baton;
    if (!manager->id || !manager->owner_serial)
        brood__add(&g_bad, 1, relaxed);
    return 0;
}

static int read_node(const brood_lineage_info_t *info, void *last)
{
    /* Older nodes come first, and parents are older than children. */
    if (info->parent_serial >= info->serial)
        brood__add(&g_bad, 1, relaxed);
    *(uint64_t *)last = info->serial;
    return 0;
}

static void *look_at_all(void *unused)
{
    uint64_t last;

    while (brood__load(&g_go_on, relaxed)) {
        (void)brood__manager_each(NULL, read_id, NULL);
        (void)brood_lineage_each(read_node, &last);
    }
    return unused;
}

static void nobody_finds_what_is_gone(void)
{
    brood_lineage_t *lineage = NULL;
    apr_thread_t *getters[GETTERS];
    pthread_t looker;
    apr_status_t rv;
    int i;

    fresh_root();
    brood__store(&g_go_on, 1, relaxed);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood_lineage_capture(&lineage));
    pthread_create(&looker, NULL, look_at_all, NULL);
    for (i = 0; i < GETTERS; i++)
        ASSERT_STATUS_FATAL(
            APR_SUCCESS,
            apr_thread_create(&getters[i], NULL, repeat, lineage, test_pool));
    for (i = 0; i < GETTERS; i++)
        apr_thread_join(&rv, getters[i]);
    brood__store(&g_go_on, 0, relaxed);
    pthread_join(looker, NULL);
    brood_lineage_release(lineage);
    leave_tree();
    CU_ASSERT_EQUAL(brood__load(&g_bad, relaxed), 0);
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static const test_t tests[] = {
    TEST(nobody_finds_what_is_gone),
};
HARNESS_MAIN_WARM("get and exit", tests, warm_up)

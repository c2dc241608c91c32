/* SPDX-License-Identifier: Apache-2.0 */

/* test_lineage_api.c: the family tree as programs see it. */

#include <brood/context.h>
#include <brood/lineage.h>

#include <apr_thread_proc.h>

#include "lineage/fake.h"

#define RACERS 64

/* What a thread saw; read after its end. */
typedef struct seen_t {
    uint64_t serial;
    uint64_t parent;
    brood__manager_t *manager;
    void *value;
    apr_status_t status;
    brood_lineage_t *lineage;
    door_t *ready;
    door_t *go;
} seen_t;

static brood_context_key_t *g_key;
static int g_value = 1;
static atomic_int g_released;

static void count_release(void *value)
{
    (void)value;
    brood__add(&g_released, 1, relaxed);
}

static void look(seen_t *seen)
{
    seen->serial = brood_lineage_serial();
    seen->parent = brood_lineage_parent_serial();
    seen->manager = get("a", BROOD_GET_STRICT);
    seen->value = brood_context_get(g_key);
}

static void *APR_THREAD_FUNC look_as_child(apr_thread_t *thread, void *baton)
{
    (void)thread;
    look(baton);
    return baton;
}

static void *APR_THREAD_FUNC look_and_exit(apr_thread_t *thread, void *baton)
{
    look(baton);
    apr_thread_exit(thread, 77);
    return NULL;
}

static void *look_as_stranger(void *baton)
{
    look(baton);
    return NULL;
}

static void *look_attached(void *baton)
{
    seen_t *seen = baton;
    uint64_t before = brood_lineage_serial();

    seen->status = brood_lineage_attach(seen->lineage);
    look(seen);
    if (seen->go)
        (void)get("of the stranger", 0);
    brood_lineage_detach();
    if (brood_lineage_serial() != before)
        seen->status = APR_EGENERAL;
    brood_lineage_detach(); /* once too often: harmless */
    return NULL;
}

static void *end_attached(void *baton)
{
    seen_t *seen = baton;

    seen->status = brood_lineage_attach(seen->lineage);
    if (seen->status == APR_SUCCESS)
        seen->status = brood_lineage_attach(seen->lineage);
    look(seen);
    return NULL;
}

static apr_status_t run_child(apr_thread_start_t fn, void *baton)
{
    apr_thread_t *thread = NULL;
    apr_status_t result = APR_SUCCESS;

    ASSERT_STATUS(APR_SUCCESS,
                  brood_thread_create(&thread, NULL, fn, baton, test_pool));
    if (thread)
        apr_thread_join(&result, thread);
    return result;
}

static void start(void)
{
    fresh_root();
    brood__store(&g_released, 0, relaxed);
    if (!g_key)
        ASSERT_STATUS(APR_SUCCESS, brood_context_key_make(&g_key, "key"));
}

static void a_created_thread_is_a_child_and_inherits(void)
{
    seen_t seen = { 0 };
    brood__manager_t *manager;

    start();
    manager = get("a", 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_context_set(g_key, &g_value, count_release));
    run_child(look_as_child, &seen);
    CU_ASSERT_EQUAL(seen.parent, brood_lineage_serial());
    CU_ASSERT(seen.serial > seen.parent);
    CU_ASSERT_PTR_EQUAL(seen.manager, manager);
    CU_ASSERT_PTR_EQUAL(seen.value, &g_value);
    leave_tree();
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 1);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static void a_thread_may_end_itself_with_apr_thread_exit(void)
{
    seen_t seen = { 0 };

    start();
    CU_ASSERT_EQUAL(run_child(look_and_exit, &seen), 77);
    CU_ASSERT_EQUAL(seen.parent, brood_lineage_serial());
    CU_ASSERT_EQUAL(brood__node_count(), 1);
    leave_tree();
}

static void a_thread_that_cannot_be_made_leaves_nothing(void)
{
    apr_thread_t *thread = (apr_thread_t *)(void *)&g_value;
    size_t before;
    unsigned n;

    start();
    (void)brood_lineage_serial();
    before = brood__alloc_live();
    brood__fault_at(BROOD__FAULT_THREAD, 1);
    CU_ASSERT(brood_thread_create(&thread, NULL, look_as_child, NULL, test_pool)
              != APR_SUCCESS);
    CU_ASSERT_PTR_NULL(thread);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
    for (n = 1; n <= 3; n++) { /* the start, the node, its scope */
        brood__fault_at(BROOD__FAULT_MEMORY, n);
        ASSERT_STATUS(
            APR_ENOMEM,
            brood_thread_create(&thread, NULL, look_as_child, NULL, test_pool));
        CU_ASSERT_EQUAL(brood__alloc_live(), before);
    }
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    CU_ASSERT_EQUAL(brood__node_count(), 1);
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_create(NULL, NULL, look_as_child, 0, test_pool));
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_create(&thread, NULL, NULL, NULL, test_pool));
    ASSERT_STATUS(APR_EINVAL,
                  brood_thread_create(&thread, NULL, look_as_child, 0, NULL));
    leave_tree();
}

static void a_stranger_is_a_root(void)
{
    seen_t seen = { 0 };

    start();
    (void)get("a", 0);
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, &g_value, NULL));
    on_foreign_thread(look_as_stranger, &seen);
    CU_ASSERT_EQUAL(seen.parent, 0);
    CU_ASSERT_PTR_NULL(seen.manager);
    CU_ASSERT_PTR_NULL(seen.value);
    leave_tree();
}

static void strangers_become_children_of_the_default(void)
{
    seen_t seen = { 0 };
    brood_lineage_t *lineage = NULL;

    start();
    (void)get("a", 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_context_set(g_key, &g_value, count_release));
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_capture(&lineage));
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_set_default(lineage));
    CU_ASSERT_PTR_NULL(brood_lineage_release(lineage));
    on_foreign_thread(look_as_stranger, &seen);
    CU_ASSERT_EQUAL(seen.parent, brood_lineage_serial());
    CU_ASSERT(seen.manager != NULL);
    CU_ASSERT_PTR_EQUAL(seen.value, &g_value);
    leave_tree();
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 0); /* still held */
    CU_ASSERT_EQUAL(brood__manager_count(), 1);
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_set_default(NULL));
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 1);
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
    on_foreign_thread(look_as_stranger, &seen);
    CU_ASSERT_EQUAL(seen.parent, 0);
}

static void an_attached_stranger_stands_where_the_capture_stood(void)
{
    seen_t seen = { 0 };
    door_t unused;

    start();
    (void)get("a", 0);
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_capture(&seen.lineage));
    seen.go = &unused;
    on_foreign_thread(look_attached, &seen);
    ASSERT_STATUS(APR_SUCCESS, seen.status);
    CU_ASSERT_EQUAL(seen.serial, brood_lineage_serial());
    CU_ASSERT(seen.manager != NULL);
    CU_ASSERT(is_there("of the stranger")); /* it stands on our node */
    on_foreign_thread(end_attached, &seen);
    ASSERT_STATUS(APR_SUCCESS, seen.status);
    CU_ASSERT_EQUAL(seen.serial, brood_lineage_serial());
    brood_lineage_release(seen.lineage);
    leave_tree();
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static void *APR_THREAD_FUNC capture_for_later(apr_thread_t *thread,
                                               void *baton)
{
    seen_t *seen = baton;

    (void)thread;
    seen->status = brood_lineage_capture(&seen->lineage);
    seen->manager = get("b", 0);
    look(seen);
    return NULL;
}

static int find_ended(const brood_lineage_info_t *info, void *baton)
{
    seen_t *seen = baton;

    if (info->serial == seen->serial) {
        seen->status = info->is_alive || info->is_task || info->managers != 1
                               || info->parent_serial != seen->parent
                               || info->size != sizeof(*info)
                           ? APR_EGENERAL
                           : APR_SUCCESS;
        return 1;
    }
    return 0;
}

static void the_chain_is_not_cut_by_a_thread_that_ended(void)
{
    seen_t child = { 0 };
    seen_t stranger = { 0 };

    start();
    (void)get("a", 0);
    run_child(capture_for_later, &child);
    ASSERT_STATUS(APR_SUCCESS, child.status);
    child.status = APR_EGENERAL;
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_each(find_ended, &child));
    ASSERT_STATUS(APR_SUCCESS, child.status); /* ended, and still there */
    stranger.lineage = child.lineage;
    on_foreign_thread(look_attached, &stranger);
    CU_ASSERT_EQUAL(stranger.serial, child.serial);
    CU_ASSERT_PTR_EQUAL(stranger.manager, get("a", BROOD_GET_STRICT));
    brood_lineage_release(child.lineage);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    CU_ASSERT_EQUAL(brood__node_count(), 2); /* ours and our manager's */
    leave_tree();
}

static void *race(void *baton)
{
    seen_t *seen = baton;

    seen->status = brood_lineage_attach(seen->lineage);
    door_wait(seen->go);
    seen->manager = get("raced for", 0);
    brood_lineage_detach();
    return NULL;
}

static void racing_threads_get_one_manager(void)
{
    pthread_t threads[RACERS];
    seen_t seen[RACERS];
    brood_lineage_t *lineage = NULL;
    door_t go;
    unsigned round;
    unsigned i;

    start();
    ASSERT_STATUS(APR_SUCCESS, brood_lineage_capture(&lineage));
    for (round = test_rounds(5); round; round--) {
        door_init(&go);
        memset(seen, 0, sizeof(seen));
        for (i = 0; i < RACERS; i++) {
            seen[i].go = &go;
            seen[i].lineage = lineage;
            pthread_create(&threads[i], NULL, race, &seen[i]);
        }
        door_open(&go);
        for (i = 0; i < RACERS; i++)
            pthread_join(threads[i], NULL);
        for (i = 0; i < RACERS; i++) {
            CU_ASSERT(seen[i].manager != NULL);
            CU_ASSERT_PTR_EQUAL(seen[i].manager, seen[0].manager);
        }
        door_fini(&go);
        CU_ASSERT_EQUAL(brood__manager_count(), 1);
        brood_lineage_release(lineage);
        leave_tree();
        CU_ASSERT_EQUAL(brood__manager_count(), 0);
        ASSERT_STATUS(APR_SUCCESS, brood_lineage_capture(&lineage));
    }
    brood_lineage_release(lineage);
    leave_tree();
}

static void *make_and_go(void *unused)
{
    (void)unused;
    (void)get("mine", 0);
    return NULL;
}

/* Two at a time, so that the one's end meets the other's beginning. */
static void the_registry_is_back_after_many_short_threads(void)
{
    const unsigned n = test_rounds(BROOD__TSAN || BROOD__ASAN ? 5000 : 50000);
    pthread_t threads[2];
    size_t before;
    unsigned i;

    start();
    (void)brood_lineage_serial();
    before = brood__alloc_live();
    for (i = 0; i < n; i++) {
        pthread_create(&threads[0], NULL, make_and_go, NULL);
        pthread_create(&threads[1], NULL, make_and_go, NULL);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
    }
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    CU_ASSERT_EQUAL(brood__load(&fakes.freed, relaxed), (int)(2 * n));
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
    CU_ASSERT_EQUAL(brood__node_count(), 1);
    CU_ASSERT_EQUAL(brood__alloc_live(), before);
    leave_tree();
}

static void set_in_task(void *unused)
{
    (void)unused;
    CU_ASSERT_PTR_EQUAL(brood_context_get(g_key), &g_value);
    ASSERT_STATUS(APR_SUCCESS,
                  brood_context_set(g_key, &g_released, count_release));
    CU_ASSERT_PTR_EQUAL(brood_context_get(g_key), &g_released);
    (void)brood_lineage_serial(); /* a node of its own keeps the values */
    CU_ASSERT_PTR_EQUAL(brood_context_get(g_key), &g_released);
}

static void what_a_task_sets_is_gone_when_it_ends(void)
{
    start();
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, &g_value, NULL));
    in_task(set_in_task, NULL);
    CU_ASSERT_PTR_EQUAL(brood_context_get(g_key), &g_value);
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 1);
    leave_tree();
    CU_ASSERT_PTR_NULL(brood_context_get(g_key));
}

static apr_status_t set_value(void *unused)
{
    (void)unused;
    return brood_context_set(g_key, &g_value, count_release);
}

static void a_variable_that_cannot_be_set_stays_the_callers(void)
{
    brood_context_key_t *key = g_key;

    start();
    (void)brood_lineage_serial();
    CU_ASSERT_EQUAL(walk_failures(set_value, NULL), 3);
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 0);
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, NULL, NULL));
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 1);
    ASSERT_STATUS(APR_EINVAL, brood_context_set(NULL, &g_value, NULL));
    ASSERT_STATUS(APR_EINVAL, brood_context_key_make(&key, NULL));
    CU_ASSERT_PTR_NULL(key);
    ASSERT_STATUS(APR_EINVAL, brood_context_key_make(NULL, "x"));
    CU_ASSERT_PTR_NULL(brood_context_get(NULL));
    leave_tree();
}

static void ask_again(void *value)
{
    (void)value;
    (void)brood_lineage_serial(); /* while its place is going away */
    brood__add(&g_released, 1, relaxed);
}

static void set_curious(void *unused)
{
    (void)unused;
    ASSERT_STATUS(APR_SUCCESS, brood_context_set(g_key, &g_value, ask_again));
}

static void a_release_may_call_brood(void)
{
    start();
    in_task(set_curious, NULL);
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 1);
    set_curious(NULL);
    leave_tree();
    CU_ASSERT_EQUAL(brood__load(&g_released, relaxed), 2);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static void null_is_refused(void)
{
    start();
    ASSERT_STATUS(APR_EINVAL, brood_lineage_capture(NULL));
    ASSERT_STATUS(APR_EINVAL, brood_lineage_attach(NULL));
    ASSERT_STATUS(APR_EINVAL, brood_lineage_each(NULL, NULL));
    CU_ASSERT_PTR_NULL(brood_lineage_release(NULL));
    leave_tree();
}

static void keep_for_all(void)
{
    warm_up();
    (void)brood_context_key_make(&g_key, "key");
}

static const test_t tests[] = {
    TEST(a_created_thread_is_a_child_and_inherits),
    TEST(a_thread_may_end_itself_with_apr_thread_exit),
    TEST(a_thread_that_cannot_be_made_leaves_nothing),
    TEST(a_stranger_is_a_root),
    TEST(strangers_become_children_of_the_default),
    TEST(an_attached_stranger_stands_where_the_capture_stood),
    TEST(the_chain_is_not_cut_by_a_thread_that_ended),
    TEST(racing_threads_get_one_manager),
    TEST(the_registry_is_back_after_many_short_threads),
    TEST(what_a_task_sets_is_gone_when_it_ends),
    TEST(a_variable_that_cannot_be_set_stays_the_callers),
    TEST(a_release_may_call_brood),
    TEST(null_is_refused),
};
HARNESS_MAIN_WARM("lineage api", tests, keep_for_all)

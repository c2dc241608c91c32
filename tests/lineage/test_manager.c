/* SPDX-License-Identifier: Apache-2.0 */

/* test_manager.c: managers are found, made, replaced and collected. */

#include "lineage/manager.h"

#include <stdio.h>

#include "lineage/fake.h"

static const brood__kind_t other_kind = {
    .noun = "other manager",
    .size = sizeof(fake_t),
    .align = 16,
    .make = fake_make,
    .retire = fake_retire,
    .finish = fake_finish,
    .free = fake_free,
};

static brood__manager_t *g_seen[8];
static brood__node_t *g_owner;

static int freed(void)
{
    return brood__load(&fakes.freed, acquire);
}

/* Run fn(baton) as on a thread that the caller created. */
static void in_child_thread(void (*fn)(void *), void *baton)
{
    brood__frame_t saved = brood__self.now;
    brood__scope_t *scope;

    scope = brood__scope_make(
        brood__node_make(brood__self_node(0), BROOD__NODE_THREAD), NULL);
    brood__frame_begin(&saved, scope, NULL);
    brood__self.now.flags = 0;
    fn(baton);
    brood__frame_end(&saved);
    brood__scope_release(scope, 1);
}

static void look_up_three(void *unused)
{
    (void)unused;
    g_seen[0] = get("a", 0);
    g_seen[1] = get("b", 0);
    g_seen[2] = get(NULL, 0);
}

static void make_b_then_look_up_below(void *unused)
{
    g_seen[3] = get("b", BROOD_GET_FORCE_CREATE);
    in_child_thread(look_up_three, unused);
}

static void the_nearest_ancestor_with_this_id_wins(void)
{
    brood__manager_t *a;
    brood__manager_t *b;

    fresh_root();
    a = get("a", 0);
    b = get("b", 0);
    CU_ASSERT(a && b && a != b);
    CU_ASSERT_PTR_EQUAL(get("a", 0), a);
    in_child_thread(make_b_then_look_up_below, NULL);
    CU_ASSERT_PTR_EQUAL(g_seen[0], a);
    CU_ASSERT_PTR_EQUAL(g_seen[1], g_seen[3]);
    CU_ASSERT(g_seen[3] != b);
    CU_ASSERT(g_seen[2] != NULL); /* made at the grandchild */
    CU_ASSERT(!is_there(NULL));
    CU_ASSERT_PTR_EQUAL(get("b", 0), b);
    leave_tree();
    CU_ASSERT_EQUAL(freed(), 4);
}

static void look_up_again(void *nearer)
{
    g_seen[0] = get("a", 0);
    g_seen[1] = get("a", 0);
    *(brood__manager_t **)nearer = get("a", BROOD_GET_FORCE_CREATE);
    g_seen[2] = get("a", 0);
}

static void what_was_found_gives_way_to_what_is_nearer(void)
{
    brood__manager_t *a, *nearer;

    fresh_root();
    a = get("a", 0);
    in_child_thread(look_up_again, &nearer);
    CU_ASSERT(g_seen[0] == a && g_seen[1] == a && nearer != a);
    CU_ASSERT(g_seen[2] == nearer && get("a", 0) == a);
    leave_tree();
    CU_ASSERT_EQUAL(freed(), 2);
}

static void ids_that_look_alike_are_different(void)
{
    static const char *const ids[] = { NULL,    "",      "0", "abcd",
                                       "abcde", "abcdf", "ab" };
    const size_t n = sizeof(ids) / sizeof(ids[0]);
    brood__manager_t *managers[sizeof(ids) / sizeof(ids[0])];
    char copy[10];
    size_t i;
    size_t j;

    fresh_root();
    for (i = 0; i < n; i++) {
        CU_ASSERT(!is_there(ids[i]));
        managers[i] = get(ids[i], 0);
        for (j = 0; j < i; j++)
            CU_ASSERT(managers[j] != managers[i]);
    }
    for (i = 0; i < n; i++) {
        if (ids[i])
            strcpy(copy, ids[i]);
        CU_ASSERT_PTR_EQUAL(get(ids[i] ? copy : NULL, 0), managers[i]);
    }
    leave_tree();
}

static void each_kind_has_ids_of_its_own(void)
{
    brood__manager_t *other = NULL;

    fresh_root();
    CU_ASSERT(get("a", 0) != NULL);
    ASSERT_STATUS(BROOD_ENOTFOUND, brood__manager_get(&other, &other_kind, "a",
                                                      BROOD_GET_STRICT));
    ASSERT_STATUS(APR_SUCCESS, brood__manager_get(&other, &other_kind, "a", 0));
    CU_ASSERT(other != get("a", 0));
    leave_tree();
}

static void flags_are_checked_and_nothing_is_made(void)
{
    static const struct {
        unsigned flags;
        apr_status_t expected;
    } rows[] = {
        { BROOD_GET_STRICT, BROOD_ENOTFOUND },
        { BROOD_GET_STRICT | BROOD_GET_FORCE_CREATE, APR_EINVAL },
        { BROOD_GET_STRICT | BROOD_GET_AT_OWNER, APR_EINVAL },
        { BROOD_GET_STRICT | BROOD_GET_FORCE_CREATE | BROOD_GET_AT_OWNER,
          APR_EINVAL },
        { 0x8u, APR_EINVAL },
        { ~0u, APR_EINVAL },
        { 0x80000000u | BROOD_GET_FORCE_CREATE, APR_EINVAL },
    };
    brood__manager_t *manager;
    size_t i;

    fresh_root();
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        manager = (brood__manager_t *)(void *)g_seen;
        ASSERT_STATUS(rows[i].expected, brood__manager_get(&manager, &fake_kind,
                                                           "x", rows[i].flags));
        CU_ASSERT_PTR_NULL(manager);
    }
    ASSERT_STATUS(APR_EINVAL, brood__manager_get(NULL, &fake_kind, "x", 0));
    CU_ASSERT_EQUAL(brood__load(&fakes.made, relaxed), 0);
    leave_tree();
}

static void force_create_replaces_the_same_id_of_the_same_node_only(void)
{
    brood__manager_t *old, *other, *new;

    fresh_root();
    old = get("a", 0);
    other = get("b", 0);
    new = get("a", BROOD_GET_FORCE_CREATE);
    CU_ASSERT(new != old);
    CU_ASSERT_PTR_EQUAL(get("a", 0), new);
    CU_ASSERT_PTR_EQUAL(get("b", 0), other);
    brood__collector_wait(-1);
    CU_ASSERT_EQUAL(brood__load(&fakes.retired, relaxed), 0); /* runs on */
    CU_ASSERT_EQUAL(brood__manager_count(), 3);
    leave_tree();
    CU_ASSERT_EQUAL(freed(), 3);
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
}

static brood__node_t *test_owner(void)
{
    return g_owner;
}

static void ask_at_owner(void *unused)
{
    (void)unused;
    g_seen[0] = get("a", BROOD_GET_AT_OWNER);
    g_seen[1] = get("a", BROOD_GET_AT_OWNER);
}

static void ask_plainly(void *unused)
{
    (void)unused;
    g_seen[2] = get("a", BROOD_GET_STRICT);
    g_seen[3] = get("b", 0);
}

static void at_owner_makes_it_where_later_tasks_find_it(void)
{
    fresh_root();
    (void)brood__self_ready();
    brood__running_owner = test_owner;
    g_owner = brood__self_node(0);
    in_task(ask_at_owner, NULL);
    in_task(ask_plainly, NULL);
    CU_ASSERT(g_seen[0] != NULL);
    CU_ASSERT_PTR_EQUAL(g_seen[0], g_seen[1]);
    CU_ASSERT_PTR_EQUAL(g_seen[2], g_seen[0]);
    CU_ASSERT(is_there("a"));
    CU_ASSERT(!is_there("b")); /* went with its task */
    g_owner = NULL;
    in_task(ask_at_owner, NULL); /* nobody runs it: found above */
    CU_ASSERT_PTR_EQUAL(g_seen[1], g_seen[2]);
    brood__running_owner = NULL;
    leave_tree();
}

/* A stranger's task: its manager's owner is no ancestor of it. */
static void at_owner_does_not_make_two_for_strangers(void)
{
    brood__manager_t *made[2] = { NULL, NULL };

    fresh_root();
    g_owner = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__running_owner = test_owner;
    in_task(ask_at_owner, NULL);
    CU_ASSERT(g_seen[0] != NULL);
    CU_ASSERT_PTR_EQUAL(g_seen[0], g_seen[1]);
    CU_ASSERT(!is_there("a"));

    brood__node_retain(g_owner);
    brood__node_unlive(g_owner);
    ASSERT_STATUS(BROOD_ESTOPPED, brood__manager_get(&made[0], &fake_kind, "z",
                                                     BROOD_GET_AT_OWNER));
    CU_ASSERT_PTR_NULL(made[0]);
    brood__running_owner = NULL;
    brood__node_release(g_owner);
    leave_tree();
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
}

static void make_one(void *id)
{
    (void)get(id, 0);
}

static void what_a_task_makes_goes_with_it(void)
{
    char mine[] = "mine";

    fresh_root();
    in_task(make_one, mine);
    CU_ASSERT(!is_there("mine"));
    brood__collector_wait(-1);
    CU_ASSERT_EQUAL(freed(), 1);
    CU_ASSERT_EQUAL(brood__load(&fakes.finished, acquire), 1);
    CU_ASSERT_EQUAL(brood__load(&fakes.on_other, relaxed), 0);
    leave_tree();
}

static void a_retained_manager_keeps_its_memory_until_released(void)
{
    brood__manager_t *manager;
    uint64_t owner;

    fresh_root();
    manager = get("a", 0);
    owner = brood_lineage_serial();
    brood__manager_retain(manager);
    leave_tree();
    CU_ASSERT_EQUAL(brood__load(&fakes.finished, acquire), 1);
    CU_ASSERT_EQUAL(freed(), 0);
    CU_ASSERT_STRING_EQUAL(manager->id, "a");
    CU_ASSERT_EQUAL(manager->owner_serial, owner);
    CU_ASSERT(brood__load(&manager->retiring, relaxed));
    brood__manager_release(manager);
    CU_ASSERT_EQUAL(freed(), 1);
    brood__manager_release(NULL);
}

static void owners_go_while_their_managers_still_retire(void)
{
    brood__manager_t *a;
    brood__manager_t *b;

    fresh_root();
    brood__store(&fakes.holds, 1, relaxed);
    a = get("a", 0);
    b = get("b", 0);
    brood__self_exit();
    WAIT_UNTIL(brood__load(&fakes.retired, acquire) == 2);
    ASSERT_STATUS(APR_TIMEUP, brood__collector_wait(0));
    brood__manager_retired(b);
    WAIT_UNTIL(brood__load(&fakes.finished, acquire) == 1);
    CU_ASSERT_EQUAL(freed(), 0); /* both go with the owner's memory */
    brood__manager_retired(a);
    ASSERT_STATUS(APR_SUCCESS, brood__collector_wait(-1));
    CU_ASSERT_EQUAL(freed(), 2);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

/* As a hook of a worker that is being joined. */
static void hook_looks_around(brood__manager_t *manager)
{
    brood__frame_t saved;

    if (brood__load(&fakes.finished, relaxed))
        return;
    brood__frame_begin(&saved, manager->service, NULL);
    brood__self.now.flags = 0;
    g_seen[0] = get("sister", BROOD_GET_STRICT);
    g_seen[1] = get("of the hook", 0);
    g_seen[2] = (brood__manager_t *)(uintptr_t)brood_lineage_serial();
    brood__frame_end(&saved);
}

static void hooks_of_a_dying_manager_find_no_dying_sister(void)
{
    uint64_t owner;

    fresh_root();
    fakes.in_finish = hook_looks_around;
    owner = brood_lineage_serial();
    (void)get("mine", 0);
    (void)get("sister", 0);
    leave_tree();
    CU_ASSERT_PTR_NULL(g_seen[0]);
    CU_ASSERT(g_seen[1] != NULL); /* belonged to the service node */
    CU_ASSERT_EQUAL((uintptr_t)g_seen[2], owner);
    CU_ASSERT_EQUAL(freed(), 3);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static apr_status_t get_one(void *flags)
{
    brood__manager_t *manager;

    return brood__manager_get(&manager, &fake_kind, "one",
                              *(const unsigned *)flags);
}

static void without_memory_nothing_is_made_or_replaced(void)
{
    unsigned flags = 0;
    brood__manager_t *first;

    fresh_root();
    (void)brood__self_ready();
    CU_ASSERT_EQUAL(walk_failures(get_one, &flags), 6);
    first = get("one", BROOD_GET_STRICT);
    flags = BROOD_GET_FORCE_CREATE;
    CU_ASSERT_EQUAL(walk_failures(get_one, &flags), 6);
    CU_ASSERT(get("one", BROOD_GET_STRICT) != first);
    CU_ASSERT_EQUAL(brood__manager_count(), 2);
    leave_tree();
}

static void a_kind_that_refuses_leaves_nothing_behind(void)
{
    brood__manager_t *manager = NULL;

    fresh_root();
    brood__store(&fakes.refuses, 1, relaxed);
    ASSERT_STATUS(APR_EGENERAL,
                  brood__manager_get(&manager, &fake_kind, "a", 0));
    CU_ASSERT_PTR_NULL(manager);
    CU_ASSERT_EQUAL(brood__manager_count(), 0);
    CU_ASSERT_EQUAL(freed(), 0);
    leave_tree();
}

static int note_and_stop_after_two(brood__manager_t *manager, void *n)
{
    int *count = n;

    CU_ASSERT(brood__load(&manager->refs, relaxed) >= 2);
    g_seen[(*count)++] = manager;
    return *count == 2;
}

static int count_them(brood__manager_t *manager, void *n)
{
    (void)manager;
    ++*(int *)n;
    return 0;
}

static void each_shows_what_lives_and_stops_when_told(void)
{
    brood__manager_t *other;
    char id[20];
    int n = 0;
    int i;

    fresh_root();
    for (i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "%d", i);
        (void)get(id, 0);
    }
    (void)brood__manager_get(&other, &other_kind, "x", 0);
    ASSERT_STATUS(APR_SUCCESS,
                  brood__manager_each(&fake_kind, note_and_stop_after_two, &n));
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_STRING_EQUAL(g_seen[1]->id, "1");
    CU_ASSERT_EQUAL(brood__load(&g_seen[1]->refs, relaxed), 1);
    n = 0;
    ASSERT_STATUS(APR_SUCCESS, brood__manager_each(NULL, count_them, &n));
    CU_ASSERT_EQUAL(n, 21);
    brood__managers_retire();
    n = 0;
    ASSERT_STATUS(APR_SUCCESS, brood__manager_each(NULL, count_them, &n));
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT(!is_there("3"));
    CU_ASSERT(get("3", 0) != NULL); /* in the old one's place */
    CU_ASSERT(is_there("3"));
    leave_tree();
    CU_ASSERT_EQUAL(freed(), 22);
}

static int is_first(brood__manager_t *manager)
{
    return manager == g_seen[4];
}

static void find_below(void *unused)
{
    (void)unused;
    (void)get("a", BROOD_GET_FORCE_CREATE);
    g_seen[5] = brood__manager_find(&fake_kind, "a", is_first);
    g_seen[6] = brood__manager_find(&fake_kind, "a", NULL);
    g_seen[7] = brood__manager_find(&fake_kind, "b", NULL);
}

static void find_walks_past_what_is_not_accepted(void)
{
    fresh_root();
    g_seen[4] = get("a", 0);
    in_child_thread(find_below, NULL);
    CU_ASSERT_PTR_EQUAL(g_seen[5], g_seen[4]);
    CU_ASSERT(g_seen[6] && g_seen[6] != g_seen[4]);
    CU_ASSERT_PTR_NULL(g_seen[7]);
    leave_tree();
}

static void a_description_fits(void)
{
    brood__manager_t *manager;
    char want[60], line[60];

    fresh_root();
    manager = get("render", 0);
    snprintf(want, sizeof(want),
             "<fake manager 'render': 4 workers, owner #%d>",
             (int)manager->owner_serial);
    CU_ASSERT_STRING_EQUAL(brood__manager_describe(manager, "", "4 workers",
                                                   NULL, line, sizeof(line)),
                           want);
    want[9] = '\0';
    brood__manager_describe(manager, "", "4 workers", NULL, line, 10);
    CU_ASSERT_STRING_EQUAL(line, want);
    brood__manager_describe(get(NULL, 0), "", NULL, NULL, line, sizeof(line));
    snprintf(want, sizeof(want), "<fake manager default: owner #%d>",
             (int)manager->owner_serial);
    CU_ASSERT_STRING_EQUAL(line, want);
    brood__manager_describe(NULL, "odd one", NULL, NULL, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "<odd one NULL>");
    line[0] = 'x';
    brood__manager_describe(manager, "", "", NULL, line, 0);
    CU_ASSERT_EQUAL(line[0], 'x');
    leave_tree();
}

static const test_t tests[] = {
    TEST(the_nearest_ancestor_with_this_id_wins),
    TEST(what_was_found_gives_way_to_what_is_nearer),
    TEST(ids_that_look_alike_are_different),
    TEST(each_kind_has_ids_of_its_own),
    TEST(flags_are_checked_and_nothing_is_made),
    TEST(force_create_replaces_the_same_id_of_the_same_node_only),
    TEST(at_owner_makes_it_where_later_tasks_find_it),
    TEST(at_owner_does_not_make_two_for_strangers),
    TEST(what_a_task_makes_goes_with_it),
    TEST(a_retained_manager_keeps_its_memory_until_released),
    TEST(owners_go_while_their_managers_still_retire),
    TEST(hooks_of_a_dying_manager_find_no_dying_sister),
    TEST(without_memory_nothing_is_made_or_replaced),
    TEST(a_kind_that_refuses_leaves_nothing_behind),
    TEST(each_shows_what_lives_and_stops_when_told),
    TEST(find_walks_past_what_is_not_accepted),
    TEST(a_description_fits),
};
HARNESS_MAIN_WARM("manager", tests, warm_up)

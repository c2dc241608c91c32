/* SPDX-License-Identifier: Apache-2.0 */

/* test_self.c: where a thread and its tasks stand, and what ends with them. */

#include "lineage/self.h"

#include "lineage/fake.h"
#include "lineage/values.h"

static char g_order[20];
static uint64_t g_serials[4];
static brood__at_end_t g_hooks[3];

static void mark(char letter)
{
    const size_t n = strlen(g_order);

    g_order[n] = letter;
    g_order[n + 1] = '\0';
}

static void end_a(brood__at_end_t *hook)
{
    (void)hook;
    mark('a');
}

static void end_b(brood__at_end_t *hook)
{
    (void)hook;
    mark('b');
}

static void end_c_adds_b(brood__at_end_t *hook)
{
    mark('c');
    hook->fn = end_b;
    brood__at_end_add(hook);
}

static void on_exit_1(brood__self_t *self)
{
    if (self->library)
        mark('1');
}

static void on_exit_2(brood__self_t *self)
{
    if (self->library)
        mark('2');
}

static void *see(void *unused)
{
    (void)unused;
    (void)brood__self_ready();
    g_serials[0] = brood__self.now.scope->node->serial;
    return NULL;
}

static void a_foreign_thread_is_a_root_until_it_ends(void)
{
    const size_t before = brood__node_count();

    on_foreign_thread(see, NULL);
    CU_ASSERT(g_serials[0] > 0);
    CU_ASSERT_EQUAL(brood__node_count(), before);
}

static void *see_with_marks(void *unused)
{
    (void)unused;
    (void)brood__self_ready();
    brood__self.library = 1; /* so that on_exit_1() knows us */
    g_hooks[0].fn = end_a;
    g_hooks[1].fn = end_b;
    brood__at_end_add(&g_hooks[0]);
    brood__at_end_add(&g_hooks[1]);
    return NULL;
}

static void floors_are_told_in_reverse_order_after_the_threads_hooks(void)
{
    g_order[0] = '\0';
    brood__self_at_exit(on_exit_1);
    brood__self_at_exit(on_exit_2);
    brood__self_at_exit(on_exit_1); /* once is enough */
    on_foreign_thread(see_with_marks, NULL);
    CU_ASSERT_STRING_EQUAL(g_order, "ba21");
}

static void note_nodes(void *unused)
{
    (void)unused;
    g_serials[0] = brood__self_node(0)->serial;
    g_serials[1] = brood__self_node(1)->serial;
    g_serials[2] = brood__self_node(1)->serial;
    g_serials[3] = brood__self_node(0)->serial;
}

static void a_task_gets_a_node_only_when_it_needs_one(void)
{
    size_t before;
    brood__scope_t *scope;

    fresh_root();
    ASSERT_STATUS(APR_SUCCESS, brood__self_ready());
    scope = brood__self.now.scope;
    before = brood__node_count();
    in_task(note_nodes, NULL);
    CU_ASSERT_EQUAL(g_serials[0], scope->node->serial);
    CU_ASSERT(g_serials[1] > g_serials[0]);
    CU_ASSERT_EQUAL(g_serials[1], g_serials[2]);
    CU_ASSERT_EQUAL(g_serials[1], g_serials[3]);
    CU_ASSERT_PTR_EQUAL(brood__self.now.scope, scope);
    CU_ASSERT_EQUAL(brood__node_count(), before);
    note_nodes(NULL); /* a thread has its own */
    CU_ASSERT_EQUAL(g_serials[0], g_serials[1]);
    leave_tree();
}

static void nested(void *depth)
{
    int *left = depth;
    const uint64_t mine = brood__self_node(1)->serial;

    if ((*left)--)
        in_task(nested, depth);
    CU_ASSERT_EQUAL(brood__self_node(1)->serial, mine);
}

static void tasks_run_in_place_have_nodes_of_their_own(void)
{
    int depth = 10;

    fresh_root();
    in_task(nested, &depth);
    CU_ASSERT_EQUAL(brood__node_count(), 1);
    leave_tree();
}

static void leave_open(void *unused)
{
    (void)unused;
    g_hooks[0].fn = end_a;
    g_hooks[1].fn = end_b;
    g_hooks[2].fn = end_c_adds_b;
    brood__at_end_add(&g_hooks[0]);
    brood__at_end_add(&g_hooks[1]);
    brood__at_end_add(&g_hooks[2]);
    brood__at_end_remove(&g_hooks[1]);
    brood__at_end_remove(&g_hooks[1]); /* harmless */
}

static void what_a_task_left_open_ends_newest_first(void)
{
    fresh_root();
    g_order[0] = '\0';
    in_task(leave_open, NULL);
    CU_ASSERT_STRING_EQUAL(g_order, "cba");
    CU_ASSERT_PTR_NULL(brood__self.now.at_end);
    leave_tree();
}

static void stay_attached(void *scope)
{
    int i;

    for (i = 0; i < 3; i++) {
        brood__scope_retain(scope);
        ASSERT_STATUS(APR_SUCCESS, brood__self_attach(scope));
    }
    CU_ASSERT_PTR_EQUAL(brood__self_node(1), ((brood__scope_t *)scope)->node);
}

static void a_task_that_ends_attached_is_detached(void)
{
    brood__scope_t *other;

    fresh_root();
    other = brood__scope_make(brood__node_make(NULL, BROOD__NODE_THREAD), NULL);
    in_task(stay_attached, other);
    CU_ASSERT_PTR_NULL(brood__self.now.attached);
    CU_ASSERT_EQUAL(brood__load(&other->refs, relaxed), 1);
    brood__scope_release(other, 1);
    leave_tree();
}

static void spend_and_move(void *unused)
{
    brood__scope_t *first;

    (void)unused;
    (void)brood__self_node(1);
    first = brood__self.now.scope;
    brood__purse_spend(&brood__self.purse, first);
    brood__purse_earn(&brood__self.purse, first);
    CU_ASSERT(brood__load(&first->refs, relaxed) > BROOD__CREDIT);
    brood__scope_retain(first);
    brood__node_live(first->node);
    brood__self_stand(brood__scope_make(first->node, NULL));
    CU_ASSERT_EQUAL(brood__load(&first->refs, relaxed), 1);
    brood__scope_release(first, 1);
}

static void the_purse_keeps_nothing_of_a_scope_that_was_left(void)
{
    fresh_root();
    in_task(spend_and_move, NULL);
    CU_ASSERT_EQUAL(brood__node_count(), 1);
    leave_tree();
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static apr_status_t need_a_node(void *unused)
{
    apr_status_t rv;

    (void)unused;
    brood__self_exit();
    rv = brood__self_see();
    if (rv == APR_SUCCESS)
        brood__self_exit();
    return rv;
}

static void try_own_node(void *failures)
{
    brood__scope_t *scope = brood__self.now.scope;
    int n;

    for (n = 1;; n++) {
        brood__fault_at(BROOD__FAULT_MEMORY, (unsigned)n);
        if (brood__self_node(1))
            break;
        CU_ASSERT_PTR_EQUAL(brood__self.now.scope, scope);
        CU_ASSERT_EQUAL(brood__self.now.flags, BROOD__FRAME_IN_TASK);
    }
    brood__fault_at(BROOD__FAULT_MEMORY, 0);
    *(int *)failures = n - 1;
}

static void without_memory_one_stands_where_one_stood(void)
{
    int failures = 0;

    fresh_root();
    CU_ASSERT_EQUAL(walk_failures(need_a_node, NULL), 2);
    in_task(try_own_node, &failures);
    CU_ASSERT_EQUAL(failures, 2);
    leave_tree();
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static void *use_again_at_the_end(void *key)
{
    (void)brood__self_ready();
    pthread_setspecific(*(pthread_key_t *)key, &g_serials);
    return NULL;
}

static void use_brood_in_exit_handler(void *serials)
{
    (void)brood__self_ready();
    ((uint64_t *)serials)[1] = brood__self.now.scope->node->serial;
}

/* Keys are served in the order they were made, as far as C libraries go: this
 * one comes after brood's. */
static void an_exit_handler_after_ours_gets_a_root_for_a_while(void)
{
    pthread_key_t key;

    fresh_root();
    g_serials[1] = 0;
    CU_ASSERT_EQUAL(pthread_key_create(&key, use_brood_in_exit_handler), 0);
    on_foreign_thread(use_again_at_the_end, &key);
    CU_ASSERT(g_serials[1] != 0);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
    pthread_key_delete(key);
}

static const test_t tests[] = {
    TEST(a_foreign_thread_is_a_root_until_it_ends),
    TEST(floors_are_told_in_reverse_order_after_the_threads_hooks),
    TEST(a_task_gets_a_node_only_when_it_needs_one),
    TEST(tasks_run_in_place_have_nodes_of_their_own),
    TEST(what_a_task_left_open_ends_newest_first),
    TEST(a_task_that_ends_attached_is_detached),
    TEST(the_purse_keeps_nothing_of_a_scope_that_was_left),
    TEST(without_memory_one_stands_where_one_stood),
    TEST(an_exit_handler_after_ours_gets_a_root_for_a_while),
};
HARNESS_MAIN("self", tests)

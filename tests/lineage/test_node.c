/* SPDX-License-Identifier: Apache-2.0 */

/* test_node.c: the family tree: what lives, what dies, what keeps memory. */

#include "lineage/node.h"

#include "lineage/fake.h"

static void serials_grow_and_are_never_reused(void)
{
    brood__node_t *node = brood__node_make(NULL, BROOD__NODE_THREAD);
    uint64_t last = node->serial;
    int i;

    CU_ASSERT(last > 0);
    brood__node_unlive(node);
    for (i = 0; i < 10; i++) {
        node = brood__node_make(NULL, BROOD__NODE_THREAD);
        CU_ASSERT(node->serial > last);
        last = node->serial;
        brood__node_unlive(node);
    }
}

static void a_child_keeps_its_parent_alive(void)
{
    const size_t before = brood__node_count();
    brood__node_t *parent = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__node_t *child = brood__node_make(parent, BROOD__NODE_TASK);

    brood__node_unlive(parent); /* its thread has gone */
    CU_ASSERT_EQUAL(brood__node_count(), before + 2);
    CU_ASSERT_PTR_EQUAL(child->parent, parent);
    CU_ASSERT(brood__node_try_live(parent));
    brood__node_unlive(parent);
    brood__node_unlive(child);
    CU_ASSERT_EQUAL(brood__node_count(), before);
}

static void a_dead_node_stays_dead_and_readable(void)
{
    brood__node_t *parent = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__node_t *child = brood__node_make(parent, BROOD__NODE_THREAD);

    brood__node_retain(child);
    brood__node_unlive(child);
    brood__node_unlive(parent);
    CU_ASSERT(!brood__node_try_live(child));
    CU_ASSERT(!brood__node_try_live(child->parent));
    CU_ASSERT_EQUAL(child->parent->serial, parent->serial);
    brood__node_release(child);
}

/* A recursion would need some 100 MB of stack. */
static void a_chain_of_a_million_dies_without_recursion(void)
{
    const size_t before = brood__node_count();
    brood__node_t *node = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__node_t *child;
    int i;

    for (i = 0; i < 1000000; i++) {
        child = brood__node_make(node, BROOD__NODE_THREAD);
        brood__node_unlive(node);
        node = child;
    }
    CU_ASSERT_EQUAL(brood__node_count(), before + 1000001);
    brood__node_unlive(node);
    CU_ASSERT_EQUAL(brood__node_count(), before);
}

static void a_service_node_shows_its_owner_and_does_not_keep_it(void)
{
    brood__node_t *owner = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__node_t *service = brood__node_make(owner, BROOD__NODE_SERVICE);
    brood__node_t *child = brood__node_make(service, BROOD__NODE_TASK);

    CU_ASSERT_EQUAL(service->serial, owner->serial);
    brood__node_unlive(owner);
    CU_ASSERT(!brood__node_try_live(owner));
    brood__node_unlive(service);
    CU_ASSERT(brood__node_try_live(service)); /* the child lives */
    brood__node_unlive(service);
    CU_ASSERT_EQUAL(child->parent->parent->serial, owner->serial);
    brood__node_unlive(child);
}

static void a_snapshot_has_parents_before_children(void)
{
    brood__node_t *root = brood__node_make(NULL, BROOD__NODE_THREAD);
    brood__node_t *child = brood__node_make(root, BROOD__NODE_THREAD);
    brood__node_t *service = brood__node_make(child, BROOD__NODE_SERVICE);
    brood__node_t *task = brood__node_make(child, BROOD__NODE_TASK);
    brood__node_view_t *views = NULL;
    size_t n = 0;

    brood__store(&child->ended, 1, relaxed);
    ASSERT_STATUS_FATAL(APR_SUCCESS, brood__node_snapshot(&views, &n));
    CU_ASSERT_FATAL(n >= 3); /* the service node is not shown */
    CU_ASSERT_EQUAL(views[n - 3].serial, root->serial);
    CU_ASSERT_EQUAL(views[n - 3].parent_serial, 0);
    CU_ASSERT_EQUAL(views[n - 2].parent_serial, root->serial);
    CU_ASSERT(views[n - 2].ended);
    CU_ASSERT_EQUAL(views[n - 1].serial, task->serial);
    CU_ASSERT_EQUAL(views[n - 1].parent_serial, child->serial);
    CU_ASSERT_EQUAL(views[n - 1].type, BROOD__NODE_TASK);
    brood__free(views);
    brood__node_unlive(task);
    brood__node_unlive(service);
    brood__node_unlive(child);
    brood__node_unlive(root);
}

static apr_status_t make_child(void *parent)
{
    brood__node_t *node = brood__node_make(parent, BROOD__NODE_THREAD);

    if (!node)
        return APR_ENOMEM;
    brood__node_unlive(node);
    return APR_SUCCESS;
}

static void without_memory_nothing_is_made(void)
{
    brood__node_t *parent = brood__node_make(NULL, BROOD__NODE_THREAD);

    CU_ASSERT_EQUAL(walk_failures(make_child, parent), 1);
    brood__node_unlive(parent);
    CU_ASSERT_EQUAL(brood__node_count(), 0);
}

static const test_t tests[] = {
    TEST(serials_grow_and_are_never_reused),
    TEST(a_child_keeps_its_parent_alive),
    TEST(a_dead_node_stays_dead_and_readable),
    TEST(a_chain_of_a_million_dies_without_recursion),
    TEST(a_service_node_shows_its_owner_and_does_not_keep_it),
    TEST(a_snapshot_has_parents_before_children),
    TEST(without_memory_nothing_is_made),
};
HARNESS_MAIN("node", tests)

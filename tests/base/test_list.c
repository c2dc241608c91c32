/* SPDX-License-Identifier: Apache-2.0 */

/* test_list.c: a list keeps its order, and lets go of what is removed. */

#include "base/list.h"

#include <stdio.h>
#include <string.h>

#include "support/support.h"

typedef struct item_t {
    char letter;
    brood__link_t link;
} item_t;

static item_t items[] = { { 'a', { 0 } },
                          { 'b', { 0 } },
                          { 'c', { 0 } },
                          { 'd', { 0 } } };

/* The letters of a list, forwards, or "?" when backwards they differ. */
static const char *letters(const brood__link_t *list)
{
    static char text[20];
    const brood__link_t *link;
    size_t n = 0;

    BROOD__LIST_EACH (list, link)
        text[n++] = BROOD__CONTAINER(link, item_t, link)->letter;
    text[n] = '\0';
    for (link = list->prev; link != list; link = link->prev)
        if (!n || text[--n] != BROOD__CONTAINER(link, item_t, link)->letter)
            return "?";
    return n ? "?" : text;
}

static void fill(brood__link_t *list, int from, int to)
{
    int i;

    brood__list_init(list);
    for (i = from; i < to; i++)
        brood__list_append(list, &items[i].link);
}

static void a_new_list_is_empty(void)
{
    brood__link_t list;

    brood__list_init(&list);
    CU_ASSERT(brood__list_empty(&list));
    CU_ASSERT_PTR_NULL(brood__list_pop(&list));
    CU_ASSERT_STRING_EQUAL(letters(&list), "");
}

static void items_stay_in_order(void)
{
    brood__link_t list;

    fill(&list, 0, 3);
    CU_ASSERT_STRING_EQUAL(letters(&list), "abc");
    brood__list_prepend(&list, &items[3].link);
    CU_ASSERT_STRING_EQUAL(letters(&list), "dabc");
}

static void any_item_can_be_removed(void)
{
    static const char *const left[] = { "bcd", "acd", "abd", "abc" };
    brood__link_t list;
    int i;

    for (i = 0; i < 4; i++) {
        fill(&list, 0, 4);
        brood__list_remove(&items[i].link);
        CU_ASSERT_STRING_EQUAL(letters(&list), left[i]);
    }
}

static void removing_twice_is_harmless(void)
{
    brood__link_t list;

    fill(&list, 0, 3);
    brood__list_remove(&items[1].link);
    brood__list_remove(&items[1].link);
    CU_ASSERT_STRING_EQUAL(letters(&list), "ac");
}

static void pop_takes_the_first(void)
{
    brood__link_t list;

    fill(&list, 0, 2);
    CU_ASSERT_PTR_EQUAL(brood__list_pop(&list), &items[0].link);
    CU_ASSERT_PTR_EQUAL(brood__list_pop(&list), &items[1].link);
    CU_ASSERT_PTR_NULL(brood__list_pop(&list));
    CU_ASSERT(brood__list_empty(&list));
}

static void splicing_moves_all(void)
{
    static const struct {
        int to, from_end;
        const char *result;
    } rows[] = {
        { 0, 0, "" },
        { 0, 2, "ab" },
        { 2, 2, "ab" },
        { 2, 4, "abcd" },
    };
    brood__link_t to;
    brood__link_t from;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fill(&to, 0, rows[i].to);
        fill(&from, rows[i].to, rows[i].from_end);
        brood__list_splice(&to, &from);
        CU_ASSERT_STRING_EQUAL(letters(&to), rows[i].result);
        CU_ASSERT(brood__list_empty(&from));
    }
}

static const test_t tests[] = {
    TEST(a_new_list_is_empty),     TEST(items_stay_in_order),
    TEST(any_item_can_be_removed), TEST(removing_twice_is_harmless),
    TEST(pop_takes_the_first),     TEST(splicing_moves_all),
};
HARNESS_MAIN_BARE("list", tests)

/* SPDX-License-Identifier: Apache-2.0 */

/* list.h: a doubly linked list with a head node; links live in the objects. */

#ifndef BROOD_BASE_LIST_H
#define BROOD_BASE_LIST_H

#include "base/compiler.h"

typedef struct brood__link_t {
    struct brood__link_t *next;
    struct brood__link_t *prev;
} brood__link_t;

BROOD__INLINE void brood__list_init(brood__link_t *list)
{
    list->next = list->prev = list;
}

BROOD__INLINE int brood__list_empty(const brood__link_t *list)
{
    return list->next == list;
}

BROOD__INLINE void brood__list_append(brood__link_t *list, brood__link_t *link)
{
    link->next = list;
    link->prev = list->prev;
    list->prev->next = link;
    list->prev = link;
}

BROOD__INLINE void brood__list_prepend(brood__link_t *list, brood__link_t *link)
{
    brood__list_append(list->next, link);
}

/* Removing leaves the link empty, so a second removal is harmless. */
BROOD__INLINE void brood__list_remove(brood__link_t *link)
{
    link->next->prev = link->prev;
    link->prev->next = link->next;
    link->next = link->prev = link;
}

/* The first object of a list, taken off it; NULL when it is empty. */
BROOD__INLINE brood__link_t *brood__list_pop(brood__link_t *list)
{
    brood__link_t *link = list->next;

    if (link == list)
        return NULL;
    brood__list_remove(link);
    return link;
}

/* Move all of `from` to the end of `to`. */
BROOD__INLINE void brood__list_splice(brood__link_t *to, brood__link_t *from)
{
    if (brood__list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    brood__list_init(from);
}

#define BROOD__LIST_EACH(list, link)                                           \
    for ((link) = (list)->next; (link) != (list); (link) = (link)->next)

#endif /* BROOD_BASE_LIST_H */

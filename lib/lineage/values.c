/* SPDX-License-Identifier: Apache-2.0 */

/* values.c: context variables: an immutable, shared chain. */

#include "lineage/values.h"

#include "base/alloc.h"

/* What the user gave; shared by every chain that has it. */
typedef struct value_t {
    atomic_int refs;
    void *value;
    void (*release)(void *value);
} value_t;

struct brood__values_t {
    atomic_int refs;
    const void *key;
    value_t *value;               /* counted */
    struct brood__values_t *next; /* counted */
};

static brood__values_t *link_in(const void *key, value_t *value,
                                brood__values_t *next);
static brood__values_t *without(brood__values_t *values,
                                const brood__values_t *end, int *failed);
static void release_value(value_t *value);

brood__values_t *brood__values_with(brood__values_t *values, const void *key,
                                    void *value, void (*release)(void *),
                                    int *failed)
{
    brood__values_t *old = values;
    brood__values_t *rest;
    brood__values_t *chain;
    value_t *shared;

    while (old && old->key != key)
        old = old->next;
    *failed = 0;
    rest = old ? without(values, old, failed) : brood__values_retain(values);
    if (*failed || !value)
        return rest;

    shared = brood__alloc(sizeof(*shared));
    chain = shared ? link_in(key, shared, rest) : NULL;
    if (!chain) {
        *failed = 1;
        brood__free(shared);
        brood__values_release(rest);
        return NULL;
    }
    atomic_init(&shared->refs, 1);
    shared->value = value;
    shared->release = release;
    return chain;
}

void *brood__values_get(const brood__values_t *values, const void *key)
{
    for (; values; values = values->next)
        if (values->key == key)
            return values->value->value;
    return NULL;
}

brood__values_t *brood__values_retain(brood__values_t *values)
{
    if (values)
        brood__add(&values->refs, 1, relaxed);
    return values;
}

void brood__values_release(brood__values_t *values)
{
    brood__values_t *next;

    while (values && brood__sub(&values->refs, 1, acq_rel) == 1) {
        next = values->next;
        release_value(values->value);
        brood__free(values);
        values = next;
    }
}

/* Takes over both references, unless it fails. */
static brood__values_t *link_in(const void *key, value_t *value,
                                brood__values_t *next)
{
    brood__values_t *entry = brood__alloc(sizeof(*entry));

    if (!entry)
        return NULL;
    atomic_init(&entry->refs, 1);
    entry->key = key;
    entry->value = value;
    entry->next = next;
    return entry;
}

/* Copies of what is before `end`, in the same order, then what is behind it. */
static brood__values_t *without(brood__values_t *values,
                                const brood__values_t *end, int *failed)
{
    brood__values_t *first = NULL;
    brood__values_t **last = &first;

    for (; values != end; values = values->next) {
        *last = link_in(values->key, values->value, NULL);
        if (!*last) {
            *failed = 1;
            brood__values_release(first);
            return NULL;
        }
        brood__add(&values->value->refs, 1, relaxed);
        last = &(*last)->next;
    }
    *last = brood__values_retain(end->next);
    return first;
}

static void release_value(value_t *value)
{
    if (brood__sub(&value->refs, 1, acq_rel) != 1)
        return;
    if (value->release)
        value->release(value->value);
    brood__free(value);
}

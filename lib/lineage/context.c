/* SPDX-License-Identifier: Apache-2.0 */

/* context.c: the public face of context variables. */

#include <brood/context.h>

#include <string.h>

#include <brood/errors.h>

#include "base/alloc.h"
#include "base/list.h"
#include "lineage/context.h"
#include "lineage/life.h"
#include "lineage/self.h"
#include "lineage/values.h"
#include "os/lock.h"

/*
 * Values are kept under a number, not under the key's address: it is never
 * reused, so a key made after the library began anew finds no old values. The
 * number is odd and so is no address that lib/ uses as a key.
 */
struct brood_context_key_t {
    brood__link_t link; /* among all keys; under g_lock */
    uintptr_t number;   /* fixed */
    char *name;         /* fixed; for people, and for another process */
    int crosses;        /* 0 to 1, once, under g_lock; then the rest is fixed */
    brood_context_encode_fn *encode;
    brood_context_decode_fn *decode;
    void (*release)(void *value);
};

/* How many cross; most programs have none, and need no lock to know. */
static atomic_size_t g_crossing;

static brood__lock_t g_lock = BROOD__LOCK_INIT(BROOD__RANK_LEAF);
static brood__link_t g_keys = { &g_keys, &g_keys }; /* under g_lock */
static uintptr_t g_number = 1;                      /* under g_lock */

static void free_keys(void);
static const void *value_key(const brood_context_key_t *key);

static brood__part_t g_part = { .free = free_keys };

apr_status_t brood_context_key_make(brood_context_key_t **key, const char *name)
{
    brood_context_key_t *k;
    apr_status_t rv = brood__life_check();

    if (key)
        *key = NULL;
    if (rv == APR_SUCCESS && (!key || !name))
        rv = APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    k = brood__alloc(sizeof(*k));
    if (k)
        k->name = brood__strdup(name);
    if (!k || !k->name) {
        brood__free(k);
        return APR_ENOMEM;
    }
    brood__life_add(&g_part);
    brood__lock(&g_lock);
    k->number = g_number;
    g_number += 2;
    brood__list_append(&g_keys, &k->link);
    brood__unlock(&g_lock);
    *key = k;
    return APR_SUCCESS;
}

apr_status_t brood_context_key_cross(brood_context_key_t *key,
                                     brood_context_encode_fn *encode,
                                     brood_context_decode_fn *decode,
                                     void (*release)(void *value))
{
    apr_status_t rv = brood__life_check();
    brood__link_t *link;

    if (!key || !encode || !decode || strlen(key->name) > UINT8_MAX)
        return APR_EINVAL;
    if (rv != APR_SUCCESS)
        return rv;
    brood__lock(&g_lock);
    BROOD__LIST_EACH (&g_keys, link) {
        brood_context_key_t *other = BROOD__CONTAINER(link, brood_context_key_t,
                                                      link);

        if (other->crosses && strcmp(other->name, key->name) == 0)
            rv = BROOD_EALREADY;
    }
    if (rv == APR_SUCCESS) {
        key->encode = encode;
        key->decode = decode;
        key->release = release;
        key->crosses = 1;
        brood__add(&g_crossing, 1, release);
    }
    brood__unlock(&g_lock);
    return rv;
}

int brood__crossing(size_t n, brood__crossing_t *crossing)
{
    brood__link_t *link;
    int found = 0;

    if (brood__load(&g_crossing, acquire) <= n)
        return 0;
    brood__lock(&g_lock);
    BROOD__LIST_EACH (&g_keys, link) {
        const brood_context_key_t *key = BROOD__CONTAINER(
            link, brood_context_key_t, link);

        if (!key->crosses || n--)
            continue;
        crossing->name = key->name;
        crossing->key = value_key(key);
        crossing->encode = key->encode;
        crossing->decode = key->decode;
        crossing->release = key->release;
        found = 1;
        break;
    }
    brood__unlock(&g_lock);
    return found;
}

apr_status_t brood_context_set(brood_context_key_t *key, void *value,
                               void (*release)(void *value))
{
    apr_status_t rv = brood__life_check();

    if (rv == APR_SUCCESS && !key)
        rv = APR_EINVAL;
    if (rv == APR_SUCCESS)
        rv = brood__context_set(value_key(key), value, release);
    return rv;
}

void *brood_context_get(const brood_context_key_t *key)
{
    return key ? brood__context_get(value_key(key)) : NULL;
}

apr_status_t brood__context_set(const void *key, void *value,
                                void (*release)(void *value))
{
    apr_status_t rv = brood__self_ready();
    brood__scope_t *old;
    brood__scope_t *scope;
    int failed;

    if (rv != APR_SUCCESS)
        return rv;
    old = brood__self.now.scope;
    if (!value && !brood__values_get(old->values, key))
        return APR_SUCCESS;
    /* The value comes last: a failure must not release it. */
    brood__node_live(old->node);
    scope = brood__scope_make(old->node, NULL);
    if (!scope)
        return APR_ENOMEM;
    scope->values = brood__values_with(old->values, key, value, release,
                                       &failed);
    if (failed) {
        brood__scope_release(scope, 1);
        return APR_ENOMEM;
    }
    brood__self_stand(scope);
    return APR_SUCCESS;
}

void *brood__context_get(const void *key)
{
    const brood__scope_t *scope = brood__self.now.scope;

    if (!scope || !scope->values || brood__life_forked())
        return NULL;
    return brood__values_get(scope->values, key);
}

static const void *value_key(const brood_context_key_t *key)
{
    return (const void *)key->number;
}

static void free_keys(void)
{
    brood__link_t *link;
    brood_context_key_t *key;

    brood__store(&g_crossing, 0, relaxed);
    while ((link = brood__list_pop(&g_keys)) != NULL) {
        key = BROOD__CONTAINER(link, brood_context_key_t, link);
        brood__free(key->name);
        brood__free(key);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * test_fuzz_result.c: the decoder of what a worker wrote, with any bytes.
 *
 * As a test it takes the kept inputs and some thousand that are made from them.
 * With FUZZ defined it is a target for libFuzzer, which begins with what lies in
 * fuzz/ and whose new finds are kept there; tests/process/fuzz-it says how.
 */

#include <stdlib.h>
#include <string.h>

#include "process/result.h"
#include "process/wire.h"

#define LIMIT 100000u

/* What is called right (1) can be used without looking again. */
static int decode(const unsigned char *bytes, size_t size)
{
    brood__result_t result;

    memset(&result, 0, sizeof(result));
    memcpy(&result, bytes, size < sizeof(result) ? size : sizeof(result));
    if (!brood__result_check(&result, LIMIT, 1))
        return 0;
    if (result.size > LIMIT || (result.status && result.size)
        || (int64_t)result.run_time < 0)
        abort();
    if (result.place == BROOD__WIRE_HERE && result.size > BROOD__WIRE_INLINE)
        abort();
    if (result.place == BROOD__WIRE_IN_ARENA
        && (result.where > BROOD__WIRE_ARENA
            || result.where + result.size > BROOD__WIRE_ARENA))
        abort();
    if (result.place != BROOD__WIRE_HERE && result.place != BROOD__WIRE_IN_ARENA
        && result.place != BROOD__WIRE_IN_BLOCK)
        abort();
    return 1;
}

#ifdef FUZZ

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    (void)decode(bytes, size);
    return 0;
}

#else

#include <brood/init.h>

#include "support/support.h"

static const brood__result_t corpus[] = {
    { 0, 0, 100, 80, 0, BROOD__WIRE_HERE },
    { 0, 4096, 100, 5000, 0, BROOD__WIRE_IN_ARENA },
    { 0, BROOD__WIRE_ARENA - 1, 0, 1, 0, BROOD__WIRE_IN_ARENA },
    { 0, ~(uint64_t)0, ~(uint64_t)0, ~(uint32_t)0, 0, BROOD__WIRE_IN_ARENA },
    { 0, 0, 0, LIMIT, 0, BROOD__WIRE_IN_BLOCK },
    { 0, 0, 0, 77, 20014, BROOD__WIRE_HERE },
    { 0, 0, 0, 0, 0, BROOD__WIRE_NOTHING },
};

static void no_input_is_called_right_that_is_not(void)
{
    const unsigned rounds = test_rounds(20000);
    uint64_t x = 88172645463325252u;
    unsigned round, right = 0;

    for (round = 0; round < rounds; round++) {
        brood__result_t result = corpus[round % 7];
        unsigned char *bytes = (unsigned char *)&result;
        unsigned changes = round / 7 % 5;

        while (changes--) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[x % sizeof(result)] = (unsigned char)(x >> 32);
        }
        right += (unsigned)decode(bytes, sizeof(result));
    }
    CU_ASSERT(right > 0 && right < rounds);
}

static const test_t tests[] = {
    TEST(no_input_is_called_right_that_is_not),
};

HARNESS_MAIN("fuzz_result", tests)

#endif

# SPDX-License-Identifier: Apache-2.0
#
# What bench/plot and bench/table both know of the lines of
# `BENCH_FORMAT=tsv make -s bench`.

# What an implementation is, by its name: "brood", "floor", "go", "native"; or
# nothing, where it is shown for its own sake only.
function kind(who) {
    return who == "brood" ? "brood" : who ~ /^floor-/ ? "floor" : \
        who ~ /^go(-|$)/ ? "go" : who ~ /^inline-/ ? "" : "native"
}

function better(unit, a, b) {
    return unit ~ /^(%|GB\/s|coroutines)$/ ? a + 0 > b + 0 : a + 0 < b + 0
}

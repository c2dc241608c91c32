# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154
#
# Strangers who use a brood for Windows that lies in $root, and nothing of the
# folder it was built in. Read after tap.sh.

project=$source/tests/install
CC=${BROOD_CC:-x86_64-w64-mingw32-gcc-win32}

# This is no part of the make that runs it.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES DESTDIR

# made <variable of the Makefile>
made() {
    printf 'include Makefile\nbrood-print:\n\t@echo "$(%s)"\n' "$1" |
        make -s -C "$build" -f - brood-print
}

# Where configure found APR and libevent.
PKG_CONFIG_LIBDIR=$(made PKG_CONFIG_LIBDIR)
export PKG_CONFIG_LIBDIR
needs=$(pkg-config --variable=prefix apr-1)
version=$(made PACKAGE_VERSION)
dll=libbrood-$(made BROOD_SOVERSION).dll

# says <what> <program> [argument...]: it says that, and nothing else. Standard
# error is Wine's, too.
says() {
    wanted=$1
    shift
    run_program 90 "$@" || { cat "$tmp/out" "$tmp/err"; return 1; }
    same "$(cat "$tmp/out")" "$wanted"
}

exports() {
    BROOD_LIBRARY="$root/bin/$dll" "$source/tests/lint/exports" "$source"
}

# asks_for_brood <program>
asks_for_brood() {
    "${OBJDUMP:-objdump}" -p "$1.exe" | grep -q "DLL Name: $dll"
}

# By CMake alone: there is no pkg-config.
cmake_project() { # cmake_project <folder with APR and libevent, or nothing>
    rm -rf "$tmp/cmake"
    mkdir "$tmp/cmake"
    limit 300 cmake -S "$project/cmake" -B "$tmp/cmake" \
        -DCMAKE_TOOLCHAIN_FILE="$source/win32/mingw.cmake" \
        -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON \
        -DCMAKE_PREFIX_PATH="$root${1:+;$1}" -DWITH_STATIC=ON \
        -DWANTED="$version" &&
        limit 300 cmake --build "$tmp/cmake" || return 1
    for program in c cpp static; do
        says "$version" "$tmp/cmake/$program" || return 1
    done
    asks_for_brood "$tmp/cmake/c" && ! asks_for_brood "$tmp/cmake/static"
}

# module_by_name <flag>...: brood-worker.exe and a module are found though they
# are not where configure, or CMake, was told.
module_by_name() {
    mkdir -p "$root/lib/brood" &&
        $CC -shared -o "$root/lib/brood/shout.dll" "$project/shout.c" "$@" &&
        $CC -Wall -Wextra -Werror -o "$tmp/with_module" \
            "$project/with_module.c" "$@" || return 1
    says HELLO "$tmp/with_module" shout.dll || return 1
    rm "$root/lib/brood/shout.dll" && rmdir "$root/lib/brood"
}

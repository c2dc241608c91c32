# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
#
# What the scripts of this folder share: TAP, time limits, a temporary folder.
# They stop processes by the ids of those they started.

build=${BROOD_BUILDDIR:-.}
source=${BROOD_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
tests=0
failures=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/brood-XXXXXX") || exit 99
exec 3>&1 # TAP, also from within a test

# expect <what> <command>...: a test that passes if the command succeeds. It
# runs in this shell, so that it may wait for what it started. With 77 it cannot
# be run here; the last line of its output says why.
expect() {
    tests=$((tests + 1))
    expected=$1
    shift
    "$@" >"$tmp/output" 2>&1
    case $? in
    0) echo "ok $tests - $expected" ;;
    77) echo "ok $tests - $expected # SKIP $(tail -n 1 "$tmp/output")" ;;
    *)
        echo "not ok $tests - $expected"
        sed 's/^/# /' "$tmp/output"
        failures=$((failures + 1)) ;;
    esac
}

# same <got> <wanted>
same() {
    [ "$1" = "$2" ] || {
        echo "got    $1"
        echo "wanted $2"
        false
    }
}

# has <text> <part>
has() {
    case $1 in
    *"$2"*) ;;
    *) echo "no \"$2\" in: $1"; false ;;
    esac
}

# promised <source>: what the comment of an example says below "prints:".
promised() { sed -n '/^ \* prints:/,/^ \*\//s/^ \*   //p' "$1"; }

# no_complaints: nothing is in $tmp/err. That a loop was late, or a wait or a
# call long, says something of the machine's load, and nothing of the program.
no_complaints() {
    ! grep -v -e '^brood: warning: <loop manager .* has been blocked for ' \
        -e '^brood: warning: .* waits for longer than ' \
        -e '^brood: warning: task .* runs for longer than ' \
        -e '^brood: warning: call .* has run for more than ' "$tmp/err"
}

# keeps_promise <source> <program>: it prints that, and nothing else.
keeps_promise() {
    promised "$1" >"$tmp/promised"
    [ -s "$tmp/promised" ] || { echo "its comment promises nothing"; return 1; }
    seconds=60
    [ -z "${BROOD_RUNNER-}" ] || seconds=180
    run_program $seconds "$2"
    code=$?
    diff "$tmp/promised" "$tmp/out" || code=1
    no_complaints && [ $code -eq 0 ]
}

# skip <what> <why>: fails where nothing may be skipped, as in the CI.
skip() {
    tests=$((tests + 1))
    if [ -n "${BROOD_NO_SKIP-}" ]; then
        echo "not ok $tests - $1"
        echo "# must not be skipped here: $2"
        failures=$((failures + 1))
    else
        echo "ok $tests - $1 # SKIP $2"
    fi
}

# bail_out <why>: nothing more can be tested.
bail_out() {
    echo "Bail out! $*" >&3
    exit 99
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

# limit <seconds> <command>...
if command -v timeout >/dev/null 2>&1; then
    limit() { timeout "$@"; }
else
    limit() { shift; "$@"; }
fi

# run_program <seconds> <path> [argument...]: one of ours, wherever it was built
# for, with its output in $tmp/out and $tmp/err.
run_program() {
    if [ -z "${BROOD_RUNNER-}" ]; then
        limit "$@" >"$tmp/out" 2>"$tmp/err"
        return
    fi
    seconds=$1
    path=$2.exe
    shift 2
    limit "$seconds" "$source/tests/support/start" "$path" "$@" \
        >"$tmp/out.dos" 2>"$tmp/err.dos"
    set -- $?
    tr -d '\r' <"$tmp/out.dos" >"$tmp/out"
    tr -d '\r' <"$tmp/err.dos" >"$tmp/err"
    return "$1"
}

# until_true <tenths of a second> <command>...: for what another process does.
until_true() {
    left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

finish() {
    echo "1..$tests"
    [ "$failures" -eq 0 ]
    exit
}

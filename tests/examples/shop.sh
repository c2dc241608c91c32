# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2120,SC2119
#
# The shop, probed from outside. Sourced by shop_sqlite and shop_postgresql,
# which set `database` to a URL and may define more tests.

shop=$build/examples/shop/shop
client=$build/tests/examples/shop_client
shop_pid=
load_pid=

close_all() {
    for pid in $load_pid $shop_pid; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    load_pid=
    shop_pid=
}

command -v curl >/dev/null 2>&1 || skip_all "curl is not installed"
[ -x "$shop" ] || skip_all "the shop was not built (evhttp, jansson, SQLite)"

# --- Opening and closing -------------------------------------------------------

dead() { # dead <what the shop did>
    tail -n 100 "$tmp/log" | sed 's/^/# /' >&3
    bail_out "the shop $1"
}

find_url() {
    kill -0 "$shop_pid" || return 0 # the caller sees that it is gone
    url=$(sed -n 's/^shop: listening on //p' "$tmp/out")
    [ -n "$url" ]
}

open_shop() { # open_shop <option>...
    : >"$tmp/out"
    "$shop" -p 0 -s 60 -d "$database" "$@" >"$tmp/out" 2>>"$tmp/log" &
    shop_pid=$!
    url=
    until_true 300 find_url
    [ -n "$url" ] || dead "did not open"
    port=${url##*:}
}

# Ask it to stop; its exit code. It has as long as it gives itself.
close_shop() { # close_shop [signal]
    kill -"${1:-TERM}" "$shop_pid"
    wait "$shop_pid"
    code=$?
    shop_pid=
    return $code
}

balanced() {
    "$shop" -a -d "$database"
}

orders_in_database() {
    "$shop" -a -d "$database" | sed 's/.* in \([0-9]*\) orders.*/\1/'
}

# --- Asking ----------------------------------------------------------------------

# ask <path> <curl option>...: `code`, `body`, and the head in $tmp/head.
ask() {
    path=$1
    shift
    code=$(curl -s -m 20 -o "$tmp/body" -D "$tmp/head" -w '%{http_code}' \
        "$@" "$url$path")
    body=$(tr -d '\0' <"$tmp/body" 2>/dev/null)
    [ "$code" != 000 ] || kill -0 "$shop_pid" || dead "is gone"
}

answers() { # answers <code> <part of the body> <path> <curl option>...
    wanted=$1
    part=$2
    shift 2
    ask "$@"
    same "$code" "$wanted" && has "$body" "$part"
}

orders() { # orders <code> <part of the body> <JSON>
    printf '%s' "$3" >"$tmp/order"
    answers "$1" "$2" /orders --data-binary "@$tmp/order"
}

allows() { # allows <method> <curl option>...: 405 says what is allowed
    method=$1
    shift
    ask "$@"
    same "$code" 405 && has "$(cat "$tmp/head")" "Allow: $method"
}

raw() { # raw <code> <printf format>: bytes as they are, one answer
    # The format is the point.
    # shellcheck disable=SC2059
    printf "$2" | "$client" raw "$port" >"$tmp/raw"
    first=$(head -n 1 "$tmp/raw" | tr -d '\r' | cut -d ' ' -f 2)
    same "$first" "$1" && lives
}

lives() {
    answers 200 '"status":"ok"' /healthz
}

stock_of() {
    ask "/items/$1"
    printf '%s\n' "$body" | sed 's/.*"stock":\([0-9]*\).*/\1/'
}

metric() { # metric <name or its beginning>: the sum
    curl -s -m 20 "$url/metrics" | awk -v name="$1" \
        'index($1, name) == 1 { n += $2 } END { printf "%.0f\n", n }'
}

logged() { # logged <part of a line>
    grep -qF -- "$1" "$tmp/log" || {
        echo "no \"$1\" in the log:"
        tail -n 5 "$tmp/log"
        false
    }
}

# --- Routes ----------------------------------------------------------------------

a_hundred_items() {
    answers 200 '{"items":[' /items &&
        same "$(printf '%s' "$body" | grep -o '"id":' | wc -l | tr -d ' ')" 100
}

an_order() {
    before=$(stock_of 1)
    orders 201 '"order":' '{"item":1,"quantity":3}' &&
        has "$body" '"item":1' && has "$body" '"quantity":3' &&
        has "$body" '"transaction":"' &&
        same "$(stock_of 1)" $((before - 3))
}

a_declined_order() {
    before=$(stock_of 2)
    orders 402 declined '{"item":2,"quantity":3,"fail":true}' &&
        same "$(stock_of 2)" "$before"
}

a_sold_out_item() { # there are 50 of it
    orders 409 "only 50 left" '{"item":10,"quantity":51}' &&
        orders 201 '"quantity":50' '{"item":10,"quantity":50}' &&
        orders 409 "only 0 left" '{"item":10,"quantity":1}' &&
        same "$(stock_of 10)" 0
}

# The same head, but for the time; curl would wait for a body of that length, or
# take it for the next answer.
head_of() { # head_of <path>
    ask "$1"
    grep -vi '^date:' "$tmp/head" >"$tmp/get"
    len=$(wc -c <"$tmp/body" | tr -d ' ')
    answered=$code
    ask "$1" -I
    same "$code" "$answered" &&
        same "$(grep -vi '^date:' "$tmp/head")" "$(cat "$tmp/get")" &&
        has "$(tr -d '\r' <"$tmp/head")" "Content-Length: $len"
}

nothing_follows_a_head() {
    printf 'HEAD /items HTTP/1.1\r\n\r\nGET /items/5 HTTP/1.0\r\n\r\n' |
        "$client" raw "$port" | tr -d '\r' >"$tmp/raw"
    same "$(sed -n '/^$/{ n; p; q; }' "$tmp/raw")" "HTTP/1.0 200 OK" &&
        has "$(cat "$tmp/raw")" '"id":5'
}

good_metrics() {
    ask /metrics
    has "$(cat "$tmp/head")" "text/plain" || return
    has "$body" 'shop_transactions_total{outcome="committed"}' &&
        has "$body" 'shop_requests_total{route="item",code="200"}' &&
        has "$body" brood_ &&
        has "$body" 'shop_database_up 1' || return
    ! grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[^}]*\})? [-+0-9.eE]+|)$' \
        "$tmp/body"
}

routes() {
    expect "GET /healthz" lives
    expect "GET /items" a_hundred_items
    expect "GET /items/7" answers 200 '"id":7,' /items/7
    expect "GET /items?x=1 is GET /items" answers 200 '{"items":[' '/items?x=1'
    expect "POST /orders" an_order
    expect "an order whose payment is declined" a_declined_order
    expect "an item that is sold out" a_sold_out_item
    expect "GET /metrics" good_metrics
    for path in /items /items/7 /healthz /nothing /items/0; do
        expect "HEAD $path is GET without the body" head_of "$path"
    done
    expect "HEAD /metrics" answers 200 "Content-Type: text/plain" /metrics -I
    expect "what follows HEAD is the next answer" nothing_follows_a_head
    expect "HEAD is counted and logged" logged " HEAD /nothing: 404"
}

# --- Bad input -------------------------------------------------------------------

bad_paths() {
    for path in / /nothing /items/ /items/x /items/7/8 /items/-1 /items/1.5 \
        /items/99999999999999999999 '/items/1%20OR%201=1' '/items/1;DROP' \
        /../etc/passwd /orders/1 /ITEMS; do
        expect "GET $path is 404" \
            answers 404 "no such path" "$path" --path-as-is
    done
    for path in /items/0 /items/101 /items/999999999999999999; do
        expect "GET $path is 404" answers 404 "no such item" "$path"
    done
    expect "and logged" logged " GET /nothing: 404"
    expect "POST /items is 405" allows GET /items -d x
    expect "DELETE /items/1 is 405" allows GET /items/1 -X DELETE
    expect "PUT /healthz is 405" allows GET /healthz -X PUT -d x
    expect "GET /orders is 405" allows POST /orders
    expect "HEAD /orders is 405" allows POST /orders -I
    expect "without a body" same "$(cat "$tmp/body")" "$(cat "$tmp/head")"
    expect "and logged too" logged " GET /orders: 405"
}

bad_orders() {
    for json in '' ' ' '{' '{"item":1,"quantity":1' '{"item":1,}' nul null 7 \
        '"x"' "{'item':1}" '{"item":1,"item":1,"quantity":1}' \
        '{"item":1,"quantity":1}}' '{"item":01,"quantity":1}' \
        '{"item":1,"quantity":99999999999999999999}' \
        '{"item":1,"quantity":1e999}'; do
        expect "bad JSON is 400: $json" orders 400 error "$json"
    done
    for json in '[]' '{}' '[{"item":1,"quantity":1}]' '{"item":1}' \
        '{"quantity":1}' '{"item":"1","quantity":1}' \
        '{"item":"1; DROP TABLE orders","quantity":1}' \
        '{"item":1,"quantity":0}' '{"item":1,"quantity":-1}' \
        '{"item":1,"quantity":1001}' \
        '{"item":1,"quantity":9223372036854775807}' \
        '{"item":1,"quantity":1.5}' '{"item":1,"quantity":1e2}' \
        '{"item":1,"quantity":null}' '{"item":1,"quantity":"1"}' \
        '{"item":1,"quantity":true}' '{"item":1,"quantity":[1]}' \
        '{"item":1,"quantity":1,"fail":1}' \
        '{"item":1,"quantity":1,"fail":"true"}'; do
        expect "a wrong order is 422: $json" orders 422 error "$json"
    done
    for json in '{"item":0,"quantity":1}' '{"item":-1,"quantity":1}' \
        '{"item":101,"quantity":1}' \
        '{"item":9223372036854775807,"quantity":1}'; do
        expect "an unknown item is 404: $json" orders 404 "no such item" "$json"
    done
    expect "and logged" logged " POST /orders: 422"

    printf '{"item":1,"quantity":1,"x":"\377\376"}' >"$tmp/order"
    expect "no UTF-8 is 400" answers 400 error /orders \
        --data-binary "@$tmp/order"
    printf '{"item":1,\000"quantity":1}' >"$tmp/order"
    expect "a zero byte is 400" answers 400 error /orders \
        --data-binary "@$tmp/order"
    awk 'BEGIN { for (i = 0; i < 60000; i++) printf "[" }' >"$tmp/order"
    expect "60,000 brackets are 400" answers 400 error /orders \
        --data-binary "@$tmp/order"
    awk 'BEGIN { for (i = 0; i < 10000; i++) printf "{\"a\":" }' >"$tmp/order"
    expect "10,000 objects in one another are 400" answers 400 error /orders \
        --data-binary "@$tmp/order"
}

# body_of <bytes>: an order that is as long as that.
body_of() {
    awk -v n="$1" 'BEGIN { text = "{\"item\":1,\"quantity\":1"
        printf "%s%*s}", text, n - length(text) - 1, "" }' >"$tmp/order"
}

big_bodies() {
    body_of 65536
    expect "a body of 64 KiB" answers 201 '"order":' /orders \
        --data-binary "@$tmp/order"
    body_of 65537
    expect "one byte more is 413" answers 413 "65536 bytes" /orders \
        --data-binary "@$tmp/order"
    expect "and logged" logged " POST /orders: 413"
    expect "also in chunks" answers 413 "65536 bytes" /orders \
        --data-binary "@$tmp/order" -H 'Transfer-Encoding: chunked'
    body_of 9000000
    expect "9 MB are 413" answers 413 '' /orders --data-binary "@$tmp/order" \
        -H 'Expect:'
    expect "also when asked before" answers 413 '' /orders \
        --data-binary "@$tmp/order" -H 'Expect: 100-continue' \
        --expect100-timeout 0.1
    expect "and logged too" logged "evhttp refuses: 413"
    expect "a long body to GET is 413" answers 413 "65536 bytes" /items \
        -X GET --data-binary "@$tmp/seventy"
}

bad_http() {
    expect "no HTTP" raw 400 'hello\r\n\r\n'
    expect "and logged" logged "evhttp refuses: 400"
    expect "zero bytes" raw 400 '\000\000\000\r\n\r\n'
    expect "a path that is none" raw 404 'GET \001\002 HTTP/1.0\r\n\r\n'
    expect "an unknown method" raw 501 'BREW /pot HTTP/1.1\r\n\r\n'
    expect "an unknown version" raw 400 'GET / HTTP/9.9.9\r\n\r\n'
    expect "a negative length" raw 400 \
        'POST /orders HTTP/1.1\r\nContent-Length: -5\r\n\r\n'
    expect "a length that is no number" raw 400 \
        'POST /orders HTTP/1.1\r\nContent-Length: x\r\n\r\n'
    expect "an unknown expectation" raw 417 \
        'POST /orders HTTP/1.1\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello'
    long=$(awk 'BEGIN { for (i = 0; i < 20000; i++) printf "x" }')
    expect "a header of 20 KB" raw 400 "GET / HTTP/1.1\r\nX: $long\r\n\r\n"
    expect "a path of 20 KB" raw 400 "GET /$long HTTP/1.1\r\n\r\n"
    expect "no body where one is due" raw 400 \
        'POST /orders HTTP/1.1\r\nConnection: close\r\n\r\n'
    expect "HTTP/1.0" raw 200 'GET /healthz HTTP/1.0\r\n\r\n'
    expect "terminal codes in a path are not logged as such" clean_log
}

clean_log() {
    printf 'GET /\033[2J HTTP/1.0\r\n\r\n' | "$client" raw "$port" >/dev/null
    ! LC_ALL=C grep -q '[^ -~]' "$tmp/log"
}

# Too slow after a second, with -s 1. What was sent, the answer, and that it is
# closed.
slow() { # slow <raw|drip> <printf format>
    # shellcheck disable=SC2059
    printf "$2" | "$client" "$1" "$port" >"$tmp/raw"
    has "$(head -n 1 "$tmp/raw")" "408 Request Timeout" &&
        has "$(cat "$tmp/raw")" "took too long" && lives
}

slow_clients() {
    expect "half a line is 408" slow raw 'GET /hea'
    expect "and logged" logged "is too slow: 408"
    expect "half a head is 408" slow raw 'GET /healthz HTTP/1.1\r\nHost: x\r\n'
    expect "half a body is 408" slow raw \
        'POST /orders HTTP/1.1\r\nContent-Length: 23\r\n\r\n{"item":1,'
    expect "a byte now and then is 408" slow drip \
        'GET /healthz HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
    expect "the second request of a connection too" second_is_slow
    expect "also if it begins before the first answer" second_overlaps
    printf 'POST /orders HTTP/1.1\r\nContent-Length: 9\r\n\r\n{' |
        "$client" leave "$port"
    expect "leaving within a request" lives
    printf 'POST /orders HTTP/1.1\r\nContent-Length: 23\r\n\r\n%s' \
        '{"item":3,"quantity":1}' | "$client" leave "$port"
    expect "leaving before the answer" lives
}

second_is_slow() {
    asked=$(asked_for_health)
    { printf 'GET /healthz HTTP/1.1\r\n\r\n'
        until_true 300 answered_since "$asked"
        printf 'GET /hea'; } | only_first_is_good
}

second_overlaps() {
    printf 'GET /healthz HTTP/1.1\r\n\r\nGET /hea' | only_first_is_good
}

only_first_is_good() { # of what comes from standard input
    "$client" raw "$port" >"$tmp/raw"
    has "$(cat "$tmp/raw")" '"status":"ok"' &&
        has "$(cat "$tmp/raw")" "408 Request Timeout"
}

asked_for_health() { metric 'shop_requests_total{route="healthz"'; }
answered_since() { [ "$(asked_for_health)" -gt "$1" ]; }

two_at_once() {
    printf 'GET /healthz HTTP/1.1\r\n\r\nGET /items/5 HTTP/1.0\r\n\r\n' |
        "$client" raw "$port" >"$tmp/raw"
    has "$(cat "$tmp/raw")" '"status":"ok"' &&
        has "$(cat "$tmp/raw")" '"id":5'
}

# --- Many at once ----------------------------------------------------------------

# read_counts: `created` and so on, as the client counted them.
read_counts() {
    has "$(cat "$tmp/load")" "created=" || return
    # It prints assignments of numbers, nothing else.
    eval "$(tr ' ' '\n' <"$tmp/load" | grep -E '^[a-z_]+=[0-9]+$')"
}

many_orders() {
    before=$(orders_in_database)
    limit 100 "$client" load "$port" 16 25 >"$tmp/load"
    read_counts || return
    cat "$tmp/load"
    same "$((other + unanswered + broken))" 0 &&
        same "$((created + declined + sold_out + busy))" 400 &&
        [ "$created" -gt 0 ] && [ "$declined" -gt 0 ] &&
        same "$(orders_in_database)" $((before + created)) && balanced
}

# Every order that the clients were told of is in the database, and no other.
stop_under_load() {
    before=$(orders_in_database)
    "$client" load "$port" 16 0 >"$tmp/load" &
    load_pid=$!
    floor=$(($(metric shop_orders) + 50))
    until_true 600 at_least "$floor" || { echo "no orders came"; return 1; }
    close_shop || { echo "it ended with $code"; return 1; }
    wait $load_pid
    load_pid=
    read_counts || return
    cat "$tmp/load"
    same "$((other + broken))" 0 &&
        same "$(orders_in_database)" $((before + created)) && balanced
}

# Killed, an order may be in the database whose answer was lost.
kill_under_load() {
    before=$(orders_in_database)
    "$client" load "$port" 16 0 >"$tmp/load" &
    load_pid=$!
    floor=$(($(metric shop_orders) + 50))
    until_true 600 at_least "$floor" || { echo "no orders came"; return 1; }
    kill -KILL "$shop_pid"
    wait "$shop_pid"
    shop_pid=
    wait $load_pid
    load_pid=
    read_counts || return
    cat "$tmp/load"
    now=$(orders_in_database)
    [ "$now" -ge $((before + created)) ] &&
        [ "$now" -le $((before + created + 16)) ] && balanced
}

at_least() {
    [ "$(metric shop_orders)" -ge "$1" ]
}

no_thread_was_left() {
    same "$(metric shop_transactions_split_total)" 0 &&
        same "$(metric shop_transactions_left_open_total)" 0 &&
        [ "$(metric shop_transaction_statements_total)" -gt 100 ] &&
        [ "$(metric shop_connections_opened_total)" -ge 2 ]
}

no_5xx() {
    curl -s -m 20 "$url/metrics" >"$tmp/metrics"
    # Waiting too long for other orders is the one thing that may happen.
    ! grep '^shop_requests_total.*code="5' "$tmp/metrics" |
        grep -v -e 'code="503"' -e 'code="501"'
}

# --- Arguments -------------------------------------------------------------------

exits() { # exits <code> <part of the output> <argument>...
    wanted=$1
    part=$2
    shift 2
    output=$(limit 20 "$shop" "$@" 2>&1)
    same $? "$wanted" && has "$output" "$part"
}

arguments() {
    expect "-h" exits 0 usage: -h
    for wrong in -q "-p x" "-p -1" "-p 65536" -p "-t 1" "-s 0" extra \
        "-d nothing" "-d sqlite:" "-d sqlite::memory:" "-d mysql://x" -a; do
        # An option and its value are two words.
        # shellcheck disable=SC2086
        expect "\"$wrong\" is refused" exits 2 usage: $wrong
    done
    expect "a bad option is named" exits 2 "bad option: -q" -vq
    expect "a database that is not to be had" exits 1 "cannot open" \
        -p 0 -d "sqlite:$tmp/no/such/folder/shop.db"
    expect "a file that is no database" exits 1 "not a database" \
        -p 0 -d "sqlite:$tmp/seventy"
    expect "an address that is none" exits 1 "no address" -b nowhere -p 0 \
        -d "$database"
}

a_port_in_use() {
    exits 1 "cannot listen" -p "$port" -d "$database"
}

# --- All of it -------------------------------------------------------------------

probe_shop() {
    awk 'BEGIN { for (i = 0; i < 70000; i++) printf " " }' >"$tmp/seventy"
    arguments
    open_shop -s 1
    slow_clients
    expect "it closes after slow clients" close_shop
    open_shop
    expect "a port in use" a_port_in_use
    routes
    bad_paths
    bad_orders
    big_bodies
    bad_http
    expect "two requests at once" two_at_once
    expect "16 customers place 25 orders each" many_orders
    expect "no transaction left its thread" no_thread_was_left
    expect "nothing was answered with an error of ours" no_5xx
    expect "the books balance" balanced
    expect "SIGTERM under load: every order was answered" stop_under_load
    expect "the last line of the log" grep \
        'shop: closed: [0-9]* transactions committed, [0-9]* rolled back$' \
        "$tmp/log"
    open_shop
    expect "SIGKILL under load: nothing is half done" kill_under_load
    open_shop
    expect "it opens again" a_hundred_items
    expect "and closes with nothing to do" close_shop
    open_shop
    expect "Ctrl-C closes it as well" close_shop INT
}

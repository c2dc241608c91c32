# SPDX-License-Identifier: Apache-2.0
#
# Draws a figure: words in, SVG out. A line of a .fig file is one of
#
#   size W H                       first
#   title TEXT                     for those who cannot see it
#   box X Y W H TEXT               a thing; "|" begins a new line
#   strong X Y W H TEXT            a thing to look at
#   group X Y W H TEXT             a frame around things, with its name on top
#   arrow X,Y X,Y [X,Y]... [TEXT]  text stands at the middle of the longest part
#   dashed X,Y X,Y ... [TEXT]      the same for what is no call
#   text X Y TEXT                  centred at X
#   note X Y TEXT                  small, beginning at X

function escape(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    return text
}

function rest(n,   i, text) {
    for (i = n; i <= NF; i++)
        text = text (i > n ? " " : "") $i
    return text
}

function words(class, x, y, text) {
    if (text != "")
        printf "<text class=\"%s\" x=\"%g\" y=\"%g\">%s</text>\n", class, x, y,
            escape(text)
}

# Lines around the middle of a box.
function centred(x, y, text,   n, i, lines) {
    n = split(text, lines, "|")
    for (i = 1; i <= n; i++)
        words("t", x, y + 4.5 + (i - (n + 1) / 2) * 17, lines[i])
}

function rectangle(class) {
    printf "<rect class=\"%s\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" " \
        "rx=\"5\"/>\n", class, $2, $3, $4, $5
}

function path(class,   i, n, p, x, y, points, longest, length2, dx, dy,
    at_x, at_y, upright) {
    for (i = 2; i <= NF && $i ~ /^-?[0-9.]+,-?[0-9.]+$/; i++) {
        split($i, p, ",")
        x[++n] = p[1]
        y[n] = p[2]
        points = points (n > 1 ? " " : "") p[1] "," p[2]
        if (n == 1)
            continue
        dx = x[n] - x[n - 1]
        dy = y[n] - y[n - 1]
        length2 = dx * dx + dy * dy
        if (length2 > longest) {
            longest = length2
            at_x = (x[n] + x[n - 1]) / 2
            at_y = (y[n] + y[n - 1]) / 2
            upright = x[n] == x[n - 1]
        }
    }
    printf "<polyline class=\"%s\" points=\"%s\" marker-end=\"url(#head)\"/>\n",
        class, points
    if (upright)
        words("n", at_x + 6, at_y + 4, rest(i))
    else
        words("m", at_x, at_y - 6, rest(i))
}

/^#/ || NF == 0 { next }

$1 == "size" {
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" " \
        "width=\"%g\" height=\"%g\" role=\"img\">\n", $2, $3, $2, $3
    width = $2
    height = $3
    next
}

$1 == "title" {
    print "<title>" escape(rest(2)) "</title>"
    print "<style>"
    print "text { font-family: system-ui, sans-serif; fill: #1c2733; }"
    print ".t { font-size: 14px; text-anchor: middle; }"
    print ".n { font-size: 12px; fill: #5a6875; }"
    print ".m { font-size: 12px; fill: #5a6875; text-anchor: middle; }"
    print ".box { fill: #eef3f8; stroke: #7a93ab; }"
    print ".strong { fill: #d6e8f7; stroke: #2d6a9f; stroke-width: 2; }"
    print ".group { fill: #fafbfc; stroke: #a9b6c2; stroke-dasharray: 5 4; }"
    print ".arrow { fill: none; stroke: #2d6a9f; stroke-width: 1.6; }"
    print ".dashed { fill: none; stroke: #7a8894; stroke-dasharray: 4 4; }"
    print "</style>"
    print "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" " \
        "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\">" \
        "<path d=\"M0 0 L8 4 L0 8 z\" fill=\"#2d6a9f\"/></marker></defs>"
    printf "<rect width=\"%g\" height=\"%g\" rx=\"8\" fill=\"#ffffff\"/>\n",
        width, height
    next
}

$1 == "box" || $1 == "strong" {
    rectangle($1)
    centred($2 + $4 / 2, $3 + $5 / 2, rest(6))
    next
}

$1 == "group" {
    rectangle("group")
    words("n", $2 + 9, $3 + 17, rest(6))
    next
}

$1 == "arrow" || $1 == "dashed" { path($1); next }
$1 == "text" { centred($2, $3, rest(4)); next }
$1 == "note" { words("n", $2, $3, rest(4)); next }

{
    printf "%s:%d: no such thing to draw: %s\n", FILENAME, FNR, $1 \
        >"/dev/stderr"
    failed = 1
    exit 1
}

END {
    if (failed)
        exit 1
    print "</svg>"
}

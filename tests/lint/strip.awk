# SPDX-License-Identifier: Apache-2.0
#
# Used with -f before a lint's own rules: `code` becomes the line without its
# comments and with empty strings, so that a lint sees only what is compiled.
# `slashes` is true if a // comment stood on the line.

FNR == 1 { in_comment = 0 }
{
    code = ""
    slashes = 0
    rest = $0
    while (rest != "") {
        if (in_comment) {
            at = index(rest, "*/")
            if (!at) break
            rest = substr(rest, at + 2)
            in_comment = 0
            continue
        }
        if (!match(rest, /\/\*|\/\/|"|'/)) { code = code rest; break }
        code = code substr(rest, 1, RSTART - 1)
        token = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        if (token == "/*") { in_comment = 1; code = code " " }
        else if (token == "//") { slashes = 1; break }
        else {
            # To the closing quote; a backslash hides the next character.
            code = code token token
            while (rest != "") {
                c = substr(rest, 1, 1)
                rest = substr(rest, c == "\\" ? 3 : 2)
                if (c == token) break
            }
        }
    }
}

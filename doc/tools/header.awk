# SPDX-License-Identifier: Apache-2.0
#
# A public header as mdoc, for the pages in doc/man.
#
#   mode=synopsis    the prototypes
#   mode=types       structs with their fields, callbacks and constants
#   mode=reference   what is said of each function

# --- Text ---------------------------------------------------------------------

# Words are gathered into lines; a macro, and what follows a sentence, begins a
# new one.
function flush_line() {
    if (out != "")
        print out
    out = ""
}

function macro(line) {
    flush_line()
    print line
}

function put_word(word, last) {
    if (out == "" && word ~ /^[.']/)
        word = "\\&" word
    if (out != "" && length(out) + length(word) > 76)
        flush_line()
    out = out (out == "" ? "" : " ") word
    if (last ~ /[.!?]$/ && word !~ /\.\.\.$/)
        flush_line()
}

# Punctuation stands beside a macro's argument as words of its own.
function put_macro(name, before, core, after,   line, i) {
    line = "." name
    if (before != "")
        line = line " " before
    line = line " " core
    for (i = 1; i <= length(after); i++)
        line = line " " substr(after, i, 1)
    macro(line)
}

function macro_of(core) {
    if (core ~ /^[a-z_0-9]+\(\)$/)
        return "Fn"
    if (core ~ /^(BROOD_E[A-Z]+|APR_[A-Z]+)$/ && core !~ /_END_|_INIT/)
        return "Er"
    if (core ~ /^(BROOD|EV)_[A-Z_0-9]+$/)
        return "Dv"
    if (core ~ /^(NULL)$/)
        return "Dv"
    if (core ~ /^brood\/[a-z_]+\.h$/)
        return "Pa"
    return ""
}

function put(token,   before, after, core, name) {
    before = after = ""
    core = token
    if (match(core, /^[("[]/)) {
        before = substr(core, 1, 1)
        core = substr(core, 2)
    }
    if (match(core, /[]).,;:!?"]+$/) && core !~ /\(\)$/) {
        after = substr(core, RSTART)
        core = substr(core, 1, RSTART - 1)
        if (core ~ /\($/ && after ~ /^\)/) { # f(),
            core = core ")"
            after = substr(after, 2)
        }
    }
    if (argument) {
        argument = 0
        put_macro("Fa", before, core, after)
    } else if (core ~ /^`[^`]*`$/) {
        gsub(/`/, "", core)
        put_macro("Va", before, core, after)
    } else if ((name = macro_of(core)) != "" && before != "\"" && after !~ /"/) {
        sub(/\(\)$/, "", core)
        put_macro(name, before, core, after)
    } else
        put_word(token, core after)
}

# Text, with empty lines between paragraphs; indented lines stay as they are.
function put_text(text,   n, i, lines, m, j, words, literal) {
    n = split(text, lines, "\n")
    literal = paragraph = 0
    for (i = 1; i <= n; i++) {
        if (lines[i] ~ /^     */ && lines[i] ~ /[^ ]/) {
            if (!literal)
                macro(".Bd -literal -offset indent")
            literal = 1
            sub(/^    /, "", lines[i])
            gsub(/\\/, "\\e", lines[i])
            print lines[i]
            paragraph = 0
            continue
        }
        if (literal && lines[i] ~ /[^ ]/) {
            macro(".Ed")
            literal = 0
        }
        if (lines[i] !~ /[^ ]/) {
            flush_line()
            paragraph = !literal && i > 1
            continue
        }
        if (paragraph)
            macro(".Pp")
        paragraph = 0
        gsub(/\\/, "\\e", lines[i])
        m = split(lines[i], words, /[ \t]+/)
        for (j = 1; j <= m; j++) {
            if (words[j] == "")
                continue
            if (words[j] ~ /^\(?@a$/) {
                if (words[j] ~ /^\(/)
                    words[j + 1] = "(" words[j + 1]
                argument = 1
            } else
                put(words[j])
        }
    }
    if (literal)
        macro(".Ed")
    flush_line()
}

function capital(text) {
    return toupper(substr(text, 1, 1)) substr(text, 2)
}

# --- Comments -----------------------------------------------------------------

# A comment without its frame.
function plain(comment,   n, i, lines, text) {
    sub(/^[ \t]*\/\*\*<?[ \t]*/, "", comment)
    sub(/[ \t]*\*\/[ \t]*$/, "", comment)
    n = split(comment, lines, "\n")
    for (i = 1; i <= n; i++) {
        sub(/^[ \t]*\*? ?/, "", lines[i])
        text = text (i > 1 ? "\n" : "") lines[i]
    }
    sub(/^\n+/, "", text)
    sub(/[ \n]+$/, "", text)
    return text
}

# Splits a function's comment into `said`, `tag[]` and `tagged[]`.
function take_apart(text,   n, i, lines) {
    said = ""
    tags = 0
    n = split(text, lines, "\n")
    for (i = 1; i <= n; i++) {
        if (lines[i] ~ /^@[a-z]+/ && lines[i] !~ /^@a /) {
            tags++
            match(lines[i], /^@[a-z]+/)
            tag[tags] = substr(lines[i], 2, RLENGTH - 1)
            tagged[tags] = substr(lines[i], RLENGTH + 1)
        } else if (tags && lines[i] ~ /^ +[^ ]/)
            tagged[tags] = tagged[tags] "\n" trim(lines[i])
        else if (tags && lines[i] ~ /[^ ]/) # a paragraph behind the tags
            said = said "\n" (after_blank ? "\n" : "") lines[i]
        else if (!tags)
            said = said (said == "" ? "" : "\n") lines[i]
        after_blank = lines[i] !~ /[^ ]/
    }
    for (i = 1; i <= tags; i++)
        tagged[i] = trim(tagged[i])
}

function trim(text) {
    sub(/^[ \t\n]+/, "", text)
    sub(/[ \t\n]+$/, "", text)
    return text
}

# The first word of a tag's text, which is cut off.
function first_word(i,   word) {
    match(tagged[i], /^[^ \t\n]+/)
    word = substr(tagged[i], 1, RLENGTH)
    tagged[i] = trim(substr(tagged[i], RLENGTH + 1))
    return word
}

# --- What is shown ------------------------------------------------------------

function prototype(text,   list, i, c, depth, word, type, name) {
    gsub(/[ \t\n]+/, " ", text)
    text = trim(text)
    match(text, /[a-z_0-9]+ ?\(/)
    name = substr(text, RSTART, RLENGTH - 1)
    type = trim(substr(text, 1, RSTART - 1))
    list = substr(text, RSTART + RLENGTH)
    sub(/\) ?;.*$/, "", list)
    print ".Ft " (type ~ / / ? "\"" type "\"" : type)
    if (list == "void") {
        print ".Fn " name " void"
        return
    }
    print ".Fo " name
    for (i = 1; i <= length(list); i++) {
        c = substr(list, i, 1)
        depth += (c == "(") - (c == ")")
        if (c == "," && !depth) {
            print ".Fa \"" trim(word) "\""
            word = ""
        } else
            word = word c
    }
    print ".Fa \"" trim(word) "\""
    print ".Fc"
}

function parameters(   i, n, word) {
    for (i = 1; i <= tags; i++)
        n += tag[i] == "param"
    if (!n)
        return
    macro(".Pp")
    print ".Bl -tag -width Ds -compact"
    for (i = 1; i <= tags; i++) {
        if (tag[i] != "param")
            continue
        if (tagged[i] ~ /^\[out\]/)
            tagged[i] = trim(substr(tagged[i], 6))
        print ".It Fa " first_word(i)
        put_text(capital(tagged[i]))
    }
    print ".El"
}

function returns(   i, n, text) {
    for (i = 1; i <= tags; i++)
        n += tag[i] == "retval"
    if (n) {
        print ".Pp"
        print ".Bl -tag -width Ds -compact"
        for (i = 1; i <= tags; i++)
            if (tag[i] == "retval") {
                print ".It Bq Er " first_word(i)
                put_text(capital(tagged[i]))
            }
        print ".El"
    }
    for (i = 1; i <= tags; i++)
        if (tag[i] == "return") {
            text = tagged[i]
            if (text ~ /^else/)
                sub(/^else,? */, "Otherwise it returns ", text)
            else
                text = "It returns " text
            print ".Pp"
            put_text(text)
        }
}

function contract(   i) {
    print ".Pp"
    print ".Bl -tag -width Ownership -compact"
    for (i = 1; i <= tags; i++)
        if (tag[i] ~ /^(threads|ownership|blocks)$/) {
            print ".It Em " capital(tag[i])
            put_text(capital(tagged[i]))
        }
    print ".El"
}

function describe(text,   name) {
    match(text, /[a-z_0-9]+[ \t\n]*\(/)
    name = substr(text, RSTART, RLENGTH - 1)
    sub(/[ \t\n]+$/, "", name)
    take_apart(plain(comment))
    print ".Ss " name
    put_text(said)
    parameters()
    returns()
    contract()
}

# A line of a struct or an enum: declarations, and comments behind them.
function member(line,   text) {
    while (line ~ /[^ \t]/) {
        if (in_note) {
            note = note " " line
            if (line !~ /\*\//)
                return
            sub(/\*\/.*/, "", note)
            sub(/^.*\*\//, "", line)
            in_note = 0
            notes[members] = trim(note)
        } else if (match(line, /\/\*\*</)) {
            text = text substr(line, 1, RSTART - 1)
            line = substr(line, RSTART + RLENGTH)
            note = ""
            in_note = 1
            declare(text)
            text = ""
        } else {
            text = text line
            line = ""
        }
    }
    declare(text)
}

function declare(text) {
    text = trim(declared " " text)
    declared = ""
    sub(/,$/, ";", text)
    if (text == "")
        return
    # The last enumerator has no comma, so its comment ends it.
    if (text !~ /;$/ && !(kind == "enum" && in_note)) {
        declared = text
        return
    }
    sub(/;$/, "", text)
    gsub(/[ \t]+/, " ", text)
    names[++members] = text
    notes[members] = ""
}

function show_members(   i) {
    print ".Bl -tag -width Ds -compact"
    for (i = 1; i <= members; i++) {
        if (kind == "enum")
            print ".It Dv " names[i]
        else
            print ".It Vt \"" names[i] "\""
        put_text(notes[i])
    }
    print ".El"
}

# Shown together, at the end.
function constant(name, text) {
    constant_name[++constants] = name
    constant_text[constants] = text
}

function show_constants(   i) {
    if (!constants)
        return
    print ".Ss Constants"
    print ".Bl -tag -width Ds -compact"
    for (i = 1; i <= constants; i++) {
        print ".It Dv " constant_name[i]
        put_text(constant_text[i])
    }
    print ".El"
}

# --- The header ---------------------------------------------------------------

/^#define BROOD_[A-Z_]+/ && mode == "types" {
    define = $2
    if ($0 ~ /\\$/) {
        if ((getline following) > 0)
            $0 = $0 " " following
    }
    if (match($0, /\/\*\*</)) {
        text = substr($0, RSTART)
        while (text !~ /\*\// && (getline following) > 0)
            text = text "\n" following
        sub(/^\/\*\*</, "", text)
        sub(/\*\/.*/, "", text)
        gsub(/[ \t\n]+/, " ", text)
        constant(define, trim(text))
    } else if (comment != "" && define !~ /_INIT$|_H$|_MAP$|_CODE$/) {
        text = plain(comment)
        gsub(/\n/, " ", text)
        constant(define, text)
    }
    comment = ""
    next
}

/^\/\*\*/ {
    comment = $0
    while ($0 !~ /\*\// && (getline) > 0)
        comment = comment "\n" $0
    next
}

/^BROOD_API/ {
    text = $0
    while (text !~ /;/ && (getline following) > 0)
        text = text "\n" following
    sub(/^BROOD_API[ \t]*/, "", text)
    if (mode == "synopsis")
        prototype(text)
    if (mode == "reference")
        describe(text)
    comment = ""
    next
}

/^typedef (struct|enum).*\{/ && mode == "types" {
    kind = $2
    members = 0
    declared = ""
    in_note = 0
    while ((getline) > 0 && $0 !~ /^\}/)
        member($0)
    match($0, /[a-z_0-9]+;/)
    print ".Ss " substr($0, RSTART, RLENGTH - 1)
    put_text(plain(comment))
    print ".Pp"
    show_members()
    comment = ""
    next
}

# A callback.
/^typedef [^;]*_fn\(/ && mode == "types" {
    text = $0
    while (text !~ /;/ && (getline following) > 0)
        text = text "\n" following
    sub(/^typedef[ \t]*/, "", text)
    match(text, /[a-z_0-9]+_fn\(/)
    print ".Ss " substr(text, RSTART, RLENGTH - 1)
    prototype(text)
    print ".Pp"
    take_apart(plain(comment))
    put_text(said)
    parameters()
    returns()
    comment = ""
    next
}

END { show_constants() }

# SPDX-License-Identifier: Apache-2.0
#
# A document, with what stands between its marks put there anew. See `embed`.

function die(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what >"/dev/stderr"
    failed = 1
    exit 1
}

# A file without its licence and the comment at its beginning, or only the
# functions (or types) that are named.
function load(file, wanted,   names, n, i) {
    delete code
    lines = 0
    n = split(wanted, names, " ")
    for (i = 1; i <= n; i++)
        if (!load_function(file, names[i], i > 1))
            die("no " names[i] " in " file)
    if (!n && !load_file(file))
        die("nothing in " file)
}

function load_file(file,   begun, comment) {
    while ((getline line <(root "/" file)) > 0) {
        if (!begun && line == "/*")
            comment = 1
        if (!begun && !comment && line != "" &&
            line !~ /SPDX-License-Identifier/)
            begun = 1
        if (begun)
            code[++lines] = line
        if (line == " */")
            comment = 0
    }
    close(root "/" file)
    return lines
}

# A function begins where a line of the first column names it, with the comment
# before it, and ends with the next brace of the first column.
function load_function(file, name, apart,   n, kept, i, found) {
    delete kept
    n = 0
    while ((getline line <(root "/" file)) > 0) {
        if (line == "" && !found)
            n = 0
        else
            kept[++n] = line
        if (!found && line ~ /^[a-z]/ && line !~ /;$/ &&
            line ~ ("(^|[^a-z_0-9])" name "(\\(|$)"))
            found = 1
        if (found && line ~ /^}/)
            break
    }
    close(root "/" file)
    if (!found)
        return 0
    if (apart)
        code[++lines] = ""
    for (i = 1; i <= n; i++)
        code[++lines] = kept[i]
    return 1
}

function show_code(   i, line) {
    for (i = 1; i <= lines; i++) {
        line = code[i]
        if (manual) {
            gsub(/\\/, "\\e", line)
            if (line ~ /^[.']/)
                line = "\\&" line
        }
        print line
    }
}

function run(command,   line, n) {
    while ((command | getline line) > 0) {
        print line
        n++
    }
    if (close(command) != 0 || !n)
        die("failed: " command)
}

FNR == 1 { manual = FILENAME ~ /\.[0-9]$/ }

# <!-- embed FILE [FUNCTION]... --> and, behind it, a block of code.
!manual && /^<!-- embed .* -->$/ {
    print
    wanted = $0
    sub(/^<!-- embed [^ ]+ */, "", wanted)
    sub(/ *-->$/, "", wanted)
    file = $3
    if ((getline) <= 0 || $0 !~ /^```/)
        die("a block of code is wanted behind the mark")
    print
    load(file, wanted)
    show_code()
    while ((getline) > 0 && $0 != "```")
        ;
    if ($0 != "```")
        die("the block has no end")
    print
    next
}

# <!-- figures FILE --> and, behind it, the table.
!manual && /^<!-- figures [^ ]+ -->$/ {
    print
    run("AWK=" awk " '" root "/bench/table' '" root \
        "/doc/figures/targets.tsv' '" root "/" $3 "'")
    while ((more = (getline)) > 0 && /^\|/)
        ;
    if (more <= 0)
        exit
}

# .\" embed WHAT FILE [FUNCTION]... up to .\" end
manual && /^\.\\" embed / {
    print
    if ($3 == "example") {
        wanted = $0
        sub(/^\.\\" embed example [^ ]+ */, "", wanted)
        load($4, wanted)
        print ".Bd -literal -offset indent"
        show_code()
        print ".Ed"
    } else if ($3 ~ /^(synopsis|types|reference)$/)
        run(awk " -v mode=" $3 " -f '" tools "/header.awk' '" root "/" $4 "'")
    else
        die("no such thing to embed: " $3)
    while ((getline) > 0 && $0 != ".\\\" end")
        ;
    if ($0 != ".\\\" end")
        die("no end")
    print
    next
}

{ print }

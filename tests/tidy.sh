#!/bin/bash
# The rules of the codebase, each one a test: prints "ok <rule>", or "not ok <rule>: …" with the
# offenders, and at the end "tidy: ok". A rule is a function rule_<name> that prints one line for
# each offence.
# Needs bash, grep with -P, awk, sed and tsort; clang-format and shellcheck where they are
# installed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
export LC_ALL=C.UTF-8

LINE_MAX=100
FUNCTION_MAX=70
SOURCE_MAX=700
HEADER_MAX=160

# Modules and their layers; a module includes only modules of a smaller layer.
declare -A LAYER=(
    [base]=0 [model]=1 [json]=1 [tls]=1 [config]=2 [pg]=2 [types]=2 [metrics]=2 [http]=2 [migrate]=2
    [decode]=3 [source]=3 [route]=3 [encode]=3 [publish]=3 [progress]=3
    [recover]=4 [admin]=4 [webhook]=4 [otlp]=4 [relay]=5 [operate]=5 [cli]=6 [main.c]=7
)
# Modules that may include another one of their own layer.
declare -A ALSO=([source]=decode)
# Which module owns an external library: a pattern of headers, then the paths that may include them.
LIBRARIES=(
    'libpq-fe\.h|libpq/.*|pg_config.*\.h ^src/pg/'
    'librdkafka/.* ^src/publish/'
    'yaml\.h ^src/config/'
    'jansson\.h ^src/json/'
    'jq\.h|jv\.h ^src/route/'
    'microhttpd\.h ^src/admin/'
    'curl/.* ^src/http/'
    'openssl/.* ^src/(cli|http|tls|types)/'
    'pthread\.h ^src/(base|relay|metrics|admin|webhook|otlp)/|model/(.*_(cell|ring)|recent)\.h'
)
# Assertions in public functions, for each hundred of them. Raise a number with what you add.
declare -A ASSERTIONS=(
    [admin]=130 [base]=40 [config]=110 [decode]=85 [encode]=95 [json]=42 [metrics]=145 [model]=68
    [operate]=60 [pg]=128 [progress]=135 [publish]=66 [recover]=49 [relay]=49 [route]=72
    [source]=84 [types]=100 [cli]=49
)
BANNED='strcpy strcat sprintf vsprintf gets strtok system popen alloca atoi atol atof rand srand'

src_files() {
    find src -name '*.c' -o -name '*.h' | sort
}
all_c_files() {
    find src tests bench tools \( -name '*.c' -o -name '*.h' \) 2>/dev/null | sort
}
module_of() {
    local rest=${1#src/}
    echo "${rest%%/*}"
}
# Lines "including file, included path" of all includes of our own.
own_includes() {
    src_files | while read -r file; do
        sed -nE 's/^ *# *include "([^"]+)".*/\1/p' "$file" | sed "s|^|$file |"
    done
}
# The calls of functions whose name matches, each on one line with its file before it. base/ only
# defines them.
calls() {
    src_files | grep -v '^src/base/' | while read -r file; do
        tr '\n' ' ' <"$file" | grep -oP "\b($1)\([^;]*?;" | sed "s|^|$file: |"
    done
}

rule_every_module_has_a_layer() {
    for path in src/*; do
        [ -n "${LAYER[$(module_of "$path")]:-}" ] || echo "$path is no known module"
    done
}

rule_layers() {
    own_includes | while read -r file path; do
        from=$(module_of "$file")
        to=${path%%/*}
        [ "$from" = "$to" ] && continue
        [ "${ALSO[$from]:-}" = "$to" ] && continue
        if [ -z "${LAYER[$to]:-}" ] || [ "${LAYER[$to]}" -ge "${LAYER[$from]:-0}" ]; then
            echo "$file includes $path"
        fi
    done
}

# ---- Circles ----

# A file is its .c with the .h of the same name; the public header of a module (m/m.h), which
# several files carry out, stands for itself. A file needs what it includes, and whose functions it
# names. Lines "file needed".
file_needs() {
    own_includes | while read -r file path; do
        [ "${path##*.}" = h ] || continue
        echo "$(node_of "$file") $(node_of "src/$path")"
    done
    # shellcheck disable=SC2016 # awk's own variables
    find src -name '*.c' | sort | xargs awk '
        FNR == 1 { comment = 0; node = FILENAME; sub(/\.c$/, "", node) }
        {
            line = $0
            gsub(/"([^"\\]|\\.)*"/, "", line)
            if (comment && !sub(/^.*\*\//, "", line)) next
            comment = 0
            gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
            if (sub(/\/\*.*$/, "", line)) comment = 1
        }
        line ~ /^[a-z][^=;]*\(/ && line !~ /;$/ {
            name = line; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
            if (line ~ /^static/) own[node, name] = 1
            else if (name != "main") owner[name] = node
        }
        {
            while (match(line, /[a-z_][a-z0-9_]*/)) {
                names[node, substr(line, RSTART, RLENGTH)] = 1
                line = substr(line, RSTART + RLENGTH)
            }
        }
        END {
            for (use in names) {
                split(use, part, SUBSEP)
                if (!(part[2] in owner) || use in own || owner[part[2]] == part[1]) continue
                print part[1], owner[part[2]]
            }
        }'
}
node_of() {
    local module
    module=$(module_of "$1")
    case $1 in
        "src/$module/$module.h") echo "$1" ;;
        *) echo "${1%.[ch]}" ;;
    esac
}

# tsort names the members of each circle that it meets.
rule_no_circles_between_files() {
    file_needs | awk '$1 != $2' | sort -u | tsort 2>&1 >/dev/null |
        sed -nE 's/^tsort: (src.*)/\1 is in a circle of files/p'
}

# From layer 2 on a module has one public header.
rule_public_headers() {
    own_includes | while read -r file path; do
        to=${path%%/*}
        [ "$(module_of "$file")" = "$to" ] && continue
        [ "${LAYER[$to]:-0}" -lt 2 ] && continue
        [ "$path" = "$to/$to.h" ] || echo "$file includes $path: not the public header of $to/"
    done
}

# A header inside a module is named after the file whose contract it is, or after the struct that it
# declares; what files share besides is in <module>_internal.h, or <part>_internal.h.
rule_internal_headers_are_named() {
    src_files | grep '\.h$' | while read -r header; do
        module=$(module_of "$header")
        name=$(basename "$header" .h)
        [ "${LAYER[$module]:-0}" -lt 2 ] || [ "$name" = "$module" ] && continue
        [ -f "${header%.h}.c" ] || [ "${name%_internal}" != "$name" ] && continue
        grep -qE "^struct (${module}_)?${name#"${module}_"}(_ops)? \{" "$header" ||
            echo "$header is named after no file and no struct: ${module}_internal.h?"
    done
}

rule_public_headers_open_with_their_purpose() {
    for module in "${!LAYER[@]}"; do
        header=src/$module/$module.h
        if [ "${LAYER[$module]}" -lt 2 ] || [ ! -f "$header" ]; then continue; fi
        awk -v header="$header" '
            NR == 1 && !/^\/\*/ { print header " does not open with a comment"; exit }
            /\*\// {
                if (NR < 3 || NR > 12) print header " opens with " NR " lines, not 3 to 12"
                exit
            }
        ' "$header"
    done
}

rule_files_open_with_a_comment() {
    all_c_files | while read -r file; do
        head -c 2 "$file" | grep -q '^/\*' || echo "$file"
    done
}

rule_libraries_have_one_owner() {
    for entry in "${LIBRARIES[@]}"; do
        grep -rnE "^ *# *include [<\"](${entry% *})[>\"]" src --include='*.c' --include='*.h' |
            grep -vE "${entry##* }[^:]*:|${entry##* }"
    done
}

rule_clock() {
    own_includes | grep ' base/clock\.h$' |
        grep -vE '^src/(base|recover|relay|operate|pg|publish|cli|admin|source)/' |
        grep -vE '^src/(webhook|otlp)/' || true
}

# How changes are got is the business of one origin; a second one must find nothing to patch.
rule_slots_are_known_to_their_origin_only() {
    grep -rnw -e slot -e slots src/recover src/operate src/relay |
        grep -vE "^src/recover/(origin_|wal_|checks\.def:)"
}

rule_line_length() {
    { all_c_files; scripts; } | while read -r file; do
        grep -nP "^.{$((LINE_MAX + 1)),}" "$file" | sed -E "s|^([0-9]+):.*|$file:\1|"
    done
}

rule_function_length() {
    src_files | while read -r file; do
        awk -v file="$file" -v max=$FUNCTION_MAX '
            /^\{/ { start = NR }
            /^\}$/ { if (start && NR - start - 1 > max)
                         print file ":" start ": a function of " NR - start - 1 " lines"
                     start = 0 }
        ' "$file"
    done
}

# Lines "module, public functions, assertions in them": a function that is not static is public.
assertions() {
    find src -name '*.c' -print0 | sort -z | xargs -0 awk '
        /^[a-z].*\(/ && !/;$/ { public = !/^static/ }
        /^\{/ { if (public) { inside = 1; split(FILENAME, part, "/"); functions[part[2]]++ } }
        inside && /(^|[^a-z_])assert\(/ { count[part[2]]++ }
        /^\}/ { inside = public = 0 }
        END { for (module in functions) print module, functions[module], count[module] + 0 }'
}

rule_public_functions_assert() {
    assertions | while read -r module functions count; do
        least=${ASSERTIONS[$module]:-0}
        [ $((count * 100)) -ge $((least * functions)) ] ||
            echo "$module/: $count assertions in $functions public functions, not $least a hundred"
    done
}

rule_file_length() {
    src_files | while read -r file; do
        lines=$(wc -l <"$file")
        max=$SOURCE_MAX
        [ "${file##*.}" = h ] && max=$HEADER_MAX
        [ "$lines" -le "$max" ] || echo "$file: $lines lines, not at most $max"
    done
}

rule_banned_calls() {
    for name in $BANNED; do
        grep -rnE "(^|[^a-zA-Z0-9_.>\"])$name *\(" src --include='*.c' --include='*.h' |
            grep -vE '^[^:]*:[0-9]*: *(/?\*|//)'
    done
}

rule_no_struct_typedefs() {
    grep -rnE '^ *typedef +(struct|enum|union)\b' src
}

# The flag that a signal handler needs is the one exception (cli/cli_answer.c).
rule_no_globals() {
    src_files | grep '\.c$' | while read -r file; do
        grep -nE '^(static +)?[a-z_][a-zA-Z0-9_ *]*[ *][a-z_0-9]+(\[[^]]*\])?( *=.*)?;' "$file" |
            grep -vE '\b(const|extern|typedef|return|struct [a-z_]+;)|\(' |
            grep -vE 'atomic_bool \*_Atomic interrupted;' | sed "s|^|$file:|"
    done
}

rule_no_tabs_or_trailing_blanks() {
    { all_c_files; scripts; find docs sql -name '*.md' -o -name '*.sql'; } |
        xargs grep -nP '\t| $' | head -20
}

scripts() {
    { find tests tools bench .ci docker -name '*.sh' 2>/dev/null
      grep -rlE --include='*' '^#!/bin/(ba)?sh' .ci tests tools bench docker 2>/dev/null; } |
        grep -vE '\.(py|c|h|md)$' | sort -u
}

rule_shellcheck() {
    command -v shellcheck >/dev/null || return 0
    scripts | while read -r file; do
        shellcheck -f gcc "$file"
    done
}

rule_clang_format() {
    command -v clang-format >/dev/null || return 0
    all_c_files | while read -r file; do
        clang-format --dry-run -Werror "$file" >/dev/null 2>&1 || echo "$file: run make format"
    done
}

# ---- Log events ----

# The first dotted text of each call is the event.
log_events() {
    calls 'log_event|log_error' | sed -E 's/^[^:]*: //' |
        grep -oP '^log_(event|error)\([^"]*"\K[a-z]+\.[a-z_]+(?=")'
}

rule_log_events_occur_once() {
    log_events | sort | uniq -d
}

rule_log_events_are_documented() {
    log_events | sort -u | while read -r event; do
        grep -qF "\`$event\`" docs/OPERATIONS.md || echo "$event is not in docs/OPERATIONS.md"
    done
}

rule_documented_log_events_exist() {
    known=$(log_events)
    sed -n '/^## Log events/,/^## /p' docs/OPERATIONS.md | grep -oP '^\| `\K[a-z]+\.[a-z_]+' |
        while read -r event; do
            grep -qxF "$event" <<<"$known" || echo "$event is nowhere in src/"
        done
}

rule_logging_modules() {
    grep -rlE '\blog_(event|error)\(' src |
        grep -vE '^src/(base|recover|relay|operate|cli|publish|webhook|otlp)/'
}

# ---- Metrics ----

metric_names() {
    grep -oP '^METRIC\([A-Z_0-9]+, "\K[a-z_0-9]+' src/metrics/metrics.def
    echo walferry_build_info
}

rule_metrics_are_documented() {
    metric_names | sort -u | while read -r name; do
        grep -qE "\`$name(\{|\`)" docs/OPERATIONS.md || echo "$name is not in docs/OPERATIONS.md"
    done
}

rule_documented_metrics_exist() {
    known=$(metric_names)
    sed -n '/^## Metrics/,/^## /p' docs/OPERATIONS.md | grep -oP '^\| `\Kwalferry_[a-z_]+' |
        while read -r name; do
            grep -qxF "$name" <<<"$known" || echo "$name is not in metrics.def"
        done
}

rule_metrics_are_counted() {
    grep -oP '^METRIC\(\K[A-Z_0-9]+' src/metrics/metrics.def | while read -r id; do
        grep -rqw "$id" src --include='*.c' || echo "$id is never counted"
    done
}

# ---- Configuration ----

config_keys() {
    tr '\n' ' ' <src/config/config.def |
        grep -oP '\bKEY_[A-Z]+\("\K[a-z_.\[\]]+(?=",)'
}

rule_config_keys_are_in_the_schema() {
    config_keys | while read -r key; do
        grep -qF "\"${key##*.}\":" config/walferry.schema.json || echo "$key"
    done
}

# As itself or, where it has no default, as a comment.
rule_config_keys_are_in_the_sample() {
    config_keys | while read -r key; do
        grep -qE "(^|[ #{,-])${key##*.}:" config/walferry.yaml || echo "$key"
    done
}

rule_config_keys_are_in_the_man_page() {
    config_keys | while read -r key; do
        grep -qxF ".It Cm \"$key\"" docs/man/walferry.yaml.5 || echo "$key"
    done
}

# ---- Documents ----

rule_commands_are_in_the_man_page() {
    grep -oP '\{\.name = "\K[a-z-]+' src/cli/cli_table.c | while read -r name; do
        grep -qE "^\.Ss walferry $name( |$)" docs/man/walferry.1 || echo "$name"
    done
}

rule_exit_codes_are_documented() {
    sed -n '/^enum exit_code/,/^}/p' src/base/reason.h | grep -oP '= \K[0-9]+' |
        while read -r code; do
            grep -qE "^\| $code +\|" docs/OPERATIONS.md || echo "$code: docs/OPERATIONS.md"
            grep -qE "^\.It $code$" docs/man/walferry.1 || echo "$code: docs/man/walferry.1"
        done
}

# Both ways: every row of reason.def is told, and nothing else is.
rule_reasons_are_documented() {
    tools/reasons.py check
}

rule_reasons_have_a_use() {
    grep -oP '^REASON\(\K\w+' src/base/reason.def | while read -r name; do
        grep -rqw "REASON_$name" src --include='*.c' || echo "$name is nowhere in src/"
    done
}

# Slugs are for people: the program compares values.
rule_no_texts_are_compared() {
    grep -rnE '(str(n?cmp|str)|memcmp)\([^)]*(err|why|failure)(->|\.)(reason|hint)' \
        src --include='*.c'
}

rule_crash_points_are_documented() {
    grep -rhoP 'CRASH_POINT\([^")]*"\K[A-Z0-9]+' src | sort -u | while read -r point; do
        grep -qE "^\| $point +\|" docs/ARCHITECTURE.md || echo "$point: docs/ARCHITECTURE.md"
    done
}

rule_links_lead_somewhere() {
    find . -name '*.md' -not -path './build/*' -not -path './.git/*' | while read -r file; do
        grep -oP '\]\(\K[^)#]+(?=[)#])' "$file" | grep -vE '^[a-z]+:' | while read -r target; do
            [ -e "$(dirname "$file")/$target" ] || echo "$file: $target"
        done
    done
}

# A picture is drawn once: for dark pages only the line of its colours is another. It loads nothing.
rule_pictures_come_in_pairs() {
    for light in docs/*-light.svg; do
        dark=${light%-light.svg}-dark.svg
        differing=$(diff "$light" "$dark" | grep -c '^[<>]')
        [ "$differing" = 2 ] || echo "$light and $dark differ in more than the line of colours"
    done
    grep -nE '(href|src|url)[=(]"?(https?:|//)|@import|<script' docs/*.svg
}

# The relay's own loops are driven by the simulator and the end-to-end suite, the commands by the
# latter.
rule_every_module_has_unit_tests() {
    for path in src/*/; do
        module=$(basename "$path")
        [ "$module" = relay ] && continue
        [ "$module" = operate ] && continue
        ls tests/unit/"$module"_*_test.c >/dev/null 2>&1 || echo "$module has no unit test"
    done
}

# A mutant whose expression is gone breaks nothing; whoever moves the line moves the mutant.
rule_mutants_stand_once() {
    tests/mutants/run.py --check
}

# ---- Running them ----

failed=0
count=0
for rule in $(declare -F | sed -nE 's/^declare -f rule_//p'); do
    count=$((count + 1))
    offences=$("rule_$rule" 2>&1 | sort -u)
    if [ -z "$offences" ]; then
        echo "ok $rule"
    else
        failed=$((failed + 1))
        echo "not ok $rule: $(wc -l <<<"$offences") found"
        # Indented lines belong to the rule above them.
        while IFS= read -r line; do echo "    $line"; done <<<"$offences"
    fi
done
if [ "$failed" -gt 0 ]; then
    echo "tidy: $failed of $count rules broken"
    exit 1
fi
echo "tidy: ok"

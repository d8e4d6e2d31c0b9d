# Completion of walferry for bash.
# Made from the table of commands; UPDATE=1 tests/unit/cli_complete_test writes it anew.
# shellcheck shell=bash
_walferry() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local options='' operands='' behind='' words='' kind='' word
    COMPREPLY=()
    # bash makes three words of --config=FILE.
    if [ "$cur" = '=' ]; then
        cur=''
    elif [ "$prev" = '=' ]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$COMP_CWORD" -le 1 ]; then
        words='run check doctor setup status top rebase skip dead-letter teardown reload config version help --help --version'
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    case $prev in
        -c | --config) kind=files ;;
        --publisher) kind=words words='kafka stdout' ;;
        --sample) kind=files ;;
        -o | --output) kind=words words='short json' ;;
        --admin-connection) return ;;
        --progress-version) kind=words words='1' ;;
        --switch-to) kind=words words='poll wal' ;;
        --from-debezium) kind=files ;;
        --to) kind=words words='slot new-slot lsn: guard beginning now' ;;
        --upgraded) kind=files ;;
        --route) return ;;
        --key) return ;;
        --id) return ;;
    esac
    case ${COMP_WORDS[1]} in
        run)
            options='--config --setup --until-caught-up --hold-on-refusal --publisher --help'
            operands=''
            ;;
        check)
            options='--config --connect --sample --json --help'
            operands=''
            ;;
        doctor)
            options='--output --probe --strict --admin-connection --config --json --help'
            operands=''
            ;;
        setup)
            options='--config --admin-connection --print-sql --progress-version --switch-to --from-debezium --take-over --yes --json --help'
            operands=''
            ;;
        status)
            options='--config --ready --json --help'
            operands=''
            ;;
        top)
            options='--once --config --help'
            operands=''
            ;;
        rebase)
            options='--to --upgraded --accept-loss --accept-repeat --take-over --yes --config --json --help'
            operands=''
            ;;
        skip)
            options='--route --take-over --config --json --help'
            operands=''
            ;;
        dead-letter)
            options='--key --id --all --route --admin-connection --config --json --help'
            operands='list show retry drop'
            ;;
        teardown)
            options='--admin-connection --take-over --yes --config --json --help'
            operands=''
            ;;
        reload)
            options='--dry-run --yes --config --json --help'
            operands=''
            ;;
        config)
            options='--config --partial --json --help'
            operands='show migrate-from-debezium'
            behind=files
            ;;
        version)
            options='--json --help'
            operands=''
            ;;
        help)
            options='--help'
            operands='run check doctor setup status top rebase skip dead-letter teardown reload config version help'
            ;;
    esac
    # An operand is not offered twice; behind it there may be a file.
    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
        if [ -n "$word" ] && [[ " $operands " == *" $word "* ]]; then
            operands=''
            if [ -z "$kind" ] && [[ $cur != -* ]]; then
                kind=$behind
            fi
            break
        fi
    done
    if [ "$kind" = files ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    fi
    if [ -z "$kind" ]; then
        words="$options $operands"
        if [[ $cur != -* ]] && [ -n "$operands" ]; then
            words=$operands
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _walferry walferry

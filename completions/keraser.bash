# bash completion of keraser: verbs, their options, processes that listen, their models.
# shellcheck shell=bash

_keraser_options() { # verb
    case $1 in
    top) echo '--once --interval --json --help' ;;
    why | trim | doctor) echo '--wait --json --help' ;;
    clear) echo '--all --held --force --wait --json --help' ;;
    run) echo '--no-guard --trim --gpu --python --report --help' ;;
    esac
}

_keraser_words() { # words to choose from, one a line
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

# Arguments of the verb before the cursor that are no options, in `operands`.
_keraser_operands() {
    local i
    operands=()
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --wait | --interval | --held) ((i++)) ;;
        -*) ;;
        *) operands+=("${COMP_WORDS[i]}") ;;
        esac
    done
}

_keraser() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} operands
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _keraser_words 'top why clear trim doctor run --help --version'
        return
    fi
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --held) _keraser_words 'hollow cut keep raise' && return ;;
    --wait | --interval) return ;;
    --python | --report) compopt -o default && return ;;
    esac
    if [[ $word == -* ]]; then
        _keraser_words "$(_keraser_options "$verb")"
        return
    fi
    _keraser_operands
    case $verb:${#operands[@]} in
    top:* | why:0 | clear:0 | trim:0 | doctor:0)
        _keraser_words "$("${COMP_WORDS[0]}" list-pids 2>/dev/null | cut -f 1)"
        ;;
    why:1 | clear:1)
        _keraser_words "$("${COMP_WORDS[0]}" list-models "${operands[0]}" 2>/dev/null)"
        ;;
    run:*) compopt -o default ;;
    esac
}

complete -F _keraser keraser

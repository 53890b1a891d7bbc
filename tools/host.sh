# What the machine itself must have. Sourced by ./dev.
#
# Nothing is looked up by package name: each need is tried (does this header compile?),
# so a compiler from anywhere counts. What is missing is installed by apt-get when root;
# anybody else gets one line to paste.
# shellcheck shell=bash

export DEBIAN_FRONTEND=noninteractive
log=build/log
changed= # what this run did, for the last line of setup

say() { printf 'dev: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

# Runs a command quietly; its output is in build/log/<name>.log.
logged() {
    mkdir -p "$log"
    "${@:2}" >"$log/$1.log" 2>&1 </dev/null
}

compiles() { # source
    "${CC:-cc}" -x c -fsyntax-only - <<<"$(printf '%b' "$1")" 2>/dev/null
}

# Prints version, Python.h's folder and what is missing, for a Python that TensorFlow
# has wheels for (the range is requires-python of pyproject.toml); fails for another.
python_facts() {
    "$1" - 2>/dev/null <<'PYTHON'
import os, sys, sysconfig
if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.exit(1)
if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
lacks = []
try:
    import ensurepip, venv
except ImportError:
    lacks.append("venv")
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    lacks.append("dev")
where = os.path.realpath(sys.executable)
print("%d.%d" % sys.version_info[:2], where, *lacks)
PYTHON
}

# Sets `python`, `python_version`, `python_path` and `python_lacks`.
python_choose() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11 python3.10}; do
        if read -r python_version python_path python_lacks \
            < <(python_facts "$candidate"); then
            python=$candidate
            return 0
        fi
    done
    return 1
}

python_need() {
    if ! python_choose; then
        [ -z "${PYTHON:-}" ] ||
            fail "PYTHON=$PYTHON is not a CPython 3.10 to 3.13, which TensorFlow needs"
        ! command -v python3 >/dev/null ||
            fail "no Python 3.10 to 3.13, which TensorFlow needs: set PYTHON=/path/to/one"
        missing+=(python3 python3-dev python3-venv)
        return 0
    fi
    local part
    for part in $python_lacks; do
        case $python_path in
        /usr/bin/*) missing+=("python$python_version-$part") ;;
        *) python_incomplete "$part" ;;
        esac
    done
}

python_incomplete() {
    local what='module ensurepip'
    [ "$1" = venv ] || what='header Python.h'
    fail "$python_path has no $what: install it, or set PYTHON= to a Python that has it"
}

# host_need SET...: whatever of these sets is missing is installed, or named in one line.
host_need() {
    local missing=() set
    for set in "$@"; do
        "need_$set"
    done
    [ ${#missing[@]} -eq 0 ] || host_install "${missing[@]}"
    missing=()
    for set in "$@"; do
        "need_$set"
    done
    [ ${#missing[@]} -eq 0 ] ||
        fail "still missing after installing: ${missing[*]} (see $log/apt.log)"
}

need_build() {
    python_need
    compiles '#include <stdio.h>' || missing+=(gcc libc6-dev)
}

need_test() {
    compiles '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>
#include <setjmp.h>\n#include <cmocka.h>' || missing+=(libcmocka-dev)
    command -v c++ >/dev/null || missing+=(g++) # keraser.h is tried as C++ too
}

need_lint() {
    command -v gcc >/dev/null || missing+=(gcc)
    CC=clang compiles '#include <stdio.h>' || missing+=(clang)
    local program
    for program in shellcheck mandoc zsh; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
}

need_fuzz() {
    local program
    program=$(mktemp)
    printf 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n < 0; }\n' |
        clang -x c -fsanitize=fuzzer,address,undefined - -o "$program" 2>/dev/null ||
        fuzz_packages
    rm -f "$program"
}

# clang's libFuzzer and sanitizers are a package of their own, but in Ubuntu 22.04 part
# of clang's. Asking which takes package lists, and a fresh container has none.
fuzz_packages() {
    missing+=(clang)
    [ "$(id -u)" != 0 ] || compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null ||
        logged apt-update apt-get update || true
    ! apt-cache show clang >/dev/null 2>&1 ||
        apt-cache show libclang-rt-dev >/dev/null 2>&1 || return 0
    missing+=(libclang-rt-dev)
}

# What the widget is looked at in. Playwright's own Chromium would be a download.
need_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        ! command -v "$name" >/dev/null || return 0
    done
    missing+=(chromium)
}

host_install() {
    command -v apt-get >/dev/null ||
        fail "install $* with this system's package manager (names as on Debian)"
    [ "$(id -u)" = 0 ] ||
        fail "missing on this machine: sudo apt-get install -y --no-install-recommends $*"
    say "apt-get install $*"
    logged apt apt-get install -y --no-install-recommends "$@" ||
        { logged apt-update apt-get update &&
            logged apt apt-get install -y --no-install-recommends "$@"; } ||
        fail "apt-get cannot install $*: is the network there? (see $log/apt*.log)"
    changed="installed $*"
}

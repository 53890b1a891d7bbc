# What the virtual environment must have. Sourced by ./dev.
#
# Two stamps under .venv/stamps say what was done: `packages` is a copy of the
# pyproject.toml whose groups were installed, `built` is as old as the extension.
# Python files take effect at once (editable install); C files when ./dev next runs.
# shellcheck shell=bash

venv=${VENV:-.venv}
export PATH=$PWD/$venv/bin:$PATH # cmake, ninja, ruff, clang-format: the pinned ones
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# One setup at a time in this checkout.
venv_ready() { # [a further group of packages]
    mkdir -p build
    exec 9>build/setup.lock
    flock 9
    venv_make
    venv_packages
    [ -z "${1:-}" ] || venv_group "$1"
    venv_build
    exec 9>&-
}

venv_make() {
    local have
    have=$("$venv/bin/python" -c \
        'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || have=
    if [ -n "$have" ] && [ "$have" != "$python_version" ] && [ -n "${PYTHON:-}" ]; then
        fail "$venv has Python $have, not $python_version: set VENV=.venv-$python_version"
    fi
    [ -z "$have" ] || return 0
    say "making $venv with $python_path"
    rm -rf "$venv"
    logged venv "$python" -m venv "$venv" ||
        fail "$python -m venv failed (see $log/venv.log): apt-get install python3-venv"
    mkdir -p "$venv/stamps"
    changed="made $venv"
}

venv_packages() {
    cmp -s pyproject.toml "$venv/stamps/packages" && return
    mkdir -p "$venv/stamps"
    say "installing the packages that pyproject.toml names (TensorFlow is a big one)"
    # Dependency groups need pip 25.1; a fresh environment has the pip of its Python.
    pip_install 'pip>=25.1'
    pip_install --group build --group demo --group test --group lint
    cp pyproject.toml "$venv/stamps/packages"
    changed="${changed:+$changed, }installed packages"
}

# For the verb that needs it; its stamp is `packages-GROUP`.
venv_group() { # group
    cmp -s pyproject.toml "$venv/stamps/packages-$1" && return
    say "installing the packages of the group '$1'"
    pip_install --group "$1"
    cp pyproject.toml "$venv/stamps/packages-$1"
    changed="${changed:+$changed, }installed packages"
}

pip_install() {
    logged pip "$venv/bin/python" -m pip install "$@" && return
    grep -qE 'NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|from versions: none' \
        "$log/pip.log" &&
        fail "no package registry answers (PyPI, or PIP_INDEX_URL${PIP_INDEX_URL:+ = $PIP_INDEX_URL}):" \
            "check the network, or set PIP_INDEX_URL"
    fail "pip install $* failed: see $log/pip.log"
}

venv_build() {
    venv_built && return
    say 'building keraser'
    # What was newest when the build began counts, not when it ended.
    touch build/began
    logged build "$venv/bin/python" -m pip install \
        --no-deps --no-build-isolation --no-index --editable . || {
        grep -E 'error:|Error' "$log/build.log" | head -20 >&2
        fail "keraser does not build: see $log/build.log"
    }
    mv build/began "$venv/stamps/built"
    changed="${changed:+$changed, }built keraser"
}

venv_built() {
    [ -e "$venv/stamps/built" ] &&
        compgen -G "$venv/lib/python3*/site-packages/keraser/_core*.so" >/dev/null &&
        [ -z "$(find src include python/_core cmake cli \
        CMakeLists.txt pyproject.toml -newer "$venv/stamps/built" -print -quit)" ]
}

# What tests, lint, soak and bench are made of. Sourced by ./dev.
# shellcheck shell=bash

core_build() { # preset [cmake options...]
    logged "cmake-$1" cmake --preset "$@" || {
        tail -5 "$log/cmake-$1.log" >&2
        fail "cmake --preset $1 failed: see $log/cmake-$1.log"
    }
    cmake --build --preset "$1" -- --quiet
}

core_test() {
    core_build "$1"
    ctest --preset "$1" --no-tests=error --parallel "$(nproc)"
}

# The extension under the sanitizers, in an uninstrumented Python: on the tests that need
# no TensorFlow, and against busy threads. Figures of malloc are nought under them.
extension_asan() {
    local dir=$PWD/build/asan-python site=$PWD/build/asan-python/site
    logged cmake-asan-python cmake -S . -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_C_COMPILER=gcc -DKERASER_SANITIZE='address;undefined' -DKERASER_BUILD_TESTS=OFF \
        -DKERASER_BUILD_PYTHON=ON -DPython_EXECUTABLE="$PWD/$venv/bin/python" || {
        tail -5 "$log/cmake-asan-python.log" >&2
        fail "cmake failed: see $log/cmake-asan-python.log"
    }
    cmake --build "$dir" -- --quiet
    rm -rf "$site"
    mkdir -p "$site/keraser"
    ln -s "$PWD"/python/keraser/* "$dir"/_core*.so "$site/keraser/"
    # Away with the finder that leads to the editable install.
    printf '%s\n' 'import sys' 'sys.meta_path = [' \
        '    f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__' ']' \
        >"$site/sitecustomize.py"
    sanitized -c 'import keraser._core as c; assert "asan" in c.__file__, c.__file__'
    sanitized -m pytest -q -s tests/python/core tests/python/adapter/test_edges.py \
        --deselect tests/python/core/test_module.py::test_process_and_heap_figures_agree_with_the_kernel
    sanitized -X faulthandler tests/python/adapter/under_fire.py 40
}

sanitized() { # arguments of python
    PYTHONPATH=$PWD/build/asan-python/site PYTHONMALLOC=malloc \
        ASAN_OPTIONS=detect_leaks=0 \
        LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
        "$venv/bin/python" "$@"
}

# Everything, in two processes beside each other that take about as long; or, given
# arguments of pytest, what they say.
python_test() {
    if [ $# -gt 0 ]; then
        "$venv/bin/python" -m pytest "$@"
        return
    fi
    local half=(tests/python/keras/test_[a-h]*.py tests/python/{gpu,notebook,run,zoo})
    local others=$log/pytest-others.log status=0
    "$venv/bin/python" -m pytest -p no:cacheprovider "${half[@]/#/--ignore=}" >"$others" 2>&1 &
    "$venv/bin/python" -m pytest "${half[@]}" || status=1
    wait $! || status=1
    cat "$others"
    return $status
}

c_files() {
    find . \( -path './.?*' -o -path ./build \) -prune -o -name '*.[ch]' -print
}

format_all() {
    c_files | xargs clang-format -i
    ruff check --select I --fix --quiet . # the order of imports
    ruff format .
}

# Every check runs, so that one run shows everything; the verb fails at the end.
lint_all() {
    failed=
    check 'C format' clang_format_check
    check 'ruff check' ruff check .
    check 'ruff format' ruff format --check .
    check 'shellcheck' shellcheck_all
    check 'zsh' zsh -n completions/_keraser
    check 'man pages' mandoc -Tlint -W warning man/*.1
    check 'rooms' python tools/rooms.py
    check 'sizes' python tools/sizes.py
    check 'gcc -Werror' core_strict gcc
    check 'clang -Werror' core_strict clang
    check 'stubs' stub_check
    [ -z "$failed" ] || fail "lint failed:$failed"
    say 'lint: all clean'
}

check() { # title, command...
    printf '== %s\n' "$1"
    "${@:2}" || failed="$failed $1;"
}

clang_format_check() { c_files | xargs clang-format --dry-run -Werror; }
shellcheck_all() {
    shellcheck --external-sources --check-sourced dev .ci/run tools/wheel.sh \
        completions/keraser.bash
}

# Core, tests and extension by one compiler, optimized: that is when warnings appear
# which need the flow of values.
core_strict() {
    local dir=build/strict-$1
    logged "cmake-strict-$1" cmake -S . -B "$dir" -G Ninja -DCMAKE_C_COMPILER="$1" \
        -DCMAKE_BUILD_TYPE=Release -DKERASER_WERROR=ON -DKERASER_BUILD_TESTS=ON \
        -DKERASER_BUILD_BENCH=ON -DKERASER_BUILD_PYTHON=ON \
        -DPython_EXECUTABLE="$PWD/$venv/bin/python" || {
        tail -5 "$log/cmake-strict-$1.log"
        return 1
    }
    cmake --build "$dir" -- --quiet
}

# Without a stub stubtest finds nothing to object to, and succeeds.
stub_check() {
    [ -s python/keraser/_core.pyi ] || { echo 'no python/keraser/_core.pyi'; return 1; }
    MYPYPATH=python python -m mypy.stubtest keraser._core \
        --mypy-config-file pyproject.toml
}

run_benches() { # [name [arguments...]], the name without bench/ and suffix
    local names=("${@:1:1}") name
    [ $# -gt 0 ] || for name in bench/*.py bench/*.c; do
        [ ! -e "$name" ] || names+=("$(basename "${name%.*}")")
    done
    for name in "${names[@]}"; do
        printf '== %s\n' "$name" >&2
        if [ -e "bench/$name.py" ]; then
            python "bench/$name.py" "${@:2}"
        elif [ -e "bench/$name.c" ]; then
            core_build release
            "build/release/bench_$name"
        else
            fail "no bench/$name.py or .c: there are $(cd bench && echo *)"
        fi
    done
}

fuzz_all() { # seconds
    core_build fuzz
    local fuzzer topic found=
    for fuzzer in build/fuzz/tests/fuzz/fuzz_*; do
        [ -x "$fuzzer" ] || continue
        found=yes
        topic=${fuzzer##*/fuzz_}
        printf '== %s for %s s\n' "$topic" "$1"
        mkdir -p "build/fuzz/found/$topic"
        "$fuzzer" -max_total_time="$1" -print_final_stats=1 \
            -artifact_prefix="build/fuzz/found/$topic-" \
            "build/fuzz/found/$topic" "tests/fuzz/corpus/$topic"
    done
    [ -n "$found" ] || fail 'no fuzzer was built'
}

soak_python() {
    if [ -d tests/soak ]; then
        python -m pytest tests/soak
    else
        say 'no tests/soak yet: only the fuzzers ran'
    fi
}

#!/usr/bin/env bash
# Builds the wheel into dist/, then proves that it installs into an empty environment
# with no compiler, no registry and no repository in reach, and that keraser works there.
# Usage: tools/wheel.sh PYTHON (one that has the build group of pyproject.toml)
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
python=$1

rm -rf build/wheel dist
mkdir -p build/wheel dist
"$python" -m pip wheel --quiet --no-deps --no-build-isolation --no-index \
    -C build-dir=build/wheel/cmake -w build/wheel .
# Names the oldest glibc the wheel runs on; there is no library to graft.
"$python" -m auditwheel repair --plat auto -w dist build/wheel/*.whl 2>&1 | tail -1
wheel=$(ls dist/*.whl)

proof=$(mktemp -d)
trap 'rm -rf "$proof"' EXIT
"$python" -m venv "$proof/venv"
cd "$proof"
alone() { env -i PATH=/nonexistent HOME="$proof" "$proof/venv/bin/python" "$@"; }
alone -m pip install --quiet --no-index "$OLDPWD/$wheel"
alone -c '
import shutil, sys
assert not any(map(shutil.which, ("cc", "gcc", "clang", "cmake"))), "a compiler in reach"
import keraser
from keraser import _core
assert keraser.__file__.startswith(sys.prefix), keraser.__file__
loaded = {"tensorflow", "keras", "numpy"} & set(sys.modules)
assert not loaded, f"import keraser loads {loaded}"
print("keraser", keraser.__version__, "works from", _core.__file__)
'
# The command finds the Python and the startup folder that were installed with it.
ran=$(env -i PATH=/nonexistent HOME="$proof" "$proof/venv/bin/keraser" run \
    -c 'import sys; print(sys.prefix, "keraser.running" in sys.modules)' 2>"$proof/report")
[ "$ran" = "$proof/venv True" ] || { echo "keraser run: $ran" >&2; exit 1; }
grep -q '^keraser: ended' "$proof/report" || { cat "$proof/report" >&2; exit 1; }
echo "keraser run works from $proof/venv/bin/keraser"
# python -m keraser is the same program; completions and man pages came along.
[ "$(alone -m keraser --version)" = "$("$proof/venv/bin/keraser" --version)" ]
for file in man/man1/keraser-top.1 bash-completion/completions/keraser zsh/site-functions/_keraser; do
    [ -s "$proof/venv/share/$file" ] || { echo "no share/$file" >&2; exit 1; }
done
echo "$wheel"

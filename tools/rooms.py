"""Who may enter whom: checks the includes and imports against the rooms of the house.

python tools/rooms.py [ROOT] prints file:line: reason for each breach and fails if there
is one. docs/architecture.md draws the same rules."""

import ast
import re
import sys
from pathlib import Path

LEAVES = {"heap", "proc", "pool", "tensorflow", "gpu", "wire"}
MAY_INCLUDE = {  # room of C sources -> what it may include besides itself
    "src/base": {"keraser.h"},
    **{f"src/{leaf}": {"keraser.h", "base"} for leaf in LEAVES},
    "src/server": {"keraser.h", "base", *LEAVES},
    "src/outside": {"keraser.h", "base", "heap", "proc"},
    "cli": {"keraser.h", "wire/protocol.h"},
    "python/_core": {"keraser.h", "wire/protocol.h"},
}
FRAMEWORKS = {"keras", "tensorflow", "tf_keras", "jax", "torch"}
ENTRANCES = {"base", "on_import"}  # the adapters that the rest of keraser knows
FRAMEWORK_WORD = re.compile(rf"_?({'|'.join(FRAMEWORKS)})([._]\w+)*|tf")
NAMING = ("id", "attr", "value")  # of a name, an attribute, a string constant
RUN_TIME = r"tensorflow|tsl/|xla/|cuda"  # found by dlsym, never included
FOREIGN = re.compile(r"Python\.h|cpython/|" + RUN_TIME), re.compile(RUN_TIME)
INCLUDE = re.compile(r'(?:\s*#\s*include\s*([<"])([^>"]+))?')


def c_breaches(root, path):
    room = next(r for r in MAY_INCLUDE if path.is_relative_to(root / r))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        bracket, header = INCLUDE.match(line).groups()
        if bracket == "<":
            if FOREIGN[room == "python/_core"].match(header):
                yield number, f"{room} may not know {header}"
        elif not header or ("/" not in header and (path.parent / header).exists()):
            continue  # no include, or a neighbour in the same room
        elif not {header, header.split("/")[0]} & {*MAY_INCLUDE[room], Path(room).name}:
            yield number, f"{room} may not include {header}"


def imported(node):
    """The dotted names that an import binds, relative ones with their dots."""
    module = getattr(node, "module", None)
    prefix = "." * getattr(node, "level", 0) + (f"{module}." if module else "")
    return [prefix + alias.name for alias in node.names]


def python_breaches(root, path):
    adapter = path.is_relative_to(root / "python/keraser/adapters")
    tree = ast.parse(path.read_text(), str(path))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    lazy = {n for f in ast.walk(tree) if isinstance(f, functions) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = imported(node)
            framework = FRAMEWORKS & {name.split(".")[0] for name in names}
            if framework and not (adapter and node in lazy):
                where = "inside the function using it" if adapter else "in adapters/"
                yield node.lineno, f"import {names[0]} only {where}"
            found = [m for n in names if (m := re.search(r"adapters\.(\w+)", n))]
            if not adapter and {m[1] for m in found} - ENTRANCES:
                yield node.lineno, "adapters are known to base.py only"
        elif not adapter:
            for word in (str(getattr(node, kind, "")) for kind in NAMING):
                if FRAMEWORK_WORD.fullmatch(word):
                    yield node.lineno, f"only adapters/ names {word}"


def main(root):
    c = [(p, c_breaches) for r in MAY_INCLUDE for p in (root / r).rglob("*.[ch]")]
    py = [(p, python_breaches) for p in (root / "python/keraser").rglob("*.py")]
    found = [(p, *breach) for p, check in c + py for breach in check(root, p)]
    for path, line, reason in found:
        print(f"{path.relative_to(root)}:{line}: {reason}")
    print(f"rooms: {len(c) + len(py)} files, {len(found)} breaches")
    return 1 if found or not (c or py) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if sys.argv[1:] else ".").resolve()))

"""python -m keraser: the command line, as the program `keraser` that is installed
beside this Python."""

from __future__ import annotations

import os
import sys
import sysconfig

#: What a shell says where there is no such program.
_NOT_FOUND = 127


def _find() -> str | None:
    """Where installers put programs: for all users, for this one (`pip install
    --user`), and beside the Python that runs."""
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", f"{os.name}_user"),
        os.path.dirname(sys.executable),
    ]
    for folder in folders:
        program = os.path.join(folder, "keraser") if folder else ""
        if os.access(program, os.X_OK) and os.path.isfile(program):
            return program
    return None


def main() -> None:
    """Becomes it, so that signals and the exit status are its own."""
    program = _find()
    if program is None:
        print(
            "keraser: there is no program keraser beside this Python\n"
            f"  install keraser again: {sys.executable} -m pip install "
            "--force-reinstall keraser",
            file=sys.stderr,
        )
        sys.exit(_NOT_FOUND)
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()

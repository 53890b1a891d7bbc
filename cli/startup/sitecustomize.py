"""What Python imports first under `keraser run`: prepares the process, then makes way
for the sitecustomize that would have been imported without it."""

import os
import sys

_PREFIX = "KERASER_RUN_"


def _step_aside():
    """Takes this folder off the paths, and the environment back to what it was; what
    malloc has read by now is nothing for the program's children."""
    here = os.path.dirname(__file__)
    sys.path[:] = [path for path in sys.path if path != here]
    sys.path_importer_cache.pop(here, None)
    ours = {name: os.environ.pop(name) for name in list(os.environ) if _is_ours(name)}
    before = ours.get(f"{_PREFIX}PYTHONPATH")
    if before is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = before
    for name in ours:
        if name.startswith(f"{_PREFIX}SET_MALLOC_"):
            os.environ.pop(name[len(f"{_PREFIX}SET_") :], None)
    return ours


def _is_ours(name):
    return name.startswith(_PREFIX)


def _begin(ours):
    try:
        from keraser import running
    except ImportError as error:
        print(
            f"keraser: {sys.executable} cannot import keraser: {error}\n"
            f"  {sys.executable} -m pip install keraser, or keraser run --python PATH",
            file=sys.stderr,
            flush=True,
        )
        os._exit(2)  # nothing has begun; sys.exit() would end in a traceback here
    running.begin(
        guard=ours.get(f"{_PREFIX}GUARD") == "1",
        trim=ours.get(f"{_PREFIX}TRIM") == "1",
        report=ours.get(f"{_PREFIX}REPORT"),
    )


def _import_users():
    """The sitecustomize behind this one, if there is one."""
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


try:
    _begin(_step_aside())
finally:
    _import_users()

"""What Python imports first under `keraser run`: prepares the process, then makes way
for the sitecustomize that would have been imported without it."""

import os
import sys


def _step_aside():
    """Takes this folder off the paths, and brings PYTHONPATH back as it was."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    sys.path_importer_cache.pop(here, None)
    before = os.environ.pop("KERASER_RUN_PYTHONPATH", None)
    if before is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = before


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


def _begin():
    options = {
        name: os.environ.pop(f"KERASER_RUN_{name.upper()}", None)
        for name in ("guard", "trim", "report")
    }
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
        guard=options["guard"] == "1",
        trim=options["trim"] == "1",
        report=options["report"],
    )


_step_aside()
_begin()
_import_users()

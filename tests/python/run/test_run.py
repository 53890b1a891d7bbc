"""keraser run: Python as it is, but for what is guarded, swept and told at the end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = sys.executable
KERASER = str(Path(PYTHON).parent / "keraser")
ZOO = Path(__file__).parent.parent / "zoo"

SHOW = """
import json, os, sys
print(json.dumps([
    __name__, sys.argv, sys.path, os.environ.get("PYTHONPATH"), sys.executable,
    sorted(name for name in os.environ if name.startswith("KERASER")),
    sys.stdin.read(), getattr(sys.modules.get("sitecustomize"), "whose", None),
]))
"""


def call(command, cwd, stdin="", **environment):
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "show.py").write_text(SHOW)
    return tmp_path


def both(arguments, cwd, stdin="", **environment):
    """What plain Python and keraser run make of the same arguments."""
    plain = call([PYTHON, *arguments], cwd, stdin, **environment)
    ours = call([KERASER, "run", *arguments], cwd, stdin, **environment)
    return plain, ours


@pytest.mark.parametrize(
    "arguments",
    [
        ["show.py", "a", "--trim", "-m"],
        ["-m", "show", "a"],
        ["-c", SHOW, "a"],
        ["-", "a"],
    ],
)
def test_the_program_sees_what_it_sees_under_python(folder, arguments):
    stdin = SHOW if arguments[0] == "-" else "some text"
    plain, ours = both(arguments, folder, stdin)
    assert ours.stdout == plain.stdout
    assert ours.returncode == plain.returncode == 0
    assert json.loads(ours.stdout)[0] == "__main__"
    assert "keraser: 0 models" in ours.stderr


def test_pythonpath_and_the_users_sitecustomize_are_as_they_were(folder):
    (folder / "mine").mkdir()
    (folder / "mine" / "sitecustomize.py").write_text("whose = 'mine'")
    for path in ("", str(folder / "mine"), f"{folder}/mine:/nowhere"):
        plain, ours = both(["show.py"], folder, PYTHONPATH=path)
        assert ours.stdout == plain.stdout
        assert json.loads(ours.stdout)[7] == ("mine" if path else None)


@pytest.mark.parametrize(
    ("program", "status"),
    [("import sys; sys.exit(3)", 3), ("1 / 0", 1), ("import os; os._exit(7)", 7)],
)
def test_exit_statuses_are_the_programs(folder, program, status):
    plain, ours = both(["-c", program], folder)
    assert ours.returncode == plain.returncode == status
    assert "ZeroDivisionError" in ours.stderr or status != 1


def test_a_script_that_is_not_there_is_pythons_affair(folder):
    plain, ours = both(["missing.py"], folder)
    assert ours.returncode == plain.returncode == 2
    assert "missing.py" in ours.stderr


def test_signals_reach_the_program_itself(folder):
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    for sent, status in ((signal.SIGTERM, 42), (signal.SIGKILL, -signal.SIGKILL)):
        child = subprocess.Popen(
            [KERASER, "run", "-c", program],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "ready\n"
        child.send_signal(sent)
        child.communicate(timeout=60)
        assert child.returncode == status


def test_children_report_nothing(folder):
    program = (
        "import os, subprocess, sys\n"
        "if os.fork() == 0: sys.exit(0)\n"
        "os.wait()\n"
        "subprocess.run([sys.executable, '-c', 'pass'], check=True)\n"
    )
    ours = call([KERASER, "run", "-c", program], folder)
    assert ours.returncode == 0
    assert ours.stderr.count("keraser:") == 1


def test_settings_that_the_user_made_stay(folder):
    program = "import os; print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])"
    command = [KERASER, "run", "-c", program]
    assert call(command, folder, TF_FORCE_GPU_ALLOW_GROWTH="false").stdout == "false\n"
    assert call(command, folder).stdout == "true\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "which verb?"),
        (["walk"], "no verb 'walk'"),
        (["run"], "run what?"),
        (["run", "--fast", "x.py"], "no option '--fast'"),
        (["run", "--report"], "needs a path"),
    ],
)
def test_mistakes_are_told_with_what_to_do(folder, arguments, told):
    ours = call([KERASER, *arguments], folder)
    assert ours.returncode == 2
    cause, cure = ours.stderr.splitlines()
    assert told in cause
    assert "keraser" in cure


def test_another_python_is_found_or_refused(folder):
    missing = call([KERASER, "run", "--python", "/none", "show.py"], folder)
    assert missing.returncode == 1
    assert "no Python at /none" in missing.stderr
    bare = str(Path(sys.base_prefix) / "bin" / "python3")
    without = call([KERASER, "run", "--python", bare, "show.py"], folder)
    assert without.returncode == 2
    assert "cannot import keraser" in without.stderr
    assert "pip install keraser" in without.stderr


def test_help_and_version(folder):
    import keraser

    for arguments in (["--help"], ["run", "--help"], ["help"]):
        assert "usage: keraser" in call([KERASER, *arguments], folder).stdout
    told = call([KERASER, "--version"], folder).stdout
    assert told == f"keraser {keraser.__version__}\n"


def test_a_report_that_cannot_be_written_is_told_and_harms_nothing(folder):
    ours = call([KERASER, "run", "--report", "/none/r.json", "-c", "pass"], folder)
    assert ours.returncode == 0
    assert "keraser:" in ours.stderr


def test_the_report_as_json(folder):
    call([KERASER, "run", "--trim", "--report", "r.json", "-c", "pass"], folder)
    told = json.loads((folder / "r.json").read_text())
    assert (told["schema_version"], told["models"], told["trim"]) == (1, 0, True)
    assert told["process"]["rss"] > 0


#: A script that knows nothing of keraser: a recipe of the zoo in a loop, and what is
#: left of its functions and weights in the end.
LEAKING = """
import gc, sys, tempfile
sys.path.insert(0, {zoo!r})
import recipes
state = {{"folder": tempfile.mkdtemp(), "full_size": False}}
for trial in range(6):
    model = recipes.{recipe}(state, trial)
    del model
gc.collect()
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.framework.ops import EagerTensor
things = gc.get_objects()
handles = sum(type(t) is EagerTensor and t.dtype == tf.resource for t in things)
print(sum(isinstance(thing, FuncGraph) for thing in things), handles)
"""


def left(command, folder, recipe):
    (folder / "script.py").write_text(LEAKING.format(zoo=str(ZOO), recipe=recipe))
    done = call([*command, "script.py"], folder)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()[-2:]], done.stderr


def test_a_leaking_script_leaves_nothing(folder):
    (graphs, handles), _ = left([PYTHON], folder, "fit_loop")
    assert graphs > 100
    assert handles > 100
    found, told = left([KERASER, "run"], folder, "fit_loop")
    assert found == [0, 0]
    assert "could not" not in told

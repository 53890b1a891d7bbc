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
    assert "keraser: ended" in ours.stderr


def test_the_environment_is_as_it_was_for_the_program_and_its_children(folder):
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {show!r}])"
    for program in (show, child):
        seen = [json.loads(done.stdout) for done in both(["-c", program], folder)]
        plain, ours = seen
        assert ours.pop("TF_FORCE_GPU_ALLOW_GROWTH") == "true"
        assert ours == plain


def test_modules_of_the_program_may_be_called_like_those_of_the_library(folder):
    names = ("json", "statistics", "random", "html", "dataclasses", "typing", "re")
    for name in names:
        (folder / f"{name}.py").write_text("mine = True")
    program = f"import {', '.join(names)}\nprint({'.mine, '.join(names)}.mine)"
    (folder / "script.py").write_text(program)
    plain, ours = both(["script.py"], folder)
    assert ours.stdout == plain.stdout == "True " * 6 + "True\n"
    assert "could not" not in ours.stderr


def test_nothing_is_said_where_there_is_no_stderr(folder):
    program = "import sys; assert sys.stderr is None; print('out')"
    command = f'exec {KERASER} run -c "{program}" 2>&-'
    assert call(["sh", "-c", command], folder).stdout == "out\n"


def test_pythonpath_and_the_users_sitecustomize_are_as_they_were(folder):
    (folder / "mine").mkdir()
    (folder / "mine" / "sitecustomize.py").write_text("whose = 'mine'")
    for path in ("", str(folder / "mine"), f"{folder}/mine:/nowhere"):
        plain, ours = both(["show.py"], folder, PYTHONPATH=path)
        assert ours.stdout == plain.stdout
        assert json.loads(ours.stdout)[7] == ("mine" if path else None)


def test_a_sitecustomize_that_fails_does_so_as_under_python(folder):
    (folder / "sitecustomize.py").write_text("1 / 0")
    plain, ours = both(["-c", "print('on')"], folder, PYTHONPATH=str(folder))
    assert ours.stdout == plain.stdout == "on\n"
    assert "Error in sitecustomize" in plain.stderr
    assert ours.stderr.startswith(plain.stderr)
    assert "keraser: ended" in ours.stderr


@pytest.mark.parametrize(
    ("program", "status"),
    [("import sys; sys.exit(3)", 3), ("1 / 0", 1), ("import os; os._exit(7)", 7)],
)
def test_exit_statuses_are_the_programs(folder, program, status):
    plain, ours = both(["-c", program], folder)
    assert ours.returncode == plain.returncode == status
    assert ours.stderr.startswith(plain.stderr)
    assert ("keraser: ended" in ours.stderr) == (status != 7)
    assert ("ended by ZeroDivisionError" in ours.stderr) == (status == 1)


def test_a_script_that_is_not_there_is_pythons_affair(folder):
    plain, ours = both(["missing.py"], folder)
    assert ours.returncode == plain.returncode == 2
    assert "missing.py" in plain.stderr
    assert ours.stderr.startswith(plain.stderr)


def test_signals_reach_the_program_itself(folder):
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.1)\n"
    )
    sigint, sigkill = signal.SIGINT, signal.SIGKILL
    for sent, status, says in (
        (signal.SIGTERM, 42, "keraser: ended after"),
        (sigint, -sigint, "keraser: ended by KeyboardInterrupt"),
        (sigkill, -sigkill, ""),
    ):
        child = subprocess.Popen(
            [KERASER, "run", "-c", program],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "ready\n"
        child.send_signal(sent)
        _, told = child.communicate(timeout=60)
        assert child.returncode == status
        assert says in told if says else not told


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


def test_a_forked_child_does_nothing_of_ours(folder):
    program = (
        "import os\n"
        "from keraser.running import Run\n"
        "run = Run(guard=True, trim=False, report=None)\n"
        "child = os.fork()\n"
        "run.safely(os.write, 1, b'parent' if child else b'child')\n"
        "if child: os.wait()\n"
    )
    assert call([PYTHON, "-c", program], folder).stdout == "parent"


#: A keras of our own; what is told when, in the order of events.
IMPORTS = """
import sys
sys.path.insert(0, ".")
from keraser.adapters.on_import import when_imported
import importlib.util
before = [f for f in sys.meta_path if "on_import" not in type(f).__module__]
when_imported(lambda: print("told"))
spec = importlib.util.find_spec("keras")
print("asked", spec.origin.endswith("__init__.py"), spec.name)
try:
    import keras
except ValueError:
    print("failed")
import keras
print("imported", keras.__spec__.loader is keras.__loader__, type(keras.__loader__))
print(sys.meta_path == before)
when_imported(lambda: print("told at once"))
"""


def test_keras_is_seen_whoever_asks_for_it_first(folder):
    (folder / "keras").mkdir()
    (folder / "keras" / "__init__.py").write_text(
        "import pathlib\n"
        "mark = pathlib.Path('tried')\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    raise ValueError\n"
        "print('runs')\n"
    )
    assert call([PYTHON, "-c", IMPORTS], folder).stdout.splitlines() == [
        "asked True keras",
        "failed",
        "runs",
        "told",
        "imported True <class '_frozen_importlib_external.SourceFileLoader'>",
        "True",
        "told at once",
    ]


def test_all_who_wait_for_keras_are_called_once_and_its_loader_is_its_own(folder):
    (folder / "keras.py").write_text("loaded = True")
    program = (
        "from keraser.adapters.on_import import when_imported\n"
        "when_imported(lambda: print('first'))\n"
        "when_imported(lambda: print('second'))\n"
        "import keras, sys\n"
        "print(keras.loaded, type(keras.__loader__).__name__)\n"
        "print([f for f in sys.meta_path if 'on_import' in type(f).__module__])\n"
    )
    told = call([PYTHON, "-c", program], folder).stdout.splitlines()
    assert told == ["first", "second", "True SourceFileLoader", "[]"]


def test_gpu_memory_is_armed_as_keras_comes_or_a_warning_says_why_not(folder):
    program = (
        "import os, keras; from keraser import _core; "
        "print(_core.gpu_armed(), os.environ['KERASER_GPU'])"
    )
    done = call(
        [KERASER, "run", "--gpu", "-c", f"import tensorflow, {program[7:]}"], "/"
    )
    assert done.stdout.splitlines()[-1] == "True arm", done.stderr
    (folder / "keras.py").write_text("")
    program = f"import keraser, {program[7:]}"
    done = call([PYTHON, "-c", program], folder, KERASER_GPU="arm")
    assert done.stdout == "False arm\n", done.stderr
    assert "GPU memory was not armed: TensorFlow is not imported yet" in done.stderr


def test_what_cannot_be_guarded_is_told_in_the_end(folder):
    (folder / "keras.py").write_text("class config: backend = lambda: 'jax'")
    (folder / "tf_keras.py").write_text("")
    for module, told in (
        ("keras", "UnsupportedError: Keras runs on jax"),
        ("tf_keras", "the program uses tf_keras"),
    ):
        ours = call([KERASER, "run", "-c", f"import {module}"], folder)
        assert ours.returncode == 0
        assert f"could not do all it should: {told}" in ours.stderr


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
    assert missing.returncode == 127
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
    assert "could not do all it should: FileNotFoundError" in ours.stderr


def test_a_folder_that_is_gone_is_no_obstacle(folder):
    (folder / "gone").mkdir()
    (folder / "sitecustomize.py").write_text("print('mine')")
    program = "cd gone && rmdir ../gone && exec {} -c 'print(1)'"
    plain = call(["sh", "-c", program.format(PYTHON)], folder, PYTHONPATH=str(folder))
    (folder / "gone").mkdir()
    run = f"{KERASER} run --report r.json"
    ours = call(["sh", "-c", program.format(run)], folder, PYTHONPATH=str(folder))
    assert ours.stdout == plain.stdout == "mine\n1\n"
    assert "could not do all it should: FileNotFoundError" in ours.stderr
    assert "Error in sitecustomize" not in ours.stderr


def test_the_report_as_json(folder):
    program = "import os; os.chdir('/'); raise ValueError"
    call([KERASER, "run", "--trim", "--report", "r.json", "-c", program], folder)
    told = json.loads((folder / "r.json").read_text())
    assert (told["schema_version"], told["models"], told["trim"]) == (1, 0, True)
    assert told["guard"]
    assert told["process"]["rss"] > 0
    assert told["error"] == "ValueError"
    assert told["problems"] == {}


#: A script that knows nothing of keraser: recipes of the zoo in loops, and what is left
#: of their functions and weights in the end. The collector never runs by itself.
LEAKING = """
import gc, sys, tempfile
sys.path.insert(0, {zoo!r})
import recipes
gc.disable()
for name in {recipes!r}:
    state = {{"folder": tempfile.mkdtemp(), "full_size": False}}
    for trial in range(4):
        getattr(recipes, name)(state, trial)
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.framework.ops import EagerTensor
for _ in range(2):
    things = gc.get_objects()
    handles = sum(type(t) is EagerTensor and t.dtype == tf.resource for t in things)
    print("left", sum(isinstance(thing, FuncGraph) for thing in things), handles)
    del things
    gc.collect()
"""

KEPT_BY_THE_REGISTRY = ("fit_loop", "custom_gradient_layer", "fit_nested")


def left(command, folder):
    """FuncGraphs and handles at the end, before and after a collection."""
    text = LEAKING.format(zoo=str(ZOO), recipes=KEPT_BY_THE_REGISTRY)
    (folder / "script.py").write_text(text)
    done = call([*command, "script.py"], folder)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("left")]
    return [[int(word) for word in line.split()[1:]] for line in lines]


def test_a_leaking_script_leaves_nothing(folder):
    before, leaked = left([PYTHON], folder)
    assert min(leaked) > 100
    swept, found = left([KERASER, "run", "--report", "r.json"], folder)
    assert found == [0, 0]
    assert swept[0] < before[0]
    assert swept[1] < before[1]
    told = json.loads((folder / "r.json").read_text())
    assert told["problems"] == {}
    assert told["models"] > 12
    assert told["sweeps"] > 0
    assert told["let_go"] > 0
    assert [told["left"][name] for name in ("models", "graphs", "handles")] == [0, 0, 0]

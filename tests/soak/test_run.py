"""keraser run: each recipe whose models TensorFlow's gradient registry keeps, as a
script that knows nothing of keraser, leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ZOO = Path(__file__).parents[1] / "python" / "zoo"
sys.path.insert(0, str(ZOO))

from catalogue import RECIPES  # noqa: E402

KERASER = str(Path(sys.executable).parent / "keraser")

SCRIPT = """
import gc, sys, tempfile
sys.path.insert(0, {zoo!r})
import recipes
state = {{"folder": tempfile.mkdtemp(), "full_size": False}}
for trial in range(5):
    model = recipes.{recipe}(state, trial)
    del model
state.clear()
gc.collect()
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.framework.ops import EagerTensor
things = gc.get_objects()
handles = sum(type(t) is EagerTensor and t.dtype == tf.resource for t in things)
print("left", sum(isinstance(thing, FuncGraph) for thing in things), handles)
"""


@pytest.mark.parametrize("recipe", [n for n, facts in RECIPES.items() if facts.guarded])
def test_an_unmodified_script_leaves_nothing(tmp_path, recipe):
    (tmp_path / "script.py").write_text(SCRIPT.format(zoo=str(ZOO), recipe=recipe))
    left = {}
    for way in ([sys.executable], [KERASER, "run", "--report", "r.json"]):
        done = subprocess.run(
            [*way, "script.py"],
            cwd=tmp_path,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        words = done.stdout.split()
        left[len(way)] = [int(word) for word in words[words.index("left") + 1 :][:2]]
    assert left[4] == [0, 0]
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["problems"] == {}
    assert told["models"] > 0
    assert told["left"]["graphs"] == 0
    if RECIPES[recipe].leaks:
        assert left[1][0] > 0

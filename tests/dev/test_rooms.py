"""tools/rooms.py: each rule is broken once, and kept once."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def rooms(root):
    command = [sys.executable, REPOSITORY / "tools/rooms.py", root]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def house(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return rooms(root)


@pytest.mark.parametrize(
    ("path", "line", "reason"),
    [
        ("src/base/a.c", '#include "heap/graph.h"', "src/base may not include"),
        ("src/heap/a.c", '#include "proc/process.h"', "src/heap may not include"),
        ("src/heap/a.c", '#include "../proc/process.h"', "src/heap may not include"),
        ("src/heap/a.c", "#include <Python.h>", "may not know Python.h"),
        ("src/gpu/a.c", "  # include <cuda.h>", "may not know cuda.h"),
        ("src/gpu/a.h", '#include "server/loop.h"', "src/gpu may not include"),
        ("cli/why.c", '#include "heap/graph.h"', "cli may not include"),
        ("cli/why.c", '#include "wire/socket.h"', "cli may not include"),
        ("python/_core/a.c", '#include "base/array.h"', "python/_core may not include"),
        ("python/_core/a.c", "#include <tensorflow/c/c_api.h>", "may not know"),
        ("python/keraser/a.py", "import keras", "import keras only in adapters/"),
        ("python/keraser/a.py", "def f():\n    import tensorflow as tf", "adapters/"),
        ("python/keraser/a.py", "from keras import layers", "only in adapters/"),
        ("python/keraser/a.py", "import sys\nsys.modules['keras']", "names keras"),
        ("python/keraser/a.py", "x = tf.zeros(1)", "only adapters/ names tf"),
        ("python/keraser/a.py", "x = y._keras_history", "names _keras_history"),
        ("python/keraser/a.py", "m = 'tensorflow.python.eager'", "only adapters/"),
        ("python/keraser/a.py", "from .adapters import keras_tf", "base.py only"),
        ("python/keraser/a.py", "import keraser.adapters.keras_tf", "base.py only"),
        ("python/keraser/adapters/a/b.py", "import torch", "inside the function"),
        ("python/keraser/adapters/a.py", "import keras", "inside the function"),
        (
            "python/keraser/adapters/a.py",
            "if x:\n    import jax",
            "inside the function",
        ),
    ],
)
def test_a_breach_is_named_with_its_file(tmp_path, path, line, reason):
    result = house(tmp_path, path, line + "\n")
    assert result.returncode == 1
    assert result.stdout.startswith(f"{path}:")
    assert reason in result.stdout


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("src/heap/a.c", '#include "keraser.h"\n#include "base/array.h"'),
        ("src/heap/a.c", '#include "heap/graph.h"\n#include <stdlib.h>'),
        ("src/server/a.c", '#include "wire/protocol.h"\n#include "proc/process.h"'),
        ("cli/why.c", '#include "keraser.h"\n#include "wire/protocol.h"'),
        ("python/_core/a.c", "#include <Python.h>\n#include <cpython/code.h>"),
        ("python/keraser/a.py", '"""Frees what Keras holds: keras and tf."""'),
        ("python/keraser/a.py", "from keraser.adapters import base"),
        ("python/keraser/a.py", "from .adapters.base import adapter_of"),
        ("python/keraser/a.py", "from keraser.adapters.on_import import f"),
        ("python/keraser/adapters/a.py", "def f():\n    import keras"),
        ("python/keraser/adapters/a/b.py", "def f():\n    import jax\n    jax.keras"),
        ("python/keraser/adapters/a.py", "from . import keras_tf\nx.keras = 1"),
    ],
)
def test_what_the_rules_allow_passes(tmp_path, path, line):
    result = house(tmp_path, path, line + "\n")
    assert result.returncode == 0, result.stdout


def test_a_neighbour_is_included_by_its_name(tmp_path):
    (tmp_path / "python/_core").mkdir(parents=True)
    (tmp_path / "python/_core/state.h").touch()
    result = house(tmp_path, "python/_core/a.c", '#include "state.h"\n')
    assert result.returncode == 0, result.stdout


def test_a_house_without_rooms_is_not_clean(tmp_path):
    assert rooms(tmp_path).returncode == 1

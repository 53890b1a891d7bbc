"""Isolated trials in a real Jupyter kernel and in IPython."""

import os
import signal
import subprocess
import sys
import time

import pytest
from jupyter_client.manager import start_new_kernel
from processes import is_alive, wait_for

PATIENCE = 60


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, code, wait=True):
    """What a cell put out by stream name; its error under "error"."""
    request = client.execute(code)
    if not wait:
        return request
    return outputs_of(client, request)


def outputs_of(client, request):
    found = {"stdout": "", "stderr": "", "error": ""}
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            found[content["name"]] += content["text"]
        elif message["msg_type"] == "error":
            found["error"] = "\n".join(content["traceback"])
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return found


def test_what_a_notebook_defines_runs_and_prints_under_the_cell_that_asked(kernel):
    _, client = kernel
    made = run(
        client,
        "import keraser, os\n"
        "executor = keraser.TrialExecutor(preload=())\n"
        "scale = 3\n"
        "class Trial:\n"
        "    def __init__(self, value): self.value = value\n"
        "def train(units):\n"
        "    print('training', units)\n"
        "    return Trial(scale * units)\n",
    )
    assert made == {"stdout": "", "stderr": "", "error": ""}
    first = run(client, "trial = executor.submit(train, 5).result(); import time")
    assert first == {"stdout": "training 5\n", "stderr": "", "error": ""}
    came = run(client, "print(type(trial) is Trial, trial.value)")
    assert came["stdout"] == "True 15\n"
    again = run(client, "scale = 4; print(executor.submit(train, 6).result().value)")
    assert again["stdout"].splitlines() == ["training 6", "24"]


def test_an_error_shows_the_lines_of_the_trial(kernel):
    _, client = kernel
    shown = run(
        client,
        "def fail():\n    raise LookupError('no such thing')\n"
        "executor.submit(fail).result()",
    )["error"]
    assert "no such thing" in shown
    assert "in fail" in shown


def test_interrupting_the_kernel_leaves_the_executor_in_order(kernel):
    manager, client = kernel
    request = run(
        client,
        "print('ready\\n', end='', flush=True)\n"  # one write is one message
        "waiting = executor.submit(time.sleep, 600)\nwaiting.result()",
        wait=False,
    )
    while not any_ready(client, request):
        pass
    time.sleep(0.5)
    manager.interrupt_kernel()
    assert "KeyboardInterrupt" in outputs_of(client, request)["error"]
    stopped = run(client, "waiting.stop(0); print(repr(waiting.exception()))")
    assert "TrialError" in stopped["stdout"]
    assert run(client, "print(executor.submit(abs, -1).result())")["stdout"] == "1\n"


def any_ready(client, request):
    message = client.get_iopub_msg(timeout=PATIENCE)
    mine = message["parent_header"].get("msg_id") == request
    return mine and message["content"].get("text") == "ready\n"


def test_a_kernel_that_is_killed_leaves_nobody(kernel):
    manager, client = kernel
    told = run(
        client,
        "stats = executor.stats()\n"
        "print(stats.server_pid, *(row.pid for row in stats.workers))",
    )
    pids = [int(word) for word in told["stdout"].split()]
    assert len(pids) >= 2
    os.kill(manager.provisioner.pid, signal.SIGKILL)
    assert wait_for(lambda: not any(map(is_alive, pids)))


def test_ipython_runs_what_was_typed():
    typed = (
        "import keraser\n"
        "factor = 6\n"
        "def work(x): return factor * x\n"
        "with keraser.TrialExecutor(preload=()) as executor: "
        "print('answer', executor.submit(work, 7).result())\n\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner"],
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "answer 42" in done.stdout, done.stdout + done.stderr

"""Starts an arm as a process and reads what it reports, line by line."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ARM = Path(__file__).with_name("arm.py")

#: How much of a failed arm's standard error is shown.
TAIL_LINES = 25


class ArmError(Exception):
    """An arm ended before its last trial; the text says how, with its last words."""


def messages(way, options):
    """Runs one arm and yields each of its reports, a dict, as it comes.

    The process ends with the generator, whether that is read to its end or closed.
    Raises ArmError if the arm fails.
    """
    command = [sys.executable, str(ARM), way.key]
    command += ["--trials", str(options.trials), "--units", str(options.units)]
    if way is options.name_holder_of:
        command.append("--name-holder")
    with tempfile.TemporaryFile("w+") as errors:
        arm = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment()
        )
        try:
            for line in arm.stdout:
                yield json.loads(line)
            status = arm.wait()
        finally:
            arm.kill()
            arm.wait()
            arm.stdout.close()
        if status:
            raise ArmError(f"{way.short}: {outcome(status)}\n{tail(errors)}")


def environment():
    """TensorFlow's default settings, without its C++ chatter. The demo is about host
    memory: a GPU would hold the weights elsewhere, so none is shown to it."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def outcome(status):
    return f"ended by signal {-status}" if status < 0 else f"exit status {status}"


def tail(errors):
    errors.seek(0)
    return "".join(errors.readlines()[-TAIL_LINES:]).rstrip()

"""What cannot be read is refused in a line, at once; what becomes of a process while it
is read is told, and nothing hangs."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
import reader

SLEEPS = "print('ready', flush=True); import time; time.sleep(600)"
FORKS = """
import os, sys, time
class Model:
    __module__, __qualname__ = "keras.src.models.model", "Model"
model = Model(); model.name = "kept"
child = os.fork()
if child == 0:
    time.sleep(600)
print("ready", flush=True)
for _ in sys.stdin:
    print(child, flush=True)
"""


def assert_refused(done, words, status=reader.REFUSED):
    assert done.returncode == status, done
    assert done.stdout == ""
    cause, *cure = done.stderr.splitlines()
    assert cause.startswith("keraser: "), done.stderr
    assert words in cause, done.stderr
    assert len(cure) <= 1


def test_a_process_that_is_none_is_refused():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert_refused(
        reader.why(gone.pid), f"there is no process {gone.pid}", reader.ABSENT
    )


def test_a_zombie_is_refused():
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert_refused(
        reader.why(ended.pid), f"process {ended.pid} has ended", reader.ABSENT
    )
    ended.wait()


def test_a_program_that_is_not_python_is_refused():
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            assert_refused(reader.why(other.pid), f"process {other.pid} is not CPython")
        finally:
            other.kill()


@pytest.mark.parametrize(
    "words", [[], ["x"], ["0"], ["-1"], ["1", "2", "3"], ["1", "-j"]]
)
def test_what_is_no_question_is_a_mistake(words):
    done = subprocess.run(
        [reader.KERASER, "why", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--help" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_is_refused():
    with (
        tempfile.TemporaryDirectory() as folder,
        reader.Program("-c", SLEEPS) as program,
    ):
        os.chmod(folder, 0o755)  # the other user has to get at a copy
        theirs = shutil.copy(reader.KERASER, folder)
        done = reader.why(program.pid, keraser=theirs, user=65534, group=65534)
        assert_refused(done, f"process {program.pid} is another user's", reader.DENIED)


def test_a_stopped_process_is_read_as_it_stands_and_said_to_be():
    with reader.Program(reader.HOLDERS) as program:
        program.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WNOWAIT)
        told = reader.read(program.pid)
        assert told["stopped"]
        assert "plain" in told["by_name"]
        assert "it is stopped" in reader.why(program.pid).stdout
        program.process.send_signal(signal.SIGCONT)
        assert program.ask().isdigit()


def test_parent_and_child_of_a_fork_are_read_alike():
    with reader.Program("-c", FORKS) as program:
        child = int(program.ask())
        try:
            for pid in (program.pid, child):
                (model,) = reader.read(pid)["models"]
                assert [h["path"] for h in model["holders"]] == ['variable "model"']
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_process_that_ends_meanwhile_is_told():
    """Killed at a random moment: either it was read in time, or the line says so."""
    answers = set()
    for _ in range(25):
        with reader.Program("-c", SLEEPS) as program:
            asked = subprocess.Popen(
                [reader.KERASER, "why", str(program.pid)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(random.random() * 0.03)
            program.process.kill()
            said = asked.communicate(timeout=reader.LIMIT)[1]
            answers.add(asked.returncode)
            if asked.returncode != 0:
                assert "ended" in said or "no process" in said, said
    assert answers <= {0, reader.REFUSED, reader.ABSENT}


def test_a_program_that_becomes_another_is_told_or_was_read():
    code = "import os, sys, time; print('ready', flush=True); sys.stdin.readline();"
    code += " os.execvp('sleep', ['sleep', '600'])"
    for _ in range(10):
        with reader.Program("-c", code) as program:
            program.process.stdin.write("\n")
            program.process.stdin.flush()
            time.sleep(random.random() * 0.01)
            done = reader.why(program.pid)
            assert done.returncode in (0, reader.REFUSED), done
            if done.returncode:
                assert_refused(done, f"process {program.pid}")


def test_help_says_what_it_does():
    done = subprocess.run(
        [reader.KERASER, "why", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: keraser why PID")

"""Ends of servers, of trials' processes and of the program itself: nobody is left."""

import gc
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import warnings

import keraser
import pytest
from processes import descendants, is_alive, preload_with, wait_for


def start(folder, code):
    """A program of its own, from a file."""
    (folder / "program.py").write_text(code)
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_script_needs_no_main_guard_and_is_not_run_again(tmp_path):
    program = start(
        tmp_path,
        "import keraser\n"
        "print('begins')\n"
        "class Point:\n"
        "    def __init__(self, x): self.x = x\n"
        "def move(point, by): return Point(point.x + by)\n"
        "with keraser.TrialExecutor(preload=()) as executor:\n"
        "    moved = executor.submit(move, Point(1), 2).result()\n"
        "print(type(moved) is Point, moved.x)\n",
    )
    assert program.communicate(timeout=60) == ("begins\nTrue 3\n", "")


def test_a_program_that_ends_without_shutdown_finishes_its_trials(tmp_path):
    program = start(
        tmp_path,
        "import keraser, pathlib, time\n"
        "executor = keraser.TrialExecutor(preload=())\n"
        "for name in 'ab':\n"
        "    file = pathlib.Path(name)\n"
        "    executor.submit(lambda file: time.sleep(0.2) or file.touch(), file)\n",
    )
    assert program.communicate(timeout=60) == ("", "")
    assert {"a", "b"} <= set(os.listdir(tmp_path))


WAITING = (
    "import keraser, os, time\n"
    "executor = keraser.TrialExecutor(preload=(), workers=2)\n"
    "with executor:\n"
    "    futures = [executor.submit(time.sleep, 600) for _ in range(3)]\n"
    "    while sum(r.state == 'running' for r in executor.stats().workers) < 2:\n"
    "        time.sleep(0.01)\n"
    "    print('ready', flush=True)\n"
    "    futures[0].result()\n"
)


def test_ctrl_c_ends_a_program_that_uses_no_with_block(tmp_path):
    program = start(tmp_path, WAITING.replace("with executor:", "if True:"))
    assert program.stdout.readline() == "ready\n"
    everybody = descendants(program.pid)
    program.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in program.communicate(timeout=60)[1]
    assert wait_for(lambda: not any(map(is_alive, everybody)))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_program_dies_everything_dies(tmp_path, number):
    program = start(tmp_path, WAITING)
    assert program.stdout.readline() == "ready\n"
    everybody = descendants(program.pid)
    assert len(everybody) >= 3  # server, two workers, spares
    program.send_signal(number)
    _, errors = program.communicate(timeout=60)
    assert program.returncode != 0
    assert wait_for(lambda: not any(map(is_alive, everybody)))
    if number == signal.SIGINT:
        assert "KeyboardInterrupt" in errors


def test_what_a_trial_leaves_behind_goes_with_it():
    def litter():
        kept = subprocess.Popen(["sleep", "600"])
        daemon = subprocess.run(
            ["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"],
            capture_output=True,
            text=True,
            check=True,
        )
        return kept.pid, int(daemon.stdout)

    with keraser.TrialExecutor(preload=()) as executor:
        left = executor.submit(litter).result()
        assert wait_for(lambda: not any(map(is_alive, left)))


def test_a_server_that_dies_takes_its_trials_and_the_next_has_another():
    with keraser.TrialExecutor(preload=()) as executor:
        assert executor.submit(len, "a").result() == 1
        lost = executor.submit(time.sleep, 600)
        while not any(row.state == "running" for row in executor.stats().workers):
            time.sleep(0.01)
        stats = executor.stats()
        workers = [row.pid for row in stats.workers]
        os.kill(stats.server_pid, signal.SIGKILL)
        with pytest.raises(keraser.TrialCrashed, match=r"fork server.*-9"):
            lost.result(timeout=60)
        assert wait_for(lambda: not any(map(is_alive, workers)))
        assert executor.submit(len, "ab").result(timeout=60) == 2
        assert executor.stats().servers == 2


def test_a_server_that_cannot_be_started_again_is_an_error(monkeypatch):
    with keraser.TrialExecutor(preload=()) as executor:
        assert executor.submit(len, "a").result() == 1
        os.kill(executor.stats().server_pid, signal.SIGKILL)
        assert wait_for(lambda: executor.stats().server_pid == 0)
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(FileNotFoundError, match="nowhere"):
            executor.submit(len, "ab").result(timeout=60)
        monkeypatch.undo()
        assert executor.submit(len, "abc").result(timeout=60) == 3


def test_what_is_asked_of_a_server_that_has_gone_harms_nobody():
    """Its descriptor may be somebody else's by then."""
    with keraser.TrialExecutor(preload=()) as executor:
        lost = executor.submit(time.sleep, 600)
        while not any(row.state == "running" for row in executor.stats().workers):
            time.sleep(0.01)
        link = executor._dispatcher._link
        before = set(os.listdir("/proc/self/fd"))
        os.kill(link.server.pid, signal.SIGKILL)
        assert lost.exception(timeout=60) is not None
        assert wait_for(lambda: set(os.listdir("/proc/self/fd")) < before)
        ends = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in "abcd"
        ]
        link.stop(1, 0)
        link.request()
        with pytest.raises(OSError, match="has gone"):
            link._send(0, 0, ())
        for end in itertools.chain(*ends):
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.recv(10)
    for end in itertools.chain(*ends):
        end.close()


def test_a_server_that_never_comes_up_is_an_error_with_what_it_said(tmp_path):
    (tmp_path / "falls_over.py").write_text(
        "import os, sys\n"
        "print('cannot go on', file=sys.stderr, flush=True)\n"
        "os._exit(7)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        executor = keraser.TrialExecutor(preload=("falls_over",))
    futures = [executor.submit(len, "") for _ in range(3)]
    for future in futures:
        with pytest.raises(keraser.TrialCrashed, match=r"status 7(.|\n)*cannot go on"):
            future.result(timeout=60)
    executor.shutdown()


def test_a_preload_that_fails_is_refused_by_name():
    with keraser.TrialExecutor(preload=("no_such_module",)) as executor:
        for _ in range(2):
            with pytest.raises(keraser.UnsupportedError, match="no_such_module"):
                executor.submit(len, "").result(timeout=60)


def test_a_server_with_a_thread_is_refused_by_its_name(tmp_path):
    text = (
        "import threading, time, ctypes\n"
        "def stay():\n"
        "    ctypes.CDLL(None).prctl(15, b'lingering')\n"
        "    time.sleep(600)\n"
        "threading.Thread(target=stay, daemon=True).start()\n"
        "time.sleep(0.2)\n"
    )
    with preload_with(tmp_path, text) as executor:
        error = executor.submit(len, "").exception(timeout=60)
    assert isinstance(error, keraser.UnsupportedError)
    assert "2 threads: lingering" in str(error)


def test_a_server_that_gets_a_thread_later_is_replaced_and_says_so(tmp_path):
    """With the third fork; calls go on as if nothing had happened."""
    text = (
        "import os, threading, time\n"
        "forks = []\n"
        "def before():\n"
        "    forks.append(1)\n"
        "    if len(forks) == 3:\n"
        "        stay = threading.Thread(target=time.sleep, args=(600,), daemon=True)\n"
        "        stay.start()\n"
        "os.register_at_fork(before=before)\n"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with preload_with(tmp_path, text) as executor:
            values = [executor.submit(abs, -n).result(timeout=60) for n in range(8)]
            servers = executor.stats().servers
    assert values == list(range(8))
    assert servers > 1
    said = [str(w.message) for w in caught if w.category is RuntimeWarning]
    assert len(said) == servers - 1
    assert "2 threads" in said[0]
    assert "another fork server" in said[0]


def counts():
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "children": len(descendants(os.getpid())),
        "objects": len(gc.get_objects()),
    }


def test_trials_leave_nothing_in_the_program():
    with keraser.TrialExecutor(preload=(), output="keep") as executor:

        def run(rounds):
            for n in range(rounds):
                assert executor.submit(abs, -n).result() == n
                assert executor.submit(len, 3).exception() is not None
                assert executor.submit(os._exit, 1).exception() is not None
            assert wait_for(lambda: len(executor.stats().workers) == 1)

        run(5)
        before = counts()
        run(60)
        after = counts()
    assert after["objects"] - before["objects"] < 60
    del before["objects"], after["objects"]
    assert after == before


def test_an_executor_leaves_nothing_in_the_program():
    def once():
        with keraser.TrialExecutor(preload=()) as executor:
            executor.submit(len, "").result()

    once()
    before = counts()
    for _ in range(5):
        once()
    after = counts()
    assert after["objects"] - before["objects"] < 20
    del before["objects"], after["objects"]
    assert after == before


def test_trials_cancelled_before_a_server_is_lost_stop_nobody(tmp_path):
    text = "import os, time\ntime.sleep(0.5)\nos._exit(7)\n"
    with preload_with(tmp_path, text) as executor:
        futures = [executor.submit(len, "") for _ in range(4)]
        assert futures[1].cancel()
        errors = [futures[n].exception(timeout=60) for n in (0, 2, 3)]
    assert all(isinstance(error, keraser.TrialCrashed) for error in errors)


def test_an_error_that_cannot_be_read_is_one_of_its_trial(monkeypatch):
    def unreadable(descriptor):
        os.close(descriptor)
        raise keraser.KeraserError("not what was sent")

    with keraser.TrialExecutor(preload=()) as executor:
        monkeypatch.setattr("keraser.remote_errors.unpack_error", unreadable)
        error = executor.submit(len, 3).exception(timeout=60)
        monkeypatch.undo()
        assert "not what was sent" in str(error)
        assert executor.submit(len, "abc").result(timeout=60) == 3

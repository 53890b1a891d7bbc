"""TrialExecutor without TensorFlow: calls, futures, errors, ends, what is inherited."""

import concurrent.futures
import os
import pickle
import signal
import sys
import threading
import time

import keraser
import pytest
from processes import wait_for

MIB = 1 << 20


@pytest.fixture(scope="module")
def executor():
    with keraser.TrialExecutor(preload=()) as executor:
        yield executor


def test_a_call_runs_in_another_process_and_returns_its_result(executor):
    offset = 40
    future = executor.submit(lambda x, *, y: (os.getpid(), offset + x + y), 1, y=1)
    pid, value = future.result()
    assert value == 42
    assert pid not in (os.getpid(), executor.stats().server_pid)


def test_each_call_starts_from_the_same_state(executor):
    def count():
        sys.keraser_calls = getattr(sys, "keraser_calls", 0) + 1
        return os.getpid(), sys.keraser_calls

    ran = [executor.submit(count).result() for _ in range(3)]
    pids, counts = zip(*ran, strict=True)
    assert counts == (1, 1, 1)
    assert len(set(pids)) == 3


def test_it_is_an_executor_as_the_standard_library_has_them(executor):
    futures = [executor.submit(pow, 2, n) for n in range(5)]
    done = concurrent.futures.as_completed(futures, timeout=30)
    assert {future.result() for future in done} == {1, 2, 4, 8, 16}
    assert list(executor.map(pow, (2, 3), (5, 2))) == [32, 9]
    assert isinstance(executor, concurrent.futures.Executor)


def test_a_future_waits_no_longer_than_it_is_told(executor):
    future = executor.submit(time.sleep, 30)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0.05)
    future.stop(grace=0)
    with pytest.raises(keraser.TrialError, match="stopped"):
        future.result()


def test_an_exception_comes_with_the_traceback_of_the_trial(executor):
    class OddError(ValueError):
        pass

    def fail(value):
        raise OddError("no good", value)

    with pytest.raises(OddError) as caught:
        executor.submit(fail, 7).result()
    assert caught.value.args == ("no good", 7)
    said = str(caught.value.__cause__)
    assert "in fail" in said
    assert __file__ in said


def test_exit_in_a_trial_does_not_end_who_waits_for_it(executor):
    with pytest.raises(keraser.TrialError, match=r"SystemExit\(3\)"):
        executor.submit(sys.exit, 3).result()

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(keraser.TrialError, match="KeyboardInterrupt"):
        executor.submit(interrupted).result()


def test_a_process_that_exits_is_a_crash_with_its_status(executor):
    def leave():
        print("so long")
        sys.stdout.flush()
        os._exit(3)

    with pytest.raises(keraser.TrialCrashed, match="status 3") as caught:
        executor.submit(leave).result()
    assert caught.value.exitcode == 3
    assert caught.value.signal is None
    assert "so long" in caught.value.output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_process_that_a_signal_ends_is_a_crash_with_its_name(executor, number):
    def die():
        os.kill(os.getpid(), number)
        time.sleep(30)

    future = executor.submit(die)
    with pytest.raises(keraser.TrialCrashed, match=number.name) as caught:
        future.result()
    assert caught.value.signal is number
    assert caught.value.exitcode is None
    if number == signal.SIGSEGV:
        assert "in die" in caught.value.output  # where, by faulthandler


def test_what_cannot_be_sent_is_named_and_the_executor_goes_on(executor):
    with pytest.raises(pickle.PicklingError, match=r"args\[0\]: .*generator"):
        executor.submit(list, (n for n in range(3))).result()
    with pytest.raises(pickle.PicklingError, match=r"result: .*lock"):
        executor.submit(threading.Lock).result()
    assert executor.submit(len, "four").result() == 4


def test_many_calls_that_cannot_be_sent_fail_one_by_one(executor):
    futures = [executor.submit(list, (n for n in "ab")) for _ in range(1500)]
    assert all(future.exception(timeout=30) for future in futures)


def test_a_call_finds_the_place_that_it_came_from(executor, tmp_path, monkeypatch):
    (tmp_path / "beside_the_script.py").write_text("def f(x):\n    return x + 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("KERASER_TEST", "as it is now")
    monkeypatch.setattr(sys, "argv", ["script.py", "--fast"])
    import beside_the_script

    assert executor.submit(beside_the_script.f, 1).result() == 2
    look = executor.submit(lambda: (os.getcwd(), os.environ["KERASER_TEST"], sys.argv))
    assert look.result() == (str(tmp_path), "as it is now", ["script.py", "--fast"])
    monkeypatch.delenv("KERASER_TEST")
    assert executor.submit(os.environ.get, "KERASER_TEST").result() is None


def test_random_numbers_are_not_inherited():
    def draw():
        import random

        import numpy

        return random.random(), numpy.random.random()

    with keraser.TrialExecutor(preload=("random", "numpy.random")) as executor:
        drawn = [executor.submit(draw).result() for _ in range(4)]
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == 4


def test_a_trial_has_nothing_open_but_its_streams_and_its_channel(executor):
    def links():
        return sorted(os.listdir("/proc/self/fd"), key=int)

    opened = executor.submit(links).result()
    assert opened[:3] == ["0", "1", "2"]
    assert len(opened) == 5  # the channel, and the listing itself


def test_input_is_empty(executor):
    assert executor.submit(lambda: sys.stdin.read()).result() == ""


def test_a_trial_may_have_an_executor_of_its_own(executor):
    def nested():
        with keraser.TrialExecutor(preload=()) as inner:
            return inner.submit(os.getppid).result(), os.getpid()

    server, trial = executor.submit(nested).result()
    assert server != trial


def test_waiting_calls_can_be_cancelled(executor):
    running = executor.submit(time.sleep, 0.3)
    waiting = executor.submit(time.sleep, 0)
    assert waiting.cancel()
    assert running.result() is None
    assert waiting.cancelled()


def test_stop_lets_a_trial_clean_up_first(executor, tmp_path):
    def train(note):
        try:
            open(note + ".began", "w").close()
            time.sleep(60)
        finally:
            open(note, "w").close()

    note = tmp_path / "saved"
    future = executor.submit(train, str(note))
    while not (tmp_path / "saved.began").exists():
        time.sleep(0.01)
    future.stop(grace=30)
    with pytest.raises(keraser.TrialError, match="was stopped"):
        future.result()
    assert note.exists()


def test_several_workers_run_at_a_time(tmp_path):
    def meet(own, other):
        open(own, "w").close()
        while not os.path.exists(other):
            time.sleep(0.01)
        return True

    ends = str(tmp_path / "a"), str(tmp_path / "b")
    with keraser.TrialExecutor(workers=2, preload=(), timeout=60) as executor:
        futures = executor.submit(meet, *ends), executor.submit(meet, *ends[::-1])
        assert all(future.result() for future in futures)


def test_a_worker_may_be_used_again_until_it_is_too_large():
    def grow(size):
        sys.keraser_ballast = [*getattr(sys, "keraser_ballast", []), b"x" * size]
        return os.getpid(), len(sys.keraser_ballast)

    with keraser.TrialExecutor(
        preload=(), per_trial=False, recycle_above="64MiB"
    ) as executor:
        sizes = (1, 1, 100 * MIB, 1)
        ran = [executor.submit(grow, size).result() for size in sizes]
    pids, counts = zip(*ran, strict=True)
    assert pids[0] == pids[1] == pids[2] != pids[3]
    assert counts == (1, 2, 3, 1)


def test_stats_count_and_name_what_runs(executor):
    before = executor.stats()
    executor.submit(len, "").result()
    with pytest.raises(TypeError):
        executor.submit(len, 3).result()
    running = executor.submit(time.sleep, 60)
    rows = []
    while not any(row.figures.rss for row in rows):
        stats = executor.stats()
        rows = [row for row in stats.workers if row.state == "running"]
    assert (stats.done - before.done, stats.failed - before.failed) == (2, 1)
    assert stats.servers == 1
    assert stats.server_memory > MIB
    assert stats.forks > 0
    assert stats.memory_limited_by == "cgroup" or "watching" in stats.memory_limited_by
    (row,) = rows
    assert os.path.exists(f"/proc/{row.pid}")
    assert row.figures.rss > MIB
    assert stats.to_dict()["workers"][0]["figures"]["rss"] >= 0
    assert "running" in str(stats)
    running.stop(grace=0)
    assert running.exception() is not None
    assert running.figures.wall > 0


BAD = [
    ({"workers": 0}, ValueError, "from 1"),
    ({"workers": "2"}, TypeError, "workers"),
    ({"memory": "4 parsecs"}, ValueError, "4GiB"),
    ({"memory": 0}, ValueError, "memory"),
    ({"timeout": -1}, ValueError, "timeout"),
    ({"timeout": "10"}, TypeError, "seconds"),
    ({"preload": "keras"}, TypeError, "preload"),
    ({"recycle_above": "1GiB"}, ValueError, "per_trial=False"),
    ({"output": "loud"}, ValueError, "forward"),
    ({"spares": -1}, ValueError, "spares"),
]


@pytest.mark.parametrize(("bad", "error", "said"), BAD)
def test_bad_arguments_start_nothing(bad, error, said):
    before = set(os.listdir("/proc/self/task"))
    with pytest.raises(error, match=said):
        keraser.TrialExecutor(**{"preload": (), **bad})
    assert set(os.listdir("/proc/self/task")) == before


def test_what_is_no_function_is_refused(executor):
    with pytest.raises(TypeError, match="takes a function"):
        executor.submit(3)


def test_after_shutdown_nothing_is_taken():
    executor = keraser.TrialExecutor(preload=())
    first = executor.submit(len, "abc")
    executor.shutdown()
    assert first.result(timeout=0) == 3
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(len, "")


def test_shutdown_may_cancel_what_waits():
    executor = keraser.TrialExecutor(preload=())
    futures = [executor.submit(time.sleep, 0.2) for _ in range(3)]
    executor.shutdown(cancel_futures=True)
    assert not futures[0].cancelled()
    assert all(future.cancelled() for future in futures[1:])


def test_a_forgotten_executor_ends_its_server():
    executor = keraser.TrialExecutor(preload=())
    assert executor.submit(len, "ab").result() == 2
    server = executor.stats().server_pid
    del executor
    assert wait_for(lambda: not os.path.exists(f"/proc/{server}"))


def test_a_fork_of_this_process_does_not_use_its_executor(executor):
    child = os.fork()
    if child == 0:
        try:
            executor.submit(len, "")
        except RuntimeError as error:
            os._exit(0 if "another" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_isolated_functions_run_elsewhere():
    @keraser.isolated(preload=(), timeout=60)
    def train(units):
        "Trains."
        return os.getpid(), units

    assert train.__doc__ == "Trains."
    pid, units = train(64)
    assert (units, pid == os.getpid()) == (64, False)
    assert train.submit(32).result()[1] == 32

    class Study:
        scale = 3

        @keraser.isolated(preload=())
        def run(self, x):
            return self.scale * x

    assert Study().run(4) == 12
    with pytest.raises(TypeError, match="limits by name"):
        keraser.isolated("4GiB")


def test_progress_is_a_line_with_trials_and_memory(monkeypatch, capsys):
    rich_console = pytest.importorskip("rich.console")
    monkeypatch.setattr("keraser.progress_bar._is_watched", lambda: True)
    made = rich_console.Console

    def console(**settings):
        return made(**settings, width=160, force_terminal=True)

    monkeypatch.setattr(rich_console, "Console", console)

    def work():
        block = b"x" * (64 * MIB)
        time.sleep(1.5)
        return len(block)

    with keraser.TrialExecutor(preload=(), progress=True) as executor:
        executor.submit(len, "").result()
        executor.submit(work).result()
    shown = capsys.readouterr().err
    assert "1 done" in shown
    assert "2 done" in shown
    assert "trials/s" in shown
    assert "1 running: 6" in shown  # 64 MiB and what Python needs

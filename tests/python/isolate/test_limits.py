"""Limits of a trial: which one was hit, with figures; nothing else is harmed."""

import mmap
import time

import keraser
import pytest

MIB = 1 << 20


@pytest.fixture(scope="module")
def executors():
    made = []

    def make(**limits):
        made.append(keraser.TrialExecutor(preload=(), output="keep", **limits))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown()


def hog(size):
    print("I take", size)
    blocks = []
    while len(blocks) * MIB < size:
        blocks.append(b"x" * MIB)
    return len(blocks)


def test_more_memory_than_it_may_have_ends_the_trial_alone(executors):
    executor = executors(workers=2, memory="1GiB")
    beside = executor.submit(time.sleep, 1)
    with pytest.raises(keraser.MemoryLimitExceeded, match=r"1.0 GiB") as caught:
        executor.submit(hog, 8 << 30).result()
    error = caught.value
    assert error.which == "memory"
    # At 1 GB/s some ms are some MiB; what the kernel limits does not go over at all.
    assert 900 * MIB < error.figures.peak < 1.1 * 1024 * MIB
    assert error.figures.wall > 0
    assert "I take" in error.output
    assert beside.result() is None
    assert executor.submit(hog, 100 * MIB).result() == 100


def test_memory_shared_with_the_server_is_not_the_trials_own(executors):
    """The fork maps all that the server has; it has changed little of it."""
    executor = executors(memory="64MiB", timeout=60)
    future = executor.submit(time.sleep, 0.3)
    assert future.result() is None
    assert future.figures.rss > future.figures.own
    assert future.figures.own < 32 * MIB


def test_shared_memory_that_a_trial_makes_is_its_own(executors):
    def share():
        block = mmap.mmap(-1, 1 << 30)
        for at in range(0, 1 << 30, 4096):
            block[at] = 1

    with pytest.raises(keraser.MemoryLimitExceeded):
        executors(memory="256MiB").submit(share).result()


def test_a_result_may_be_as_large_as_the_memory(executors):
    executor = executors(memory="256MiB")

    def big_result():
        import numpy

        return numpy.zeros(300 * MIB, numpy.uint8)  # of pages that nobody has touched

    with pytest.raises(keraser.MemoryLimitExceeded) as caught:
        executor.submit(big_result).result()
    assert caught.value.which == "result"
    assert caught.value.figures.peak < 256 * MIB
    assert executor.submit(bytes, 100 * MIB).result() == bytes(100 * MIB)


def test_time_is_limited(executors):
    with pytest.raises(keraser.TimeLimitExceeded, match=r"timeout=") as caught:
        executors(timeout=0.3).submit(time.sleep, 60).result()
    assert caught.value.which == "wall"
    assert 0.3 <= caught.value.figures.wall < 30
    assert caught.value.figures.cpu < caught.value.figures.wall


def test_processor_time_is_limited_and_sleeping_takes_none(executors):
    executor = executors(cpu_time=0.5)

    def spin():
        while True:
            pass

    assert executor.submit(time.sleep, 1).result() is None
    with pytest.raises(keraser.TimeLimitExceeded, match="CPU") as caught:
        executor.submit(spin).result()
    assert caught.value.which == "cpu"
    assert caught.value.figures.cpu >= 0.5


def test_a_trial_that_ignores_signals_is_ended_all_the_same(executors):
    def stubborn():
        import signal

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)

    with pytest.raises(keraser.TimeLimitExceeded):
        executors(timeout=0.3).submit(stubborn).result()


def test_figures_of_a_trial_are_those_of_its_process(executors):
    def work():
        import os
        import resource

        block = bytearray(b"x" * 200 * MIB)
        begin = time.process_time()
        while time.process_time() - begin < 0.3:
            pass
        used = resource.getrusage(resource.RUSAGE_SELF)
        return len(block), used.ru_utime + used.ru_stime, os.getpid()

    future = executors().submit(work)
    size, cpu, _ = future.result()
    figures = future.figures
    assert size <= figures.peak < 2 * size + 32 * MIB  # bytes made bytearray
    assert 0 < figures.own < 64 * MIB  # it has let go of them since
    assert abs(figures.cpu - cpu) < 0.1
    assert figures.wall >= 0.3
    assert "of its own" in str(figures)

"""What trials print reaches whoever submitted them, in order, to the byte."""

import os
import subprocess
import sys
import time

import keraser
import pytest


@pytest.fixture
def printed(capfd):
    """Runs a function in a trial; what came out here of stdout and of stderr."""

    def run(function, *args, **settings):
        with keraser.TrialExecutor(preload=(), **settings) as executor:
            executor.submit(function, *args).result()
        return capfd.readouterr()

    return run


def test_prints_come_out_here(printed):
    def talk():
        print("to stdout")
        print("to stderr", file=sys.stderr)

    assert printed(talk) == ("to stdout\n", "to stderr\n")


def test_order_is_kept_between_stdout_and_stderr(monkeypatch):
    came = []

    class Stream:
        def __init__(self, name):
            self.name = name

        def write(self, text):
            came.extend(self.name + line for line in text.split())

        def flush(self):
            pass

    def talk():
        for n in range(200):
            print(n, file=sys.stderr if n % 3 else sys.stdout)

    with keraser.TrialExecutor(preload=()) as executor:
        monkeypatch.setattr(sys, "stdout", Stream("o"))
        monkeypatch.setattr(sys, "stderr", Stream("e"))
        executor.submit(talk).result()
        monkeypatch.undo()
    assert came == [("e" if n % 3 else "o") + str(n) for n in range(200)]


def test_what_native_code_and_child_processes_write_comes_too(printed):
    def talk():
        os.write(1, b"native\n")
        subprocess.run(["echo", "child"], check=True)
        os.write(2, b"problem\n")

    assert printed(talk) == ("native\nchild\n", "problem\n")


def test_progress_bars_come_as_they_are_drawn(printed):
    def draw():
        for n in range(3):
            print(f"\r{n}/3", end="", flush=True)
            time.sleep(0.01)

    assert printed(draw).out == "\r0/3\r1/3\r2/3"


def test_a_flood_arrives_to_the_byte(printed):
    """What Python prints and what native code writes, each in its order."""
    line = "abcdefghij" * 10 + "\n"

    def flood():
        for _ in range(30_000):
            sys.stdout.write(line)
        os.write(1, b"0123456789" * 50_000)
        for _ in range(1_000):
            sys.stdout.write(line)

    came = printed(flood).out
    assert "".join(filter(str.isdigit, came)) == "0123456789" * 50_000
    assert "".join(c for c in came if not c.isdigit()) == line * 31_000


def test_characters_cut_in_two_arrive_whole(printed):
    def talk():
        for byte in "żółw €".encode():
            os.write(1, bytes([byte]))
            time.sleep(0.002)

    assert printed(talk).out == "żółw €"


def test_lines_of_two_trials_are_not_mixed(capfd):
    def talk(name):
        for _ in range(50):
            for _ in range(20):
                print(name, end="", flush=True)
            print()

    with keraser.TrialExecutor(workers=2, preload=()) as executor:
        list(executor.map(talk, "ab"))
    lines = capfd.readouterr().out.split()
    assert sorted(lines) == ["a" * 20] * 50 + ["b" * 20] * 50


def test_keep_prints_nothing_and_errors_have_the_last_lines(capfd):
    def talk():
        for n in range(10_000):
            print("line", n)
        os._exit(1)

    with keraser.TrialExecutor(preload=(), output="keep") as executor:
        error = executor.submit(talk).exception()
    assert capfd.readouterr() == ("", "")
    assert "line 9999" in error.output
    assert len(error.output) < 5_000
    assert "line 9999" in str(error)


def test_a_closed_stream_here_stops_no_trial(monkeypatch):
    class Closed:
        def write(self, _):
            raise BrokenPipeError

        def flush(self):
            raise ValueError

    with keraser.TrialExecutor(preload=()) as executor:
        monkeypatch.setattr(sys, "stdout", Closed())
        assert executor.submit(lambda: print("hello") or 7).result() == 7
        monkeypatch.undo()

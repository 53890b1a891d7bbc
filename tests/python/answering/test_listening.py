"""When a process has a socket, and what becomes of it: real processes, with a module in
Keras' place that is imported in no time."""

import os
import signal
import subprocess
import sys

import keraser
import pytest
from asking import ask
from keraser import listening
from processes import wait_for

BEGIN = "import os, sys, keraser, keras\nfrom keraser import listening\n"
WAIT = "print(listening.path(), flush=True)\nsys.stdin.read()\n"


@pytest.fixture
def folder(tmp_path):
    """Where the sockets of the test's processes are."""
    (tmp_path / "keras.py").write_text("")
    return tmp_path / "keraser"


def start(folder, text, **environment):
    """A process that runs `text` until its stdin ends."""
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(folder.parent),
            "XDG_RUNTIME_DIR": str(folder.parent),
            **environment,
        },
    )


def first_line(process):
    return process.stdout.readline().strip()


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def end(process):
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()


def names(folder):
    return set(os.listdir(folder)) if folder.exists() else set()


def test_a_process_listens_from_the_import_of_keras_to_its_end(folder):
    text = "import keraser\nfrom keraser import listening\nprint(listening.path())\n"
    process = start(folder, text + "import keras, sys\n" + WAIT)
    assert first_line(process) == "None"
    assert first_line(process) == str(folder / str(process.pid))
    assert names(folder) == {str(process.pid)}
    assert ask(folder / str(process.pid), "TRIM").data["pid"] == process.pid
    end(process)
    assert names(folder) == set()


def test_it_may_be_switched_off(folder):
    text = BEGIN + WAIT.replace(".path()", ".path(), listening.why_not()")
    process = start(folder, text, KERASER_LISTEN="off")
    assert first_line(process) == "None not answered: KERASER_LISTEN=off"
    assert names(folder) == set()
    end(process)


def test_what_a_killed_process_leaves_the_next_one_removes(folder):
    killed, living = start(folder, BEGIN + WAIT), start(folder, BEGIN + WAIT)
    assert {first_line(killed), first_line(living)} == {
        str(folder / str(process.pid)) for process in (killed, living)
    }
    killed.kill()
    killed.communicate()
    assert names(folder) == {str(killed.pid), str(living.pid)}
    next_one = start(folder, BEGIN + WAIT)
    first_line(next_one)
    assert names(folder) == {str(living.pid), str(next_one.pid)}
    assert ask(folder / str(living.pid), "TRIM").data["pid"] == living.pid
    end(living)
    end(next_one)


def test_a_forked_child_listens_for_itself(folder):
    text = (
        BEGIN + "ours, child = os.pipe(), os.fork()\n"
        "if child == 0:\n"
        "    print(listening.path(), flush=True)\n"
        "    os.close(ours[1])\n"
        "    os.read(ours[0], 1)\n"
        "    sys.exit()\n"
        "sys.stdin.readline()\n"
        "print(child, flush=True)\n"
        "sys.stdin.readline()\n"
        "os.close(ours[1])\n"
        "os.waitpid(child, 0)\n" + WAIT
    )
    process = start(folder, text)
    path = first_line(process)
    go_on(process)
    child = first_line(process)
    assert path == str(folder / child)
    assert names(folder) == {child, str(process.pid)}
    for pid in (child, str(process.pid)):
        assert ask(folder / pid, "TRIM").data["pid"] == int(pid)
    go_on(process)
    assert first_line(process) == str(folder / str(process.pid))
    assert names(folder) == {str(process.pid)}
    end(process)


def test_a_process_that_is_stopped_answers_when_it_goes_on(folder):
    process = start(folder, BEGIN + WAIT)
    path = first_line(process)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("asking.PATIENCE", 300)
            with pytest.raises(TimeoutError):
                ask(path, "TRIM")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert ask(path, "TRIM").outcome == "OK"
    end(process)


def test_neither_fork_servers_nor_their_trials_listen(folder):
    text = (
        BEGIN + "if __name__ == '__main__':\n"
        "    with keraser.TrialExecutor(preload=('keras', 'keraser')) as executor:\n"
        f"        print(*executor.submit(os.listdir, {str(folder)!r}).result())\n"
        "        from keraser.listening import path, why_not\n"
        "        print(executor.submit(path).result(), executor.submit(why_not)"
        ".result(), flush=True)\n"
        "        sys.stdin.read()\n"
    )
    process = start(folder, text)
    assert first_line(process) == str(process.pid)
    assert first_line(process) == "None not answered: this process serves trials"
    end(process)


def test_where_there_is_no_place_for_a_socket_it_says_so(monkeypatch):
    def fail(_):
        raise PermissionError(1, "Operation not permitted")

    listening.stop()
    monkeypatch.setattr("keraser._core.Listener", fail)
    listening.start()
    try:
        assert listening.path() is None
        [line] = [f for f in keraser.doctor().findings if f.what == "command line"]
        assert not line.works
        assert "no place for a socket" in line.note
        assert "not permitted" in line.note
    finally:
        monkeypatch.undo()
        listening.start()
    assert wait_for(lambda: os.path.exists(listening.path()))
    [line] = [f for f in keraser.doctor().findings if f.what == "command line"]
    assert line.works

"""why, clear, trim, doctor and top --once against processes that answer well, badly or
not at all."""

import contextlib
import json
import os
import signal
import subprocess
import time

import listeners
import pytest

OK, USAGE, ABSENT, UNAVAILABLE, FAILED, LATER, PROTOCOL, DENIED = (
    0,
    2,
    66,
    69,
    70,
    75,
    76,
    77,
)


def must_fail(done, status, *words):
    """With one line of cause and one of cure."""
    assert done.returncode == status, done
    cause, cure = done.stderr.splitlines()
    assert cause.startswith("keraser: ")
    assert cure.startswith("  ")
    for word in words:
        assert word in done.stderr
    return done


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why", "PID"], "verb 2 flags 0 held 0 model "),
        (["why", "PID", "m"], "verb 3 flags 0 held 0 model m"),
        (["why", "PID", "0x7f"], "verb 3 flags 0 held 0 model 0x7f"),
        (["clear", "PID", "m"], "verb 4 flags 0 held 0 model m"),
        (["clear", "PID", "--", "-m"], "verb 4 flags 0 held 0 model -m"),
        (["clear", "--all", "PID"], "verb 4 flags 1 held 0 model "),
        (["clear", "PID", "m", "--force"], "verb 4 flags 2 held 0 model m"),
        (["clear", "PID", "m", "--held", "cut"], "verb 4 flags 0 held 1 model m"),
        (["clear", "PID", "m", "--held=keep"], "verb 4 flags 0 held 2 model m"),
        (["clear", "PID", "m", "--held=raise"], "verb 4 flags 0 held 3 model m"),
        (["trim", "PID"], "verb 5 flags 0 held 0 model "),
        (["doctor", "PID"], "verb 6 flags 0 held 0 model "),
    ],
)
def test_each_verb_asks_what_it_says_and_prints_text_or_json(house, arguments, said):
    pid = house.start().pid
    arguments = [str(pid) if word == "PID" else word for word in arguments]
    done = house.call(*arguments)
    assert (done.returncode, done.stderr, done.stdout.rstrip("\n")) == (0, "", said)
    done = house.call(arguments[0], "--json", *arguments[1:])
    answer = json.loads(done.stdout)
    assert answer == {"schema_version": 1, "pid": pid, "verb": int(said.split()[1])}


@pytest.mark.parametrize(
    "arguments",
    [
        ["why"],
        ["why", "x"],
        ["why", "0"],
        ["why", "-5"],
        ["why", "99999999999"],
        ["why", "1", "a", "b"],
        ["why", "1", ""],
        ["clear", "1"],
        ["clear", "1", "m", "--all"],
        ["clear", "1", "m", "--held", "tight"],
        ["clear", "1", "m", "--held"],
        ["clear", "1", "m", "--force=yes"],
        ["trim", "1", "m"],
        ["trim", "1", "--wait", "nan"],
        ["trim", "1", "--wait", "-1"],
        ["top", "--interval", "0"],
        ["top", "--interval", "0x2"],
        ["doctor", "--fix"],
        ["stop"],
    ],
)
def test_what_is_not_understood_asks_nobody(house, arguments):
    must_fail(house.call(*arguments), USAGE)


@pytest.mark.parametrize(
    ("behaviour", "status", "word"),
    [
        ("refused", UNAVAILABLE, "the cause"),
        ("absent", ABSENT, "the cause"),
        ("failed", FAILED, "the cause"),
        ("garbage", PROTOCOL, "another version"),
        ("kind", PROTOCOL, "another version"),
        ("short", PROTOCOL, "another version"),
        ("huge", PROTOCOL, "another version"),
        ("pipe", PROTOCOL, "another version"),
        ("file", PROTOCOL, "another version"),
        ("outcome", PROTOCOL, "another version"),
        ("close", LATER, "closed the connection"),
        ("exit", LATER, "ended before it answered"),
        ("fork", LATER, "ended before it answered"),
        ("stop", LATER, "is stopped"),
    ],
)
def test_what_goes_wrong_there_is_one_clear_line(house, behaviour, status, word):
    process = house.start(behaviour)
    began = time.monotonic()
    done = must_fail(house.call("clear", process.pid, "m"), status, word)
    assert time.monotonic() - began < 9  # not the deadline
    assert "\33" not in done.stderr
    if word == "the cause":
        assert done.stderr == "keraser: the cause?\n  the cure\n"


def test_a_process_that_does_not_answer_is_given_up(house):
    pid = house.start("silent").pid
    done = must_fail(house.call("trim", pid, "--wait", "0.3"), LATER, "in time")
    assert f"keraser top {pid}" in done.stderr
    done = house.call("trim", pid, "--wait", "0.3", "--json")
    assert json.loads(done.stdout)["error"]["kind"] == "busy"
    assert json.loads(done.stdout)["schema_version"] == 1


def test_an_answer_that_takes_its_time_is_waited_for(house):
    done = house.call("trim", house.start("slow", 700).pid)
    assert (done.returncode, done.stdout[:6]) == (0, "verb 5")


@contextlib.contextmanager
def another(**options):
    """A process that has nothing to do with keraser."""
    process = subprocess.Popen(["sleep", "600"], **options)
    try:
        wait_for_state(process.pid, "S")
        yield process
    finally:
        process.kill()
        process.wait()


def test_processes_that_cannot_be_asked_are_told_apart(house):
    with another() as other:
        must_fail(house.call("trim", other.pid), UNAVAILABLE, "does not listen")
        must_fail(house.call("why", other.pid), UNAVAILABLE, "is not CPython")
        other.send_signal(signal.SIGSTOP)
        wait_for_state(other.pid, "T")
        done = house.call("trim", other.pid)
        must_fail(done, LATER, "is stopped", f"kill -CONT {other.pid}")
        other.kill()
        wait_for_state(other.pid, "Z")
        must_fail(house.call("why", other.pid), ABSENT, "has ended")
    must_fail(house.call("why", other.pid), ABSENT, "no process")


def wait_for_state(pid, state):
    for _ in range(500):
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rpartition(")")[2].split()[0] == state:
                return
        time.sleep(0.01)
    raise AssertionError(f"{pid} did not become {state}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_another_user_is_refused(house):
    with another(user=65534) as other:
        must_fail(house.call("why", other.pid), DENIED, "another user's", "nobody")
        must_fail(house.call("clear", other.pid, "--all"), DENIED)


def test_a_socket_of_one_process_under_the_number_of_another_is_refused(house):
    house.start("pid")
    must_fail(house.call("why", os.getpid()), DENIED, "another process")


def test_sockets_of_processes_that_are_gone_are_removed(house):
    process = house.start()
    process.kill()
    process.wait()
    assert [socket.name for socket in house.sockets] == [str(process.pid)]
    done = house.call("top", "--once")
    assert str(process.pid) not in done.stdout.split()
    assert house.sockets == []


def test_top_prints_processes_and_models_the_largest_first(house):
    small, large = house.start("models", 2).pid, house.start("models", 3).pid
    done = house.top()  # no terminal
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["PID", "RSS", "MODELS", "GPU", "COMMAND"]
    assert [line[0] for line in lines if "fake_listener" in " ".join(line)] == [
        str(large),
        str(small),
    ]
    assert lines[3][:7] == ["3.0", "KiB", "2.0", "KiB", "16", "B", "model_2"]
    assert lines[5][-1] == "running"
    document = json.loads(house.top("--json").stdout)
    assert document["schema_version"] == 1
    first, second = document["processes"]
    assert (first["pid"], second["pid"]) == (large, small)
    assert first["pool"] is None
    assert first["gpu"] == 2 << 30
    assert first["models"][0] == {
        "id": 0x1002,
        "name": "model_2",
        "class": "Sequential",
        "weights": 3072,
        "optimizer": 2048,
        "metrics": 16,
        "running": False,
    }
    alone = json.loads(house.call("top", small, "--json").stdout)
    assert [process["pid"] for process in alone["processes"]] == [small]


def test_top_shows_who_does_not_answer_beside_those_who_do(house):
    good = house.start("models", 1).pid
    bad = {
        house.start("silent").pid: "busy",
        house.start("garbage").pid: "another_version",
        house.start("count").pid: "another_version",
        house.start("nul").pid: "another_version",
        house.start("endless").pid: "another_version",
        house.start("close").pid: "closed",
        house.start("stop").pid: "stopped",
    }
    done = house.top("--json")
    assert done.returncode in (LATER, PROTOCOL)
    found = {p["pid"]: p for p in json.loads(done.stdout)["processes"]}
    assert len(found[good]["models"]) == 1
    assert {pid: found[pid]["error"]["kind"] for pid in bad} == bad
    assert all(found[pid]["models"] == [] for pid in bad)
    named = house.call("top", next(iter(bad)), 4194000, "--once")
    assert named.returncode == LATER or named.returncode == ABSENT
    assert "there is no process 4194000" in named.stderr


def test_a_process_says_why_it_has_no_models(house):
    house.start("why")
    assert "Keras is not loaded" in house.top().stdout


def test_nothing_from_elsewhere_moves_the_cursor(house):
    pid = house.start("names").pid
    for arguments in (
        ["top", pid],
        ["top", pid, "--json"],
        ["why", pid],
        ["list-models", pid],
        ["list-pids"],
    ):
        done = house.call(*arguments)
        assert done.returncode == 0
        text = done.stdout + done.stderr
        assert not {c for c in text if ord(c) < 32 or 127 <= ord(c) < 160} - {*"\n\t"}
        assert "\u202e" not in text
    model = json.loads(house.top("--json").stdout)["processes"][0]["models"][0]
    assert model["name"] == "a\33]0;owned\7\r\nb\ufffd"
    assert house.call("list-models", pid).stdout == "0x1000\n"


def test_listings_are_for_completion(house):
    pid = house.start("models", 2).pid
    assert house.call("list-models", pid).stdout == "model_1\nmodel_0\n"
    lines = house.call("list-pids").stdout.splitlines()
    assert f"{pid}\t{house.fake} models 2" in lines
    assert house.call("top", "--once").stdout.count(f" {pid} ") == 1


def test_doctor_says_where_processes_can_listen(house):
    document = json.loads(house.call("doctor", "--json").stdout)
    assert document["places"][0] == {
        "path": f"{house.folder}/keraser",
        "state": "absent",
        "why": "",
    }
    pid = house.start().pid
    document = json.loads(house.call("doctor", "--json").stdout)
    assert document["places"][0]["state"] == "usable"
    assert pid in document["listening"]
    (house.folder / "keraser").chmod(0o777)
    document = json.loads(house.call("doctor", "--json").stdout)
    assert document["places"][0]["state"] == "refused"
    assert pid not in document["listening"]
    assert "chmod 700" in house.call("doctor").stdout
    must_fail(house.call("trim", pid), UNAVAILABLE, "does not listen")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_output_that_cannot_be_written_is_an_error(house):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [listeners.KERASER, "doctor"],
            env=house.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 74
    assert "No space left" in done.stderr


def test_two_hundred_processes_of_fifty_models(house):
    for _ in range(200):
        house.start("models", 50)
    processes = json.loads(house.top("--json").stdout)["processes"]
    assert len(processes) == 200
    assert {len(process["models"]) for process in processes} == {50}

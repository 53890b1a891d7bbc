"""keraser top on a terminal: a pseudo-terminal whose bytes pyte turns into a screen."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import listeners
import pyte
import pytest


class Terminal:
    """`keraser top` in the foreground of a terminal of its own."""

    def __init__(self, program, environment, *arguments, lines=24, columns=100):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        begin, may_begin = os.pipe()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.read(begin, 1)
            os.execve(program, [program, "top", *map(str, arguments)], environment)
        self._size(self.master, lines, columns)
        self.before = termios.tcgetattr(self.master)
        os.write(may_begin, b"x")
        os.close(begin)
        os.close(may_begin)
        self.status = None

    def _size(self, file, lines, columns):
        fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, lines, columns):
        self.screen.resize(lines, columns)
        self._size(self.master, lines, columns)  # which sends SIGWINCH

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # its other end is closed
                return
            if not data:
                return
            self.bytes += data
            self.stream.feed(data)

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, condition, seconds=15):
        if isinstance(condition, str):
            word = condition
            condition = lambda text: word in text  # noqa: E731
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.read()
            if condition(self.text):
                return self.text
        raise AssertionError(f"never came:\n{self.text}\n{self.bytes[-500:]}")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def wait(self, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.status is None:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        self.read()
        assert self.status is not None, "it did not end"
        return os.waitstatus_to_exitcode(self.status)

    def must_be_restored(self):
        """Echo and lines as before, the first screen, the cursor shown."""
        assert termios.tcgetattr(self.master)[:4] == self.before[:4]
        assert self.bytes.rstrip().endswith(b"\33[m\33[?25h\33[?1049l")

    def close(self):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)


@pytest.fixture
def terminal(house):
    opened = []

    def open_one(*arguments, **options):
        environment = house.environment | options.pop("environment", {})
        if options.pop("ours", True):
            arguments = (*house.pids, *arguments)
        opened.append(Terminal(listeners.KERASER, environment, *arguments, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def selected(terminal):
    """The text in reverse video."""
    for line in range(terminal.screen.lines):
        row = terminal.screen.buffer[line]
        if row[0].reverse:
            return terminal.screen.display[line].strip()
    return ""


def test_q_quits_and_the_terminal_is_as_before(house, terminal):
    pid = house.start("models", 2).pid
    top = terminal()
    text = top.wait_for("model_1 (Sequential)")
    assert str(pid) in text
    assert "1 process, 2 models" in text
    assert not termios.tcgetattr(top.master)[3] & (termios.ICANON | termios.ECHO)
    top.type("q")
    assert top.wait() == 0
    top.must_be_restored()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_signals_do_and_restores_the_terminal(
    house, terminal, sent
):
    house.start("models", 1)
    top = terminal()
    top.wait_for("model_0")
    os.kill(top.pid, sent)
    assert top.wait() == -sent
    top.must_be_restored()


def test_control_c_is_typed(house, terminal):
    house.start("models", 1)
    top = terminal()
    top.wait_for("model_0")
    top.type("\3")
    assert top.wait() == -signal.SIGINT
    top.must_be_restored()


def test_stopping_leaves_the_terminal_and_resuming_takes_it_again(house, terminal):
    house.start("models", 1)
    top = terminal()
    top.wait_for("model_0")
    os.kill(top.pid, signal.SIGTSTP)
    _, status = os.waitpid(top.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    top.read()
    top.must_be_restored()
    before = len(top.bytes)
    os.kill(top.pid, signal.SIGCONT)
    top.wait_for(lambda _: b"model_0" in top.bytes[before:])
    assert b"\33[?1049h" in top.bytes[before:]
    assert not termios.tcgetattr(top.master)[3] & termios.ECHO
    top.type("q")
    assert top.wait() == 0
    top.must_be_restored()


def test_keys_select_and_ask(house, terminal):
    pid = house.start("models", 2).pid
    top = terminal()
    top.wait_for("model_0")
    assert selected(top).startswith(str(pid))
    top.type("w")
    top.wait_for("select a model first")
    top.type("\33[B")
    top.wait_for(lambda _: "model_1" in selected(top))
    top.type("\33[B\33[B\33[B")
    top.wait_for(lambda _: "model_0" in selected(top))
    top.type("w")
    top.wait_for("verb 3 flags 0 held 0 model 0x1000")
    top.type("x")
    top.wait_for("model_1")
    top.type("k")
    top.wait_for(lambda _: "model_1" in selected(top))
    top.type("c")
    top.wait_for(f"clear model_1 (Sequential) of process {pid}?")
    top.type("n")
    top.wait_for("? help")
    top.type("cy")
    top.wait_for("verb 4 flags 0 held 0 model 0x1001")
    top.type(" t")
    top.wait_for("verb 5 flags 0 held 0 model")
    top.type(" ?")
    top.wait_for("give free memory back to the system")
    top.type("qq")
    assert top.wait() == 0


def test_a_refused_action_says_why(house, terminal):
    house.start("refused", 1)
    top = terminal()
    top.wait_for("model_0")
    top.type("jcy")
    text = top.wait_for("the cause?")
    assert "the cure" in text


def test_an_escape_alone_goes_back_and_one_within_a_key_does_not(house, terminal):
    house.start("slow", 300)
    top = terminal()
    top.wait_for("1 process, 0 models")
    top.type("t")
    top.wait_for("q cancels")
    top.type("\33")
    top.wait_for("no longer waited for")


def test_the_selection_stays_on_its_model_as_others_come_and_go(house, terminal):
    house.start("models", 1)
    other = house.start("models", 5)
    other.send_signal(signal.SIGSTOP)
    top = terminal("--interval", 0.2)
    top.wait_for("model_0")
    top.type("j")
    top.wait_for(lambda _: "model_0" in selected(top))
    line = next(i for i in range(24) if top.screen.buffer[i][0].reverse)
    other.send_signal(signal.SIGCONT)
    top.wait_for("2 processes, 6 models")
    assert "model_0" in selected(top)
    assert next(i for i in range(24) if top.screen.buffer[i][0].reverse) > line
    other.kill()
    other.wait()
    top.wait_for("2 processes, 1 model,")
    assert "model_0" in selected(top)
    assert f"there is no process {other.pid}" in top.text


def test_until_a_row_is_chosen_the_first_one_is_selected(house, terminal):
    small, large = house.start("models", 1), house.start("models", 5)
    large.send_signal(signal.SIGSTOP)
    top = terminal("--interval", 0.2)
    top.wait_for(lambda _: selected(top).startswith(str(small.pid)))
    large.send_signal(signal.SIGCONT)
    top.wait_for(lambda _: selected(top).startswith(str(large.pid)))


def test_processes_that_come_and_go_are_seen(house, terminal):
    top = terminal("--interval", 0.2, ours=False, lines=200)
    top.wait_for("keraser top")
    process = house.start("models", 1)
    top.wait_for(f" {process.pid} ")
    process.kill()
    process.wait()
    top.wait_for(lambda text: f" {process.pid} " not in text)


def test_a_target_that_stops_is_shown_as_stopped_and_comes_back(house, terminal):
    process, silent = house.start("models", 1), house.start("silent")
    top = terminal("--interval", 0.2)
    top.wait_for("model_0")
    process.send_signal(signal.SIGSTOP)
    top.wait_for(f"process {process.pid} is stopped")
    assert "model_0" in top.text  # as last seen
    process.send_signal(signal.SIGCONT)
    top.wait_for(lambda text: "is stopped" not in text and "model_0" in text)
    top.wait_for(f"process {silent.pid} has not answered in time")


def test_a_target_that_ends_while_it_is_asked_is_told(house, terminal):
    house.start("exit")
    house.start("models", 1)
    top = terminal()
    top.wait_for(lambda text: "model_0" in text and "ended before" in text)
    slow = house.start("slow", 3000)
    top = terminal(slow.pid, ours=False)
    top.wait_for(str(slow.pid))
    top.type("t")
    top.wait_for("q cancels")
    slow.kill()
    slow.wait()
    top.wait_for(f"process {slow.pid} ended before it answered")


def test_another_size_is_used_at_once(house, terminal):
    house.start("models", 50)
    top = terminal()
    top.wait_for("model_49")
    assert "model_30 " not in top.text
    top.resize(60, 100)
    text = top.wait_for("model_0 ")
    assert text.splitlines()[59].startswith("up/down select")
    top.resize(3, 20)
    top.wait_for(lambda text: len(text.splitlines()) == 3 and "up/down" in text)
    assert all(len(line) <= 20 for line in top.text.splitlines())
    top.resize(2, 20)
    top.wait_for(lambda text: "up/down" in text.splitlines()[1])
    top.resize(1, 1)
    top.read(0.3)
    top.resize(24, 80)
    top.wait_for("model_49")


def test_only_lines_that_change_are_written(house, terminal):
    house.start("models", 10)
    top = terminal("--interval", 0.2)
    top.wait_for("model_9")
    top.read(0.5)
    top.bytes = b""
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        top.read()
    assert b"model_" not in top.bytes
    top.type("j")
    top.wait_for(lambda _: "model_9" in selected(top))
    assert b"model_9" in top.bytes
    assert b"model_8" not in top.bytes


def test_colours_are_left_out_where_asked_for(house, terminal):
    house.start("models", 1)
    top = terminal()
    top.wait_for("running")
    assert b"\33[32m" in top.bytes
    plain = terminal(environment={"NO_COLOR": "1"})
    plain.wait_for("running")
    assert not [n for n in range(30, 40) if b"\33[%dm" % n in plain.bytes]


def test_names_do_not_move_the_cursor(house, terminal):
    house.start("names")
    top = terminal()
    top.wait_for("a?]0;owned???b?")
    assert b"owned\7" not in top.bytes


def test_a_terminal_that_cannot_do_it_gets_one_print(house, terminal):
    house.start("models", 1)
    top = terminal(environment={"TERM": "dumb"})
    assert top.wait() == 0
    assert b"\33" not in top.bytes
    assert b"model_0" in top.bytes


def test_two_hundred_processes_are_scrolled_through(house, terminal):
    for _ in range(200):
        house.start("models", 50)
    top = terminal(lines=40)
    top.wait_for("200 processes, 10000 models", 30)
    top.type("\33[F")
    top.wait_for(lambda _: "model_0" in selected(top))
    top.type("\33[5~\33[H")
    top.wait_for(lambda _: "fake_listener" in selected(top))
    top.type("q")
    assert top.wait() == 0

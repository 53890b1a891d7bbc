"""Errors that travel: raised here as they were there, with what led to them."""

import pickle
import signal
import sys
import threading
import traceback
import types
import weakref

import keraser
import pytest
from keraser.remote_errors import LONGEST, pack_error, unpack_error
from peer import Peer


@pytest.fixture(scope="module")
def peer():
    with Peer() as started:
        yield started


def caught(function):
    try:
        function()
    except BaseException as error:
        return error


def travelled(function):
    return unpack_error(pack_error(caught(function)))


def shown(error):
    return "".join(traceback.format_exception(error))


def test_an_error_is_raised_as_it_was_with_the_traceback_from_there(peer):
    def divide(x):
        return x / 0

    with pytest.raises(ZeroDivisionError, match="division by zero") as raised:
        peer.call(divide, 1)
    text = shown(raised.value)
    assert "in divide" in text
    assert "return x / 0" in text
    assert "peer.py" in text


def chained():
    try:
        try:
            {}["first"]
        except KeyError as error:
            raise ValueError("second") from error
    finally:
        raise TypeError("third")


def test_causes_and_contexts_are_in_the_text():
    text = shown(travelled(chained))
    assert "KeyError: 'first'" in text
    assert "ValueError: second" in text
    assert "direct cause" in text
    assert "During handling" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with 3.11")
def test_notes_travel():
    def noted():
        error = ValueError("bad")
        error.add_note("at the third layer")
        raise error

    error = travelled(noted)
    assert error.__notes__ == ["at the third layer"]
    assert "at the third layer" in str(error.__cause__)


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_the_end_of_a_process_travels():
    assert isinstance(travelled(interrupt), KeyboardInterrupt)
    assert travelled(lambda: sys.exit(3)).code == 3
    assert travelled(lambda: sys.exit("why")).code == "why"


class DemandingError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class LockedError(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class TurncoatError(Exception):
    def __reduce__(self):
        return int, (3,)


def raising(error):
    def fail():
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            DemandingError("this", "that"),
            "missing 1 required positional argument: 'two'",
        ),
        (LockedError("this and that"), "it.lock: cannot pickle '_thread.lock' object"),
        (TurncoatError("this and that"), "it unpickles to int"),
    ],
)
def test_what_cannot_be_made_here_becomes_a_trial_error_that_says_it_all(error, why):
    found = travelled(raising(error))
    assert type(found) is keraser.TrialError
    text = str(found)
    assert text.startswith(f"{__name__}.{type(error).__name__}: this and that")
    assert why in text
    assert "in fail" in text
    assert "raise error" in str(found.__cause__)


def test_an_error_of_a_module_that_is_not_here_becomes_a_trial_error():
    module = types.ModuleType("gone")
    exec("class Lost(Exception): pass", module.__dict__)
    sys.modules["gone"] = module
    module.Lost.__module__ = "gone"
    descriptor = pack_error(module.Lost("bye"))
    del sys.modules["gone"]
    found = unpack_error(descriptor)
    assert type(found) is keraser.TrialError
    assert "gone.Lost: bye" in str(found)
    assert "No module named 'gone'" in str(found)


def test_a_large_error_is_told_in_part():
    error = ValueError("x" * 10 * LONGEST)
    found = unpack_error(pack_error(error, limit=LONGEST))
    assert type(found) is keraser.TrialError
    assert "characters are left out" in str(found)
    assert len(str(found)) < 4 * LONGEST


class Thing:
    pass


def test_no_frame_is_kept():
    ghosts = []

    def fail():
        thing = Thing()
        ghosts.append(weakref.ref(thing))
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    error = caught(fail)
    assert ghosts[0]() is not None
    found = unpack_error(pack_error(error))
    assert ghosts[0]() is None
    assert error.__traceback__ is error.__cause__.__traceback__ is None
    assert found.__traceback__ is None


FIGURES = types.SimpleNamespace(rss=1, own=2, peak=3, wall=4.0, cpu=5.0)
OWN = [
    keraser.TrialError("a", figures=FIGURES, output="last line"),
    keraser.MemoryLimitExceeded("a", which="GPU memory", figures=FIGURES),
    keraser.TimeLimitExceeded("a", which="cpu", output="last line"),
    keraser.TrialCrashed("a", signal=signal.SIGSEGV, figures=FIGURES),
    keraser.TrialCrashed("a", exitcode=3),
    keraser.StillHeldError("a", ("b",)),
    keraser.GrowthError("a report", "a message"),
]


@pytest.mark.parametrize("error", OWN, ids=lambda error: type(error).__name__)
def test_errors_of_our_own_travel_whole(error):
    for found in (pickle.loads(pickle.dumps(error)), unpack_error(pack_error(error))):
        assert type(found) is type(error)
        assert str(found) == str(error)
        assert vars(found) == vars(error)


def test_a_trial_error_is_one_of_ours_and_has_nothing_to_tell_at_first():
    error = keraser.TrialCrashed("a")
    assert isinstance(error, keraser.TrialError)
    assert isinstance(error, keraser.KeraserError)
    assert (error.figures, error.output) == (None, "")
    assert (error.signal, error.exitcode) == (None, None)

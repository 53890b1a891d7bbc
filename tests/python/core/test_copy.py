"""_core.copy: buffers into buffers, all or nothing."""

import array
import sys
import threading

import pytest
from keraser import _core


def test_bytes_arrive_and_are_counted():
    source = bytes(range(256)) * 40_000
    whole, part = bytearray(len(source)), bytearray(3)
    assert _core.copy([(whole, source), (part, b"abc"), (bytearray(), b"")]) == (
        len(source) + 3
    )
    assert whole == source
    assert part == b"abc"
    assert _core.copy([]) == 0


def test_numbers_are_copied_as_their_bytes():
    source, target = array.array("d", [1.5, -2.0]), array.array("Q", [0, 0])
    assert _core.copy([(target, source)], threads=2) == 16
    assert target.tobytes() == source.tobytes()


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        ((bytearray(2), b"abc"), ValueError, "pair 1: 3 bytes do not fit 2"),
        ((b"abc", b"xyz"), BufferError, "pair 1, to: .*not writable"),
        ((bytearray(3), 3), TypeError, "pair 1, from: .*bytes-like"),
        ((3, b"abc"), TypeError, "pair 1, to: .*bytes-like"),
        ([bytearray(3), b"abc"], TypeError, "pair 1 is no tuple"),
        ((bytearray(3),), TypeError, "pair 1 is no tuple"),
        (
            (memoryview(bytearray(6))[::2], b"abc"),
            BufferError,
            "pair 1, to: .*contiguous",
        ),
    ],
)
def test_after_an_error_nothing_is_copied_or_held(bad, error, text):
    target, source = bytearray(b"..."), bytearray(b"abc")
    counts = [sys.getrefcount(thing) for thing in (target, source, bad)]
    with pytest.raises(error, match=text):
        _core.copy([(target, source), bad])
    assert target == b"..."
    assert [sys.getrefcount(thing) for thing in (target, source, bad)] == counts
    for thing in (target, source, *bad):
        if isinstance(thing, bytearray):
            thing.extend(b"!")  # refused while somebody has the buffer


def test_a_readonly_target_is_written_only_when_asked():
    target = bytearray(3)
    readonly = memoryview(target).toreadonly()
    with pytest.raises(BufferError):
        _core.copy([(readonly, b"abc")])
    assert target == bytes(3)
    assert _core.copy([(readonly, b"abc")], into_readonly=True) == 3
    assert target == b"abc"


@pytest.mark.parametrize("arguments", [(), ((),), ([], 1)])
def test_what_is_no_list_of_pairs_is_refused(arguments):
    with pytest.raises(TypeError):
        _core.copy(*arguments)


def test_a_number_of_threads_is_not_negative():
    target = bytearray(3)
    with pytest.raises(ValueError, match="negative"):
        _core.copy([(target, b"abc")], threads=-1)
    assert target == bytes(3)


def test_an_address_tells_what_shares_memory():
    block, other = bytearray(64), bytearray(64)
    view = memoryview(block)
    start = _core.address(block)
    assert _core.address(view) == _core.address(view.toreadonly()) == start
    assert _core.address(view[::2]) == start
    assert _core.address(view[5:]) == start + 5
    assert _core.address(other) != start
    del view
    block.clear()  # refused while somebody has the buffer
    with pytest.raises(TypeError, match="bytes-like"):
        _core.address(3)


def test_other_threads_go_on():
    source, steps = bytes(256 << 20), [0]
    target = bytearray(len(source))
    done = threading.Event()

    def count():
        while not done.is_set():
            steps[0] += 1

    thread = threading.Thread(target=count)
    old = sys.getswitchinterval()
    thread.start()
    sys.setswitchinterval(1)  # longer than the copy: it alone lets others run
    try:
        before = steps[0]
        _core.copy([(target, source)], threads=1)
        after = steps[0]
    finally:
        sys.setswitchinterval(old)
        done.set()
        thread.join()
    assert after - before > 1000

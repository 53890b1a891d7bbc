"""pytest: tests that must leave nothing behind, and what each test leaves.

    @pytest.mark.keraser_flat(rounds=20)   # run so often; growth is a failure
    def test_training_leaves_nothing():
        ...

    pytest --keraser                       # what each test left behind, at the end

The body of a marked test runs `rounds` times, and twice more before that to fill
caches, with the same fixtures; after each round garbage is collected and the gauges are
read. It fails when one of them leaks, with the report and who holds what grew. It
passes when nothing grows, and when the figures are too noisy to tell.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

_MARK = "keraser_flat"

#: Of what a test left behind, what is worth a line: a test's own books are less.
_LEAST = {"heap in use": 64 * 1024, "objects": 500, "graphs": 1, "handles": 1}


def pytest_addoption(parser: Any) -> None:
    parser.getgroup("keraser").addoption(
        "--keraser",
        action="store_true",
        help="report what each test leaves behind: objects, graphs, handles, bytes",
    )


def pytest_configure(config: Any) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARK}(rounds=20): run the test so often, and fail if something grows from "
        "round to round",
    )
    if config.getoption("--keraser"):
        config.pluginmanager.register(_Leftovers(), "keraser-leftovers")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    """Runs a marked test in rounds."""
    mark = pyfuncitem.get_closest_marker(_MARK)
    if mark is None:
        return None
    rounds = _rounds(*mark.args, **mark.kwargs)
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    report = _run(pyfuncitem.obj, arguments, rounds)
    if report.leaking:
        pytest.fail(f"{report.summary()}\n\n{report.table().text()}", pytrace=False)
    return True


def _rounds(rounds: int = 20) -> int:
    from keraser.trend import FEWEST

    if not isinstance(rounds, int) or rounds < FEWEST:
        pytest.fail(
            f"@pytest.mark.{_MARK}(rounds={rounds!r}): give a number of rounds, "
            f"{FEWEST} or more; fewer say nothing of growth",
            pytrace=False,
        )
    return rounds


def _run(function: Any, arguments: dict[str, Any], rounds: int) -> Any:
    from keraser.recording import WARM_UP, Recorder

    recorder = Recorder()
    for _ in range(WARM_UP + rounds):
        started = time.perf_counter()
        function(**arguments)
        seconds = time.perf_counter() - started
        gc.collect()
        recorder.note(seconds)
    return recorder.report()


class _Leftovers:
    """`--keraser`: reads the gauges around each test, its fixtures included."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, dict[str, int]]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        before = self._read()
        result = yield
        after = self._read()
        left = {
            name: after[name] - before[name]
            for name, least in _LEAST.items()
            if name in after and name in before and after[name] - before[name] >= least
        }
        if left:
            self._rows.append((item.nodeid, left))
        return result

    def _read(self) -> dict[str, int]:
        from keraser.readings import read_gauges

        gc.collect()
        return read_gauges()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        from keraser.readings import gauge_of
        from keraser.receipt import format_bytes

        terminalreporter.section("keraser: what tests left behind")
        if not self._rows:
            terminalreporter.write_line("nothing")
        rows = sorted(self._rows, key=lambda row: -row[1].get("heap in use", 0))
        for nodeid, left in rows:
            words = ", ".join(
                f"{format_bytes(size)} {name}"
                if gauge_of(name).unit == "bytes"
                else f"{size:,} {name}"
                for name, size in left.items()
            )
            terminalreporter.write_line(f"{nodeid}: {words}")

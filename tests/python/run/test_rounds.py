"""When a sweep is due, by a clock and a resident set of the test's own."""

import pytest
from keraser import rounds

MIB = 1 << 20


class Keras:
    """As much of an adapter as is asked before a sweep."""

    part = tracing = False

    def is_part(self):
        return self.part

    def is_tracing(self):
        return self.tracing


@pytest.fixture
def world(monkeypatch):
    """Rounds whose sweeps take one second, beside a fake adapter, clock and memory."""

    class World:
        now, rss, sweeps, adapter = 100.0, 1000 * MIB, 0, Keras()

    def sweep(watched, _adapter):
        World.sweeps += 1
        watched._last, watched._took, watched._rss = World.now, 1.0, World.rss

    monkeypatch.setattr(rounds, "find_adapter", lambda: World.adapter)
    monkeypatch.setattr(rounds.time, "monotonic", lambda: World.now)
    monkeypatch.setattr(rounds._core, "process", lambda: {"rss": World.rss})
    monkeypatch.setattr(rounds.Rounds, "_sweep", sweep)
    World.rounds = rounds.Rounds(trim=False)
    World.rounds.model_is_made()
    assert World.sweeps == 0  # nothing was before the first
    World.rounds.model_is_made()
    assert World.sweeps == 1
    return World


@pytest.mark.parametrize(
    ("seconds", "mib", "due"),
    [(1, 0, 0), (9.9, 255, 0), (1, 255, 0), (0.9, 4000, 0), (1, 256, 1), (10, 0, 1)],
)
def test_a_sweep_is_due_after_ten_times_its_time_or_once_memory_grew(
    world, seconds, mib, due
):
    world.now += seconds
    world.rss += mib * MIB
    world.rounds.model_is_made()
    assert world.sweeps == 1 + due
    assert world.rounds.models == 3


def test_parts_of_a_model_and_models_within_a_trace_begin_no_round(world):
    world.now += 100
    world.adapter.part = True
    world.rounds.model_is_made()
    assert (world.rounds.models, world.sweeps) == (2, 1)
    world.adapter.part, world.adapter.tracing = False, True
    world.rounds.model_is_made()
    assert (world.rounds.models, world.sweeps) == (3, 1)

"""What trials took, and what an executor is doing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from keraser import wire
from keraser.receipt import format_bytes


@dataclass(frozen=True)
class Figures:
    """What one trial took, as last seen. Readings are some ms apart where a limit is
    near, up to a second where none is.

    Attributes:
        rss: resident bytes, those shared with the fork server included.
        own: bytes that the trial itself made or changed: what `memory=` limits. Exact
            for a trial of 0.1 s or more, the least it can be for a shorter one.
        peak: the highest `own` that was seen.
        wall: seconds since the trial began.
        cpu: seconds of processor time, of all its threads.
        gpu: bytes of GPU memory; 0 without a GPU.
    """

    rss: int
    own: int
    peak: int
    wall: float
    cpu: float
    gpu: int

    @classmethod
    def of_frame(cls, values: tuple[int, ...]) -> Figures:
        rss, own, peak, wall, cpu, gpu = values
        return cls(rss, own, peak, wall / 1e9, cpu / 1e9, gpu)

    def __str__(self) -> str:
        said = (
            f"{format_bytes(self.own)} of its own (peak {format_bytes(self.peak)}), "
            f"{self.wall:.1f} s, {self.cpu:.1f} s of CPU"
        )
        return said + (f", {format_bytes(self.gpu)} on GPUs" if self.gpu else "")


@dataclass(frozen=True)
class WorkerRow:
    """One worker process: its state is spare, running, idle or ending."""

    pid: int
    state: str
    trial: int
    trials: int
    figures: Figures

    @classmethod
    def of_frame(cls, trial: int, values: tuple[int, ...]) -> WorkerRow:
        state, pid, trials, *figures = values
        return cls(
            pid,
            wire.WORKER_STATES[state],
            trial,
            trials,
            Figures.of_frame(tuple(figures)),
        )


@dataclass(frozen=True)
class ExecutorStats:
    """What an executor has done and is doing. Holds no trial and no result.

    Attributes:
        done, failed: trials that ended, and those of them that ended in an error.
        waiting: trials that no worker has taken.
        seconds: since the executor was made.
        trials_per_second: of those done, over the time since the first began.
        peak: the highest own memory of any trial, in bytes.
        servers: fork servers started so far; more than 1 where one was replaced.
        server_pid: process id of the present one.
        server_memory: its resident bytes; 0 while it is importing.
        forks, fork_ms: forks of the present one, and what one takes in the mean.
        memory_limited_by: "cgroup", or "watching (why not by the kernel)".
        workers: those there are, spares included; none while the server is importing.
    """

    done: int
    failed: int
    waiting: int
    seconds: float
    trials_per_second: float
    peak: int
    servers: int
    server_pid: int
    server_memory: int
    forks: int
    fork_ms: float
    memory_limited_by: str
    workers: tuple[WorkerRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"schema": 1, **asdict(self)}

    def line(self) -> str:
        """One line for people."""
        running = [row for row in self.workers if row.state == "running"]
        said = f"{self.done} done"
        if self.failed:
            said += f", {self.failed} failed"
        if self.waiting:
            said += f", {self.waiting} waiting"
        said += f" · {self.trials_per_second:.2g} trials/s"
        if running:
            sizes = ", ".join(format_bytes(row.figures.own) for row in running)
            said += f" · {len(running)} running: {sizes}"
        return said + f" · peak {format_bytes(self.peak)}"

    def __str__(self) -> str:
        lines = [self.line()]
        for row in self.workers:
            lines.append(
                f"  {row.state:8} pid {row.pid}"
                + (f" trial {row.trial}: {row.figures}" if row.trial else "")
            )
        if self.forks:
            lines.append(
                f"  server   pid {self.server_pid}: "
                f"{format_bytes(self.server_memory)}, {self.forks} forks of "
                f"{self.fork_ms:.1f} ms; memory limited by {self.memory_limited_by}"
            )
        return "\n".join(lines)

    __repr__ = __str__

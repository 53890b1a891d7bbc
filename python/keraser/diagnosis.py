"""doctor(): what works in this process and what does not, and why."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import Any

from keraser import _core, gpu_levels, listening
from keraser.adapters.base import find_adapter, find_runtime
from keraser.errors import UnsupportedError
from keraser.gpu_reset import why_unknown
from keraser.pitfalls import Pitfall, find_pitfalls
from keraser.receipt import format_bytes

#: The CPython versions that keraser's seams know and its tests run on.
TESTED_PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13))


@dataclass(frozen=True)
class Finding:
    """One line of a diagnosis: what, whether it works, and why or how."""

    what: str
    works: bool
    note: str


@dataclass(frozen=True)
class Diagnosis:
    """What `keraser.doctor` found. Plain data.

    Attributes:
        findings: what works here.
        pitfalls: what keeps memory here, each with the line to change.
    """

    findings: tuple[Finding, ...]
    pitfalls: tuple[Pitfall, ...] = ()

    @property
    def healthy(self) -> bool:
        return all(finding.works for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts and text, fit for JSON."""
        return {**asdict(self), "healthy": self.healthy}

    def __repr__(self) -> str:
        width = max(len(finding.what) for finding in self.findings)
        lines = [
            f"{'ok' if f.works else 'NO':<3} {f.what:<{width}}  {f.note}"
            for f in self.findings
        ]
        for pitfall in self.pitfalls:
            lines.append(f"!!  {pitfall.name}: {pitfall.seen}")
            lines.append(
                f"    {pitfall.line + ': ' if pitfall.line else ''}{pitfall.advice}"
            )
        return "\n".join(lines)


def doctor() -> Diagnosis:
    """Looks at this Python, the C core and the framework, and says what works; and at
    who keeps models and functions alive, and names the pitfalls (docs/pitfalls.md).

    Changes nothing and imports nothing. Where TensorFlow's pool has a free block, it is
    allocated and freed once, to see that the pool's map shows it.

    Example:
        >>> keraser.doctor()               # doctest: +SKIP
    """
    findings = (
        *_python(),
        *_heap(),
        *_pool(),
        *_regions(),
        *_gpus(),
        *_framework(),
        *_listening(),
    )
    return Diagnosis(findings, _pitfalls())


def _pitfalls() -> tuple[Pitfall, ...]:
    try:
        return find_pitfalls()
    except UnsupportedError:  # another backend, which a finding tells
        return ()


def _python() -> list[Finding]:
    known = sys.version_info[:2] in TESTED_PYTHONS
    implementation = sys.implementation.name
    version = ".".join(map(str, sys.version_info[:3]))
    tested = ", ".join(f"{major}.{minor}" for major, minor in TESTED_PYTHONS)
    works = known and implementation == "cpython"
    return [Finding("Python", works, f"{implementation} {version}; tested: {tested}")]


def _heap() -> list[Finding]:
    seams = _core.seams()
    enumerate_notes = {
        "heads": "the collector's own lists, frozen objects included",
        "visit": "PyUnstable_GC_VisitObjects; objects frozen by gc.freeze() are missed",
        "list": "gc.get_objects(); objects frozen by gc.freeze() are missed",
    }
    found = [
        Finding("heap enumeration", True, enumerate_notes[seams["enumerate"]]),
        Finding("running functions", frames_work(), _frames_note()),
        Finding("names of attributes", seams["attributes"], _attributes_note(seams)),
    ]
    try:
        _core.heap()
        found.append(Finding("C heap figures", True, "mallinfo2"))
    except UnsupportedError as reason:
        found.append(Finding("C heap figures", False, str(reason)))
    return found


def frames_work() -> bool:
    """Finds a variable of this very function, or says that it cannot."""
    probe = object()
    return any(
        function == "frames_work" and name == "probe"
        for _, (_, _, _, function, _, name, *_) in _core.variables([probe])
    )


def _frames_note() -> str:
    if frames_work():
        return "variables are read without adding a holder"
    return (
        "frames of this Python are unknown: a variable bound to a model holds it, so "
        "delete it first and call keraser.clear()"
    )


def _attributes_note(seams: Any) -> str:
    if seams["attributes"]:
        return "read without making an instance's dict"
    return "where this Python keeps attributes is unknown: paths name types alone"


def _pool() -> list[Finding]:
    """A line for each symbol and check that trimming TensorFlow's pool stands on."""
    try:
        rows = _core.capabilities()
    except (MemoryError, OSError) as error:
        return [Finding("trim: TensorFlow CPU pool", False, str(error))]
    if not rows:
        return [Finding("trim: TensorFlow CPU pool", True, "TensorFlow is not loaded")]
    return [Finding(f"trim: {what}", works, note) for what, works, note in rows]


def _regions() -> list[Finding]:
    """A line for each pool of TensorFlow whose free regions can go back."""
    try:
        pools = _core.region_pools()
    except (MemoryError, OSError) as error:
        return [Finding("regions: TensorFlow's pools", False, str(error))]
    return [
        Finding(f"regions: {p['pool']}", p["refused"] is None, p["refused"] or _size(p))
        for p in pools
    ]


def _size(pool: Any) -> str:
    return f"{format_bytes(pool['size'])}; what of it are free regions goes back"


def _gpus() -> list[Finding]:
    """What the driver says of each GPU in use."""
    refused = _core.gpu_refusal()
    gpus = _core.gpus()
    if not gpus:
        return [Finding("GPU driver", refused is None, refused or "no GPU is in use")]
    return [
        *(
            Finding(f"GPU:{g['device']}", g["refused"] is None, g["refused"] or _use(g))
            for g in gpus
        ),
        *(Finding(*line) for line in gpu_levels.lines(gpus)),
        *_gpu_reset(),
    ]


def _gpu_reset() -> list[Finding]:
    """Whether keraser.gpu.reset_runtime() works here, and what is in its way now."""
    what, runtime = "GPU T2: reset of the runtime", find_runtime()
    if runtime is None:
        return []
    unknown = why_unknown(runtime)
    if unknown is not None:
        return [Finding(what, False, unknown)]
    living = runtime.living()
    count = len(living.things)
    living.drop()
    note = runtime.why_not_now() or (
        f"{count} tensors, functions and others live; it asks for none"
        if count
        else "keraser.gpu.reset_runtime(): nothing is in its way"
    )
    return [Finding(what, True, note)]


def _use(gpu: Any) -> str:
    used, total = format_bytes(gpu["used"]), format_bytes(gpu["total"])
    pool = format_bytes(gpu["pool_held"])
    return f"{used} of {total} in use by all processes; CUDA's default pool has {pool}"


def _framework() -> list[Finding]:
    try:
        adapter = find_adapter()
    except UnsupportedError as reason:
        return [Finding("framework", False, str(reason))]
    if adapter is None:
        return [Finding("framework", True, "Keras is not imported yet")]
    return [Finding(*finding) for finding in adapter.findings()]


def _listening() -> list[Finding]:
    path = listening.path()
    if path is not None:
        return [Finding("command line", True, f"answered at {path}")]
    return [Finding("command line", not listening.failed(), listening.why_not())]

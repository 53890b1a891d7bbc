"""Keras 3 on TensorFlow. This file is the table of contents; one file a holder.

`model` lists what a model consists of · `registry` is TensorFlow's gradient registry,
`guard` its cure in advance · `library` functions of TensorFlow's runtime ·
`traces` what living tf.functions remember · `nodes` the layer graph that shared
layers keep · `caches` TensorFlow caches · `session` Keras state and user settings ·
`tensors` the memory of tensors · `holding` holders by name ·
`sharing` what other models use too · `hollow` what of a held model becomes a shell,
`values` how its memory goes · `barring` the functions that captured them ·
`swapping` what parking touches · `states` what training changes, `batches` many
values at once · `renewing` what they were before it ·
`redrawing` fresh weights, `twins`, `build_order` and `randomness` what they come from ·
`remaking` things made a second time, `customs` the user's own among them ·
`births` who is being made · `publishing` what TensorFlow notes of each function ·
`gauges` what grows where something leaks ·
`second_model` a model from another's configuration ·
`shipping` what goes to another process, `crates` how a model does ·
`runtime` what all tensors live in, `postponed` what outlives it ·
`health` what doctor() says, `pitfalls` what it warns of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from keraser.adapters.base import Barred, Belongings, Plan, Redrawn, State
from keraser.adapters.keras_tf import (
    barring,
    batches,
    births,
    caches,
    executables,
    gauges,
    guard,
    health,
    holding,
    hollow,
    model,
    nodes,
    pitfalls,
    publishing,
    redrawing,
    registry,
    renewing,
    second_model,
    session,
    sharing,
    states,
    swapping,
    tensors,
    traces,
    values,
)
from keraser.adapters.keras_tf.library import RuntimeFunctions
from keraser.names import Name, Vocabulary
from keraser.receipt import Reset


class KerasTensorFlow:
    """The adapter of Keras 3 with TensorFlow as its backend; see `base.Adapter`."""

    def is_model(self, value: Any) -> bool:
        return model.is_model(value)

    def running(self, rows: list[tuple]) -> str | None:
        return model.running_method(rows)

    def plan(self, box: list[Any]) -> Plan:
        plan = model.plan_model(box)
        plan.seeds.extend(plan.extra.node_lists)
        return _with_entries(plan, registry.entries_of_model(plan.extra))

    def plan_session(self) -> Plan:
        plan = Plan(name="session", kind="all models", extra=model.Extra())
        traces.add_dead_traces(plan)
        return _with_entries(plan, registry.entries())

    def needed(self, plan: Plan, owned: Any) -> list[str]:
        """Names of the seeds that something alive needs: entries, functions, traces."""
        functions = RuntimeFunctions(owned)
        called = [t for t in plan.extra.python_functions if functions.name(t)]
        held = traces.held(plan.extra, owned)
        return called + held + registry.find_living(plan.extra, owned, functions)

    def take_back(self, plan: Plan, names: list[str]) -> None:
        """These stay: they are no seeds any more."""
        extra = plan.extra
        for name in names:
            if name in extra.entries:
                seed = extra.entries.pop(name)
                extra.living_entries.append(seed)
            elif name in extra.python_functions:
                seed = extra.python_functions.pop(name)
            else:
                seed = traces.take_back(extra, name)
            for starts in (plan.seeds, plan.groups[-1]):
                starts[:] = [start for start in starts if start is not seed]

    def add_python_functions(self, plan: Plan) -> None:
        """What the default graph keeps may hold the model: to be dropped, if dead."""
        plan.extra.python_functions.update(caches.python_functions())
        plan.seeds.extend(plan.extra.python_functions.values())
        plan.groups[-1].extend(plan.extra.python_functions.values())

    def living_functions(self) -> list[str]:
        return traces.describe_living()

    def add_cached_traces(self, plan: Plan, box: list[Any]) -> None:
        traces.add_traces_of(plan, box)

    def models(self) -> list[Any]:
        return model.living_models()

    def sizes(self, value: Any) -> dict[str, int]:
        return states.sizes(value)

    def inner_layers(self, models: list[Any]) -> set[int]:
        return model.inner_layers(models)

    def find_sharing(self, box: list[Any], owned: Any) -> sharing.Sharing:
        return sharing.find_sharing(box, owned)

    def add_shells(self, plan: Plan, box: list[Any], shared: Any) -> set[int]:
        return hollow.add_shells(plan, box, shared)

    def symbolic_tensors(self, plan: Plan, staying: set[int]) -> list[Any]:
        return hollow.symbolic_tensors(plan, staying)

    def with_inner(self, layer: Any) -> set[int]:
        return hollow.with_inner(layer)

    def protected(self, plan: Plan, staying: set[int], shared: Any) -> set[int]:
        return hollow.protected(plan, staying, shared)

    def can_be_shell(self, part: Any) -> bool:
        return hollow.can_be_shell(part)

    def is_empty(self, handle: Any) -> bool:
        return values.is_empty(handle)

    def name_of(self, part: Any) -> str:
        return hollow.name_of(part)

    def empty(self, plan: Plan, message: Callable[[str], str]) -> None:
        hollow.empty(plan, message)

    def add_orphans(self, plan: Plan, owned: Any) -> None:
        model.add_orphans(plan, owned)

    def add_states(self, plan: Plan, owned: Any) -> None:
        model.add_states(plan, owned)

    def witnesses(self, owned: Any) -> dict[str, list[Any]]:
        return model.witnesses(owned)

    def staying(self, plan: Plan, owned: Any) -> list[Any]:
        return nodes.staying(plan.extra, owned)

    def sever(self, plan: Plan, owned: Any, box: list[Any] | None) -> list[Reset]:
        """Cuts what the process itself keeps of the model; `box` None for a session."""
        resets = registry.drop_dead(plan.extra)
        resets += traces.evict(plan.extra, owned)
        if box is not None:
            resets += nodes.forget_dead_nodes(plan.extra, owned)
        return resets + caches.drop_python_functions(RuntimeFunctions(owned))

    def flush_caches(self) -> list[Reset]:
        return caches.flush()

    def drop_executables(self, limits: list[str]) -> list[Reset]:
        """After a model that XLA compiled. Says in `limits` why, if it cannot be."""
        if model.XLA_LIMIT not in limits:
            return []
        reason = executables.why_not()
        reset = None if reason else executables.drop_executables()
        if reason:
            limits.append(f"XLA's executables were not dropped: {reason}")
        return [] if reset is None else [reset]

    def name_counters(self) -> dict[str, int]:
        return session.name_counters()

    def reset_session(self, names: dict[str, int]) -> list[Reset]:
        return session.reset_names(names)

    def settings(self) -> dict[str, str]:
        return session.settings()

    def runtime_functions(self) -> int:
        return caches.count_runtime_functions()

    def pool_in_use(self) -> int | None:
        return caches.pool_in_use()

    def limits(self, plan: Plan) -> list[str]:
        return list(plan.extra.limits)

    def way_out(self, name: Name, steps: list[Any]) -> str | None:
        return holding.way_out(name, steps)

    def vocabulary(self) -> Vocabulary:
        return holding.vocabulary()

    def attribute_cut(self, holder: Any, name: Any) -> Callable[[], Any] | None:
        return holding.attribute_cut(holder, name)

    def is_whole(self, value: Any) -> bool:
        return model.is_whole(value)

    def tensors(self) -> tensors.Tensors:
        return tensors.find_tensors()

    def add_native(self, natives: list[Any], sizes: list[int]) -> None:
        tensors.add_native(natives, sizes)

    def kept_tensors(self, owned: Any) -> list[tuple[int, int]]:
        return tensors.kept_tensors(owned)

    def count_graphs(self, owned: Any) -> int:
        return tensors.count_graphs(owned)

    def count_graphs_of(self, handles: set[int]) -> int:
        return tensors.count_graphs_of(handles)

    def name_handles(self) -> dict[int, str]:
        return tensors.name_handles()

    def findings(self) -> list[tuple[str, bool, str]]:
        return health.findings()

    def belongings(self, box: list[Any], owned: Any) -> Belongings:
        return swapping.find_belongings(box, owned)

    def read_value(self, handle: Any) -> Any:
        return swapping.read(handle)

    def write_value(self, handle: Any, array: Any) -> None:
        swapping.write(handle, array)

    def empty_value(self, handle: Any) -> None:
        values.empty(handle)

    def bar_functions(
        self, handles: list[Any], refuse: Callable[[str], NoReturn]
    ) -> Barred:
        return barring.bar_functions(handles, refuse)

    def admit_functions(self, barred: Barred) -> None:
        barring.admit_functions(barred)

    def is_ready(self, model: Any) -> bool:
        return states.is_ready(model)

    def states(self, model: Any, kinds: tuple[str, ...], only: Any) -> list[State]:
        return states.find_states(model, kinds, only)

    def optimizer_is_built(self, model: Any) -> bool:
        return states.optimizer_is_built(model)

    def as_new(self, model: Any, handles: list[Any]) -> list[tuple[Any, Any]]:
        return renewing.as_new(model, handles)

    def second_model(self, model: Any, seed: int) -> Any:
        return second_model.second_model(model, seed)

    def redraw(self, model: Any, seed: int, only: Any, frozen: bool) -> Redrawn:
        return redrawing.redraw(model, seed, only, frozen)

    def read_all(self, handles: list[Any]) -> list[Any]:
        return batches.read_all(handles)

    def assign_all(self, handles: list[Any], tensors: list[Any]) -> None:
        batches.assign_all(handles, tensors)

    def shares_buffers(self, handle: Any) -> bool:
        return batches.shares_buffers(handle.device)

    def copies(self, tensors: list[Any]) -> list[Any]:
        return batches.copies(tensors)

    def looks(self, tensors: list[Any]) -> list[tuple[tuple[int, ...], str]]:
        return batches.looks(tensors)

    def views(self, tensors: Any) -> list[Any]:
        return [batches.view(tensor) for tensor in tensors]

    def to_host(self, tensors: list[Any]) -> list[Any]:
        return batches.to_host(tensors)

    def from_host(self, arrays: list[Any], handles: list[Any]) -> list[Any]:
        return batches.from_host(arrays, handles)

    def pitfall_hop(self, thing: Any) -> str:
        return pitfalls.hop(thing)

    def retraced(self) -> list[tuple[Any, int, str]]:
        return pitfalls.retraced()

    def open_tapes(self) -> list[Any]:
        return pitfalls.open_tapes()

    def training_traces(self, models: list[Any]) -> list[tuple[str, int]]:
        return pitfalls.training_traces(models)

    def is_tracing(self) -> bool:
        return caches.is_tracing()

    def gauges(self) -> dict[str, int]:
        return gauges.read()

    def is_out_of_memory(self, error: BaseException) -> bool:
        return gauges.is_out_of_memory(error)

    def is_model_type(self, kind: type) -> bool:
        return model.is_model_type(kind)

    def has_memory(self, value: Any) -> bool:
        return model.has_memory(value)

    def watch_births(self, watcher: Callable[[Any], None]) -> Callable[[], None]:
        return births.watch_models(watcher)

    def is_part(self) -> bool:
        return births.is_part()

    def watch_values(self, watcher: Callable[[Any], None]) -> Callable[[], None]:
        return births.watch_values(watcher)

    def value_types(self) -> tuple[type, ...]:
        return births.value_types()

    def value_name(self, value: Any) -> str:
        return births.value_name(value)

    def stop_publishing(self) -> Callable[[], None]:
        return publishing.stop()

    def guard_on(self) -> None:
        guard.turn_on()

    def guard_off(self) -> None:
        guard.turn_off()

    def guard_is_on(self) -> bool:
        return guard.is_on()

    def guard_let_go(self) -> int:
        return guard.let_go()


def _with_entries(plan: Plan, entries: dict[str, Any]) -> Plan:
    plan.extra.entries.update(entries)
    plan.seeds.extend(entries.values())
    plan.groups[-1].extend(entries.values())
    return plan

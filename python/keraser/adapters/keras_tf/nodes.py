"""Layers that outlive the model: what they remember of its graph.

Each symbolic call of a layer appends a Node to the layer, and nodes lead to the layers
before and after. So a layer shared with a living model would keep every layer of the
cleared one. Nodes that belong to the cleared model alone are taken out of the lists of
the layers that stay.
"""

from __future__ import annotations

import gc
from typing import Any

from keraser.receipt import Reset


def forget_dead_nodes(extra: Any, owned: Any) -> list[Reset]:
    """Takes dead nodes out of the lists of living operations."""
    forgotten = 0
    for operation in extra.operations:
        if operation in owned:
            continue
        inbound = vars(operation).get("_inbound_nodes", [])
        outbound = vars(operation).get("_outbound_nodes", [])
        forgotten += _forget_inbound(inbound, owned)
        dead = [node for node in outbound if _is_dead(node, owned)]
        for node in dead:
            outbound.remove(node)
        forgotten += len(dead)
    if not forgotten:
        return []
    note = "nodes of the cleared model forgotten by layers that stay"
    return [Reset("shared layers", forgotten, note)]


def staying(extra: Any, owned: Any) -> list[Any]:
    """What was a seed and stays all the same, with what it alone keeps: the node lists
    of living operations, and the nodes in them that are only emptied."""
    lists: list[Any] = []
    emptied: list[Any] = []
    for operation in extra.operations:
        if operation in owned:
            continue
        inbound = vars(operation).get("_inbound_nodes", [])
        lists += [inbound, vars(operation).get("_outbound_nodes", [])]
        emptied += _emptied(inbound, owned)
    stay = [*lists, *emptied, *(vars(node) for node in emptied)]
    return stay + _kept_by(lists, owned)


def _kept_by(lists: list[Any], owned: Any) -> list[Any]:
    """What the lists lead to, but for dead nodes and operations: living nodes and what
    they keep, attributes and the like."""
    from keras import Operation
    from keras.src.ops.node import Node

    kept: dict[int, Any] = {}
    pending = list(lists)
    while pending:
        for thing in gc.get_referents(pending.pop()):
            if isinstance(thing, Operation) or id(thing) in kept:
                continue
            dead = type(thing) is Node and _is_dead(thing, owned)
            if not dead and thing in owned:
                kept[id(thing)] = thing
                pending.append(thing)
    return list(kept.values())


def _emptied(nodes: list[Any], owned: Any) -> list[Any]:
    """The dead ones that have a living one behind them."""
    last = max((i for i, n in enumerate(nodes) if not _is_dead(n, owned)), default=0)
    return [node for node in nodes[:last] if _is_dead(node, owned)]


def _is_dead(node: Any, owned: Any) -> bool:
    """A node is reached by its place in the list from each of its outputs, without a
    reference, so it is dead only if they are."""
    return node in owned and all(tensor in owned for tensor in node.outputs)


def _forget_inbound(nodes: list[Any], owned: Any) -> int:
    """Keras finds inbound nodes by index, so only trailing ones can be taken out; one
    that has living ones behind it is emptied in its place."""
    forgotten = 0
    while nodes and _is_dead(nodes[-1], owned):
        nodes.pop()
        forgotten += 1
    for node in nodes:
        if _is_dead(node, owned) and node.outputs:
            _empty(node)
            forgotten += 1
    return forgotten


def _empty(node: Any) -> None:
    node.arguments = type(node.arguments)()
    node.outputs = []
    node.is_input = False

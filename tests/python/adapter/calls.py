"""Every public call of `_core`, on a small world made for it.

A call takes a World and returns something that compares equal whenever the call gave
the right answer. What must not be compared is left out: a figure of the process, an
address. The tests of this folder make the same calls and look at different things.
"""

import array
import functools
import gc
import os
import socket
import sys
import threading

import keraser
from keraser import _core, wire


def just_call(function, *arguments):
    return function(*arguments)


PLAIN = (type, type(None), int, float, str)


class Thing:
    def __init__(self, *parts):
        self.me = self
        self.parts = list(parts)


class Holder:
    pass


def make_local_class():
    class Local(Thing):
        pass

    return Local


def make_closure(captured):
    return lambda: captured


def stream(inside):
    yield inside


def tree(depth):
    """Some hundred objects of many kinds, the collector's and others, in cycles."""
    if not depth:
        return Thing({"text": "x" * depth, "π": 1.5}, (1, [2], {3}), bytearray(700))
    below = [tree(depth - 1) for _ in range(3)]
    suspended = stream(below[0])
    next(suspended)
    return Thing(*below, make_closure(below[1]), suspended, dict.fromkeys(range(40)))


class World:
    """One model to be let go, what names it, and a part of it that somebody holds.

    Nothing here is held by a variable that the walk could see: `box` holds the model.
    """

    def __init__(self):
        self.box = [tree(3)]
        self.box[0].local = make_local_class()()
        self.kept = self.box[0].parts[0].parts[1]
        self.namespace = {"model": self.box[0], "another": 3}
        self.groups = [[self.box[0].parts[1]], [self.box[0], self.box[0].parts[2]]]
        self.shelf = Holder()
        self.shelf.kept = [self.kept]
        self.everything()  # a dict of attributes is made when it is first asked for

    def walk(self, via=just_call):
        ours = [self.__dict__, self.box, self.groups, *self.groups]
        return via(_core.Owned, self.box, self.groups, ours, self.box, [self.namespace])

    def let_go(self):
        self.namespace.clear()
        for group in self.groups:
            group.clear()
        self.box.clear()

    def everything(self):
        """Each object of the world once: they are what no call may change.

        Plain values are left out: others in the process refer to the same ones.
        """
        seen, pending = {}, [self.box[0], self.kept, self.shelf, self.shelf.kept]
        while pending:
            thing = pending.pop()
            if id(thing) in seen or isinstance(thing, PLAIN):
                continue
            seen[id(thing)] = thing
            if isinstance(thing, (list, tuple, set)):
                pending += thing
            elif isinstance(thing, dict):
                pending += thing.values()
            elif callable(thing):
                pending += [cell.cell_contents for cell in thing.__closure__]
            elif hasattr(thing, "__dict__"):
                pending.append(thing.__dict__)
        return list(seen.values())


def deep(thing, via, function, *arguments, depth=99):
    """A call below many functions that hold `thing`: buffers have to grow."""
    if depth:
        return deep(thing, via, function, *arguments, depth=depth - 1)
    return via(function, *arguments)


def figures(found):
    return found.objects, found.bytes, found.tracked, found.visited


def owned(world, via=just_call):
    found = world.walk(via)
    assert world.kept not in found
    assert world.box[0].parts[2] in found
    return figures(found)


def owned_outside(world, via=just_call):
    found = world.walk()
    return [via(found.outside, thing) for thing in (world.box[0], world.kept)]


def owned_instances(world, via=just_call):
    found = world.walk()
    assert found.instances(Holder) == []
    return len(via(found.instances, Thing))


def owned_figures(world, via=just_call):
    return via(figures, world.walk())


def owned_release(world, via=just_call):
    found = world.walk()
    world.let_go()
    collected, alive = via(found.release)
    return collected, [type(thing).__name__ for thing in alive]


def variables(world, via=just_call):
    rows = deep(world.kept, via, _core.variables, [world, world, world.kept])
    found = [(index, row[5]) for index, row in rows if row[3] == "deep"]
    assert found == [(2, "thing")] * 100
    return len(found)


def instances(world, via=just_call):
    found = via(_core.instances, (Thing, Holder))
    assert world.shelf in found
    return len(found)


def recent_instances(world, via=just_call):
    newest = Holder()
    assert newest in via(_core.instances, (Holder,), 1000)
    return world.shelf in _core.instances((Holder,), sys.maxsize)


def count(_world, via=just_call):
    kinds = (Thing, Holder, Holder, list)
    objects, (things, holders, again, lists) = via(_core.count, kinds)
    for kind, found in ((Thing, things), (Holder, holders)):
        assert found == len(_core.instances((kind,)))
    assert objects > things + holders + lists
    return things, holders, again


def count_types(_world, via=just_call):
    counts = via(_core.count_types)
    for kind in (Thing, Holder):
        found = [thing for thing in _core.instances((kind,)) if type(thing) is kind]
        assert counts[kind] == len(found)
    return counts[Thing], counts[Holder]


class Block:
    """A context manager whose exit is called by the interpreter itself, so that the
    function of the with statement has its stack written down."""

    def __enter__(self):
        return self

    @property
    def __exit__(self):
        def leave(*_error):
            self.found = _core.stack(1)

        return leave


def return_from(block, thing):
    for _ in (1, 2):
        with block:
            return thing


def stack(world, via=just_call):
    block = Block()
    thing = return_from(block, world.kept)
    told = sys.version_info >= (3, 11)
    assert [kept is thing for kept in block.found[1:]] == [True] * told
    return via(_core.stack, 10**6)


def survivors(world, via=just_call):
    ids = [id(thing) for thing in world.everything()]
    gone = id(object())
    found = via(_core.survivors, [*ids, gone, 3])
    assert set(found) == {id(t) for t in world.everything() if gc.is_tracked(t)}
    return len(found)


def ask(world, via=just_call, **questions):
    """Who holds a part, and all that may be asked beside; only what cannot change."""
    box, walk = [world.kept], world.walk()
    ours = [box, world.box]
    natives, sizes = [world.shelf], [1 << 40]
    call = functools.partial(_core.ask, limit=40, top=3, types=5, **questions)
    answer = deep(None, via, call, ours, box, walk, natives, sizes)
    paths, _, garbage = answer["held"][0]
    assert not garbage
    names = [path[1][-1][3:] for path in paths if path[1]]
    assert ("attribute", "kept") in names or ("index", 0) in names, paths
    assert answer["top"][0][5] == 1 << 40
    return answer["keeps"], len(answer["types"][3])


def ask_whole(world, via=just_call):
    return ask(world, via, lean=False, objects=True)


def ask_in_a_child(world, via=just_call):
    return ask(world, via, fork=True)


def ask_for_the_nearest(world, via=just_call):
    box = [world.kept]
    nearest = functools.partial(_core.ask, limit=1)
    answer = via(nearest, [box], box, None, [], [])
    return len(answer["held"][0][0])


def static_holders(_world, via=just_call):
    [found] = via(_core.static_holders, [id(type(None))])
    assert all(path.startswith("/") and count > 0 for path, count in found)
    return [path for path, _ in found]


def seams(_world, via=just_call):
    return via(_core.seams)


def process(_world, via=just_call):
    return sorted(via(_core.process))


def heap(_world, via=just_call):
    return sorted(via(_core.heap))


def collector_idle(_world, via=just_call):
    return via(_core.collector_idle)


def edge(world, via=just_call):
    model = world.box[0]
    suspended = next(part for part in model.parts if hasattr(part, "gi_frame"))
    closure = next(part for part in model.parts if hasattr(part, "__closure__"))
    cells = closure.__closure__
    chains = [
        [model.parts, model.parts[1]],
        [{(1, ("π", b"x", 0.5), Holder): model}, model],
        [closure, cells, cells[0], cells[0].cell_contents],
        [model, model.__dict__, model.parts],
        [suspended, suspended.gi_frame, model.parts[0]],
        [model.me.__init__, model],
        [model, type(model)],
    ]
    return [via(_core.edge, chain) for chain in chains]


def label(world, via=just_call):
    model = world.box[0]
    things = [model, Thing, Thing.__init__, model.__init__, [].append, gc, stream([])]
    things += [stream.__code__, things[-1].gi_frame]
    return [via(_core.label, thing) for thing in things]


def words(_world, via=just_call):
    return len(via(_core.words, 1.5)), via(_core.words, 1.5)[0] != 0


def learn_arrays(world, via=just_call):
    return via(_core.learn_arrays, world, world.box)


def trim(_world, via=just_call):
    return [(row["pool"], row["refused"]) for row in via(_core.trim)]


def copy(_world, via=just_call):
    targets = [bytearray(size) for size in (3, 0, 8)]
    sources = [b"abc", b"", array.array("d", [1.5])]
    pairs = list(zip(targets, sources, strict=True))
    return via(_core.copy, pairs), [bytes(target) for target in targets]


def capabilities(_world, via=just_call):
    return via(_core.capabilities)


def tensorflow_hash(_world, via=just_call):
    try:
        return via(_core.tensorflow_hash, "N10tensorflow3VarE")
    except keraser.UnsupportedError:
        return None


def address(_world, via=just_call):
    block = bytearray(1 << 20)
    return via(_core.address, block) == _core.address(memoryview(block))


def mapping(_world, via=just_call):
    descriptor = os.memfd_create("mapping")
    os.write(descriptor, b"abc")
    try:
        made = via(_core.Mapping, descriptor, 3)
        return None if made is None else bytes(made)
    finally:
        os.close(descriptor)


def listener(_world, via=just_call):
    made = via(_core.Listener, print)
    path = made and made.path
    found = path and os.path.exists(path)
    if made is not None:
        made.stop()
    return found, path and os.path.exists(path), made and made.path


def listen(_world, via=just_call):
    listening = via(_core.listen)
    if listening is None:
        return None
    os.close(listening[0])
    return listening[1][:1]


def connect(_world, via=just_call):
    listener, name = _core.listen()
    try:
        connected = via(_core.connect, name)
        if connected is None:
            return None
        os.close(connected)
        return "connected"
    finally:
        os.close(listener)


FRAME = wire.OUTPUT, 7, (1,), b"text", -1


def send(_world, via=just_call):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        via(_core.send, ours.fileno(), *FRAME)


def receive(_world, via=just_call):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        _core.send(ours.fileno(), *FRAME)
        return via(_core.receive, theirs.fileno(), 1000)


def protocol(_world, via=just_call):
    return via(_core.protocol)


def collapse(_world, via=just_call):
    joined = via(_core.collapse)
    return None if joined is None else joined % (2 << 20)


def serve(_world, via=just_call):
    """Of a lease that has ended."""
    listener, _ = _core.listen()
    lease, end = os.pipe()
    os.close(end)
    try:
        return via(_core.serve, listener, lease, os.getppid(), "broken", type)
    finally:
        os.close(lease)
        os.close(listener)


def gpus(_world, via=just_call):
    return via(_core.gpus)


def gpu_refusal(_world, via=just_call):
    return via(_core.gpu_refusal)


def arm_gpu(_world, via=just_call):
    return via(_core.arm_gpu)


def gpu_armed(_world, via=just_call):
    return via(_core.gpu_armed)


def gpu_map(_world, via=just_call):
    return via(_core.gpu_map)


def region_pools(_world, via=just_call):
    pools = via(_core.region_pools)
    return None if pools is None else [pool["pool"] for pool in pools]


def set_own_path(_world, via=just_call):
    return via(_core.set_own_path, "\udcff nowhere")


#: Public name -> the calls that use it.
CALLS = {
    "Owned": [owned, owned_outside, owned_instances, owned_figures, owned_release],
    "variables": [variables],
    "instances": [instances, recent_instances],
    "count": [count],
    "count_types": [count_types],
    "stack": [stack],
    "survivors": [survivors],
    "ask": [ask, ask_whole, ask_in_a_child, ask_for_the_nearest],
    "static_holders": [static_holders],
    "seams": [seams],
    "process": [process],
    "heap": [heap],
    "collector_idle": [collector_idle],
    "edge": [edge],
    "label": [label],
    "learn_arrays": [learn_arrays],
    "words": [words],
    "set_own_path": [set_own_path],
    "trim": [trim],
    "copy": [copy],
    "capabilities": [capabilities],
    "tensorflow_hash": [tensorflow_hash],
    "address": [address],
    "Mapping": [mapping],
    "Listener": [listener],
    "listen": [listen],
    "connect": [connect],
    "send": [send],
    "receive": [receive],
    "protocol": [protocol],
    "collapse": [collapse],
    "serve": [serve],
    "gpus": [gpus],
    "gpu_refusal": [gpu_refusal],
    "arm_gpu": [arm_gpu],
    "gpu_armed": [gpu_armed],
    "gpu_map": [gpu_map],
    "region_pools": [region_pools],
}


#: Calls that read the whole heap or start a server, some ms each: made less often.
HEAP = {
    ask,
    ask_whole,
    ask_in_a_child,
    ask_for_the_nearest,
    collapse,
    serve,
    survivors,
}


def release_twice(_world):
    found = _core.Owned([], [], [], [], [])
    found.release()
    found.release()


#: Calls after which the world is spent: make it anew.
USES_UP = {owned_release}

#: Calls that must be refused, with what they must raise.
REFUSED = [
    (TypeError, lambda w: _core.Owned(tuple(w.box), [], [], [], [])),
    (TypeError, lambda w: _core.Owned(w.box, [3], [], [], [])),
    (TypeError, lambda w: _core.Owned(w.box, [], [], [], [3])),
    (TypeError, lambda w: _core.Owned(w.box)),
    (ValueError, lambda w: _core.Owned(w.box, [[]] * 16, [], [], [])),
    (KeyError, lambda w: w.walk().outside(threading)),
    (TypeError, lambda w: w.walk().instances(w)),
    (ValueError, release_twice),
    (ValueError, lambda _: _core.copy([(bytearray(2), b"abc")])),
    (TypeError, lambda w: _core.copy([(bytearray(3), b"abc"), (w, b"")])),
    (TypeError, lambda w: _core.variables(w)),
    (TypeError, lambda w: _core.count([type(w)])),
    (TypeError, lambda w: _core.count((w,))),
    (TypeError, lambda _: _core.count((int,) * 65)),
    (TypeError, lambda _: _core.stack("here")),
    (ValueError, lambda _: _core.stack(-1)),
    (TypeError, lambda w: _core.instances([type(w)])),
    (TypeError, lambda w: _core.instances((w,))),
    (TypeError, lambda w: _core.instances((type(w),), "many")),
    (TypeError, lambda w: _core.survivors(w)),
    (TypeError, lambda w: _core.survivors([w])),
    (ValueError, lambda _: _core.survivors([0])),
    (OverflowError, lambda _: _core.survivors([1 << 80])),
    (TypeError, lambda w: _core.tensorflow_hash(w)),
    (keraser.UnsupportedError, lambda _: _core.tensorflow_hash("int")),
    (TypeError, lambda w: _core.address(w)),
    (TypeError, lambda w: _core.Mapping(w, 1)),
    (ValueError, lambda _: _core.Mapping(-1, 0)),
    (OSError, lambda _: _core.Mapping(-1, 1)),
    (TypeError, lambda _: _core.Listener(3)),
    (TypeError, lambda w: _core.connect(w)),
    (TypeError, lambda _: _core.connect(b"x" * 200)),
    (ValueError, lambda _: _core.connect(b"")),
    (ConnectionRefusedError, lambda _: _core.connect(b"\0nobody listens here")),
    (TypeError, lambda _: _core.send(-1, wire.ASK, 0, [])),
    (ValueError, lambda _: _core.send(-1, wire.ASK, 0, (1,))),
    (ValueError, lambda _: _core.send(-1, 9999, 0, ())),
    (OverflowError, lambda _: _core.send(-1, wire.HELLO, 0, (1 << 64,))),
    (ValueError, lambda _: _core.send(-1, wire.OUTPUT, 0, (1,), bytes(40000))),
    (ValueError, lambda _: _core.send(-1, wire.ASK, 0, (), b"", 0)),
    (OSError, lambda _: _core.send(-1, wire.ASK, 0, ())),
    (OSError, lambda _: _core.receive(-1)),
    (TypeError, lambda w: _core.receive(w)),
    (TypeError, lambda w: _core.serve(-1, -1, 0, None, w)),
    (TypeError, lambda w: _core.serve(w)),
    (OSError, lambda _: _core.serve(-1, -1, os.getppid(), "broken", type)),
    (TypeError, lambda w: _core.ask(w.box, w.box, w, [], [])),
    (TypeError, lambda w: _core.ask(w, w.box, None, [], [])),
    (TypeError, lambda w: _core.ask([], w, None, [], [])),
    (ValueError, lambda w: _core.ask([], w.box, None, [], [1])),
    (ValueError, lambda w: _core.ask([], w.box, None, [], [], limit=0)),
    (ValueError, lambda w: _core.ask([], w.box, None, [], [], top=-1)),
    (ValueError, lambda _: _core.ask([], [], None, [], [], fork=True, objects=True)),
    (TypeError, lambda w: _core.ask([], [], None, [w], ["many"], top=1)),
    (TypeError, lambda w: _core.static_holders(w)),
    (ValueError, lambda _: _core.static_holders([2, 1])),
    (OverflowError, lambda _: _core.static_holders([1 << 80])),
    (TypeError, lambda w: _core.edge((w, w))),
    (ValueError, lambda w: _core.edge([w])),
    (ValueError, lambda w: _core.edge([w, w], -1)),
    (OverflowError, lambda w: _core.edge([w, w], 1 << 80)),
    (TypeError, lambda _: _core.label()),
    (TypeError, lambda w: _core.learn_arrays(w)),
    (TypeError, lambda _: _core.words()),
    (TypeError, lambda w: _core.set_own_path(w)),
    (TypeError, lambda _: _core.set_own_path("")),
    (TypeError, lambda w: _core.heap(w)),
]


def refused(world):
    """Makes every call that must be refused; nothing else may come of it."""
    for number, (kind, call) in enumerate(REFUSED):
        try:
            call(world)
        except kind:
            continue
        raise AssertionError(f"REFUSED[{number}] did not raise {kind.__name__}")


def every_call():
    return [call for calls in CALLS.values() for call in calls]

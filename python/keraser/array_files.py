"""Named arrays in a file that others can read: .safetensors or .npz.

numpy does not know every type that a model has. Where a format does not either, the
bits are written as unsigned numbers, and `__dtypes__` in the file says what they are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from keraser.errors import UnsupportedError

#: What the writers of the two formats, and this module, take for themselves.
RESERVED = ("file", "allow_pickle", "__dtypes__", "__metadata__", "__keraser__")
SUFFIXES = (".safetensors", ".npz")


def check_suffix(path: str) -> None:
    """Refuses what cannot be written here.

    Raises:
        ValueError: neither of the two suffixes.
        UnsupportedError: safetensors is not installed.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            "values go to a .safetensors or .npz file, not to "
            f"{os.path.basename(path)!r}"
        )
    if suffix == ".safetensors":
        _safetensors()


def write(path: str, suffix: str, named: Mapping[str, Any], note: str | None) -> None:
    """Writes a new file. `note` is a text that `read_note` gives back."""
    if suffix == ".npz":
        _write_npz(path, named, note)
    else:
        metadata = None if note is None else {"keraser": note}
        _safetensors().numpy.save_file(dict(named), path, metadata=metadata)


def _write_npz(path: str, named: Mapping[str, Any], note: str | None) -> None:
    import numpy

    foreign = {n: a.dtype.name for n, a in named.items() if not _is_native(a.dtype)}
    stored = {
        name: array.view(f"u{array.dtype.itemsize}") if name in foreign else array
        for name, array in named.items()
    }
    if foreign:
        stored["__dtypes__"] = numpy.array(json.dumps(foreign))
    if note is not None:
        stored["__keraser__"] = numpy.array(note)
    with open(path, "xb") as file:
        numpy.savez(file, **stored)


def _is_native(dtype: Any) -> bool:
    """Whether numpy itself knows the type; bfloat16 comes from elsewhere."""
    return bool(dtype.isbuiltin == 1)


def read(path: str, suffix: str, types: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a file, those named in `types` of these types.

    Raises whatever the reader raises, and ValueError for another type.
    """
    if suffix == ".safetensors":
        return _read_safetensors(path, types)
    import numpy

    with numpy.load(path, allow_pickle=False) as file:
        names = [name for name in file.files if name not in RESERVED]
        return {name: _typed(file[name], types.get(name)) for name in names}


def _typed(array: Any, dtype: Any) -> Any:
    """Bits get back the type they had."""
    if dtype is None or _is_native(dtype) or array.dtype != f"u{dtype.itemsize}":
        return array
    return array.view(dtype)


def _read_safetensors(path: str, types: Mapping[str, Any]) -> dict[str, Any]:
    import numpy

    named = {}
    with open(path, "rb") as file:
        content = _safetensors().deserialize(file.read())
    for name, tensor in content:
        code = tensor["dtype"]
        dtype = types.get(name, numpy.dtype("u1"))
        if _code(dtype) != code:
            raise ValueError(f"{name!r} is {code}, not {_code(dtype)}")
        named[name] = numpy.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
    return named


def read_note(path: str, suffix: str) -> str | None:
    """The text that was written beside the arrays, None without one.

    Raises whatever the reader raises.
    """
    if suffix == ".safetensors":
        with _safetensors().safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("keraser")
    import numpy

    with numpy.load(path, allow_pickle=False) as file:
        return str(file["__keraser__"]) if "__keraser__" in file.files else None


def _code(dtype: Any) -> str:
    """What safetensors calls a type: F32, BF16, U8, F8_E4M3."""
    name = dtype.name
    if name.startswith("float8_"):
        return "F8_" + name.removeprefix("float8_").removesuffix("fn").upper()
    for word, letter in (("bfloat", "BF"), ("float", "F"), ("uint", "U"), ("int", "I")):
        name = name.replace(word, letter)
    return str(name.replace("complex", "C").upper())


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise UnsupportedError(
            "a .safetensors file needs the package safetensors: pip install "
            '"keraser[safetensors]", or use a .npz file'
        ) from error
    return safetensors

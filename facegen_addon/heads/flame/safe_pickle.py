# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles of arrays, read without running anything that they ask for.

FLAME is distributed as Python 2 pickles that hold chumpy arrays and scipy sparse matrices. A pickle
names functions and has them called; here every name stands for one of the few builders below, which
only collect shapes, numbers and bytes, and any other name is refused. Neither chumpy nor scipy is
imported. Opcodes: the table in Python's `pickletools`.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...arrays import IntArray
from ...errors import UserError

_MAX_DENSE = 2**24  # elements that a sparse matrix may have when written out; FLAME's has 25,115
MAX_BYTES = 2**29  # that all arrays may take; FLAME's take 53 MB
_DTYPE = re.compile(r"[<>|=]?(?:[biufSU]\d{1,4}|O8?)")
# A tuple nested deeply enough overflows the C stack when hashed, so no tuple is ever a key.
_KEY_TYPES = (str, bytes, int, float, type(None))

# What the interpreter below raises for bytes that are no pickle, or not all of one.
_DAMAGED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class Refused(Exception):
    """A name that no file of arrays needs."""


def load_pickle(data: bytes, path: Path, *, skip_tensors: bool = False) -> Any:
    """What a pickle holds: dicts, lists, tuples, numbers, text and (read-only) arrays.

    chumpy arrays and scipy sparse matrices come back as plain, dense arrays; sets as lists; text
    of Python 2 decoded as Latin-1. With `skip_tensors`, torch's tensors come back as None. `path`
    is named in errors. UserError if the pickle names anything else, is damaged, or is none.
    """
    admitted = ADMITTED | _TENSORS if skip_tensors else ADMITTED
    with damage_reported(path):
        return Resolver()(Interpreter(io.BytesIO(data), admitted).load())


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Turns what reading a pickle may raise into a UserError that names the file."""
    try:
        yield
    except Refused as refused:
        raise UserError(
            f"{path} asks for {refused}, which files of arrays do not need: it was refused and"
            " nothing was run; get the file from its original source"
        ) from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"{path} is not a whole pickle of arrays ({reason}): get the file again from its"
            " original source"
        ) from None


class StandIn:
    """An object of the file: arguments and state as the pickle gives them, resolved at the end."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def resolve(self, plain: Callable[[Any], Any]) -> Any:
        """The plain value; `plain` resolves what the state refers to."""
        return None


class _Dtype(StandIn):
    """numpy.dtype(code, align, copy) with state (version, byte order, ...)."""

    def resolve(self, plain: Callable[[Any], Any]) -> np.dtype[Any]:
        code = self.arguments[0]
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"data type {code!r}")
        dtype = np.dtype(code)
        return dtype.newbyteorder(self.state[1]) if self.state else dtype


class _Array(StandIn):
    """An ndarray with state (version, shape, dtype, is Fortran order, bytes or objects)."""

    def resolve(self, plain: Callable[[Any], Any]) -> NDArray[Any]:
        *_, shape, dtype, fortran, data = self.state
        return _array(data, plain(dtype), shape, "F" if fortran else "C", plain)


class _Buffer(StandIn):
    """An ndarray as protocol 5 writes it: _frombuffer(bytes, dtype, shape, order)."""

    def resolve(self, plain: Callable[[Any], Any]) -> NDArray[Any]:
        data, dtype, shape, order = self.arguments
        return _array(data, plain(dtype), shape, order, plain)


class _Scalar(StandIn):
    """A NumPy scalar: scalar(dtype, bytes)."""

    def resolve(self, plain: Callable[[Any], Any]) -> Any:
        dtype, data = self.arguments
        return _array(data, plain(dtype), (), "C", plain)[()]


class _Encoded(StandIn):
    """_codecs.encode(text, "latin1"): how Python 3 writes bytes in the older protocols."""

    def resolve(self, plain: Callable[[Any], Any]) -> bytes:
        text, *encoding = self.arguments or ("",)
        if encoding not in ([], ["latin1"], ["latin-1"]):
            raise ValueError(f"text in encoding {encoding}")
        return _raw(text)


class _Chumpy(StandIn):
    """chumpy.ch.Ch: its state's x holds the numbers."""

    def resolve(self, plain: Callable[[Any], Any]) -> NDArray[Any]:
        return np.asarray(plain(self.state["x"]))


class _Select(StandIn):
    """chumpy.reordering.Select: elements idxs of the flattened a, in the preferred shape."""

    def resolve(self, plain: Callable[[Any], Any]) -> NDArray[Any]:
        chosen = np.ravel(plain(self.state["a"]))[plain(self.state["idxs"])]
        shape = self.state.get("preferred_shape")
        return chosen if shape is None else chosen.reshape(plain(shape))


class _Sparse(StandIn):
    """A scipy sparse matrix in coordinate form; duplicates add up, as scipy has them do."""

    def resolve(self, plain: Callable[[Any], Any]) -> NDArray[Any]:
        state: dict[str, Any] = plain(self.state)
        shape = tuple(map(int, state.get("_shape", state.get("shape", ()))))
        if len(shape) != 2 or min(shape) < 0 or math.prod(shape) > _MAX_DENSE:
            raise ValueError(f"a sparse matrix of shape {shape}")
        row, column = self.coordinates(state, shape)
        if min(row.min(initial=0), column.min(initial=0)) < 0:
            raise ValueError("a negative index in a sparse matrix")
        dense = np.zeros(shape, state["data"].dtype)
        np.add.at(dense, (row, column), state["data"])
        return dense

    def coordinates(
        self, state: dict[str, Any], shape: tuple[int, ...]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Row and column of every entry."""
        row, column = state["coords"] if "coords" in state else (state["row"], state["col"])
        return row, column


class _SparseColumns(_Sparse):
    """Compressed sparse columns: indptr holds where each column's entries begin."""

    def coordinates(
        self, state: dict[str, Any], shape: tuple[int, ...]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        return state["indices"], _expand(state, shape[1])


class _SparseRows(_Sparse):
    """Compressed sparse rows: indptr holds where each row's entries begin."""

    def coordinates(
        self, state: dict[str, Any], shape: tuple[int, ...]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        return _expand(state, shape[0]), state["indices"]


def _expand(state: dict[str, Any], count: int) -> IntArray:
    """The column (or row) of every entry of a compressed matrix with `count` of them."""
    counts = np.diff(state["indptr"])
    if len(counts) != count or counts.sum() != len(state["data"]):
        raise ValueError("a sparse matrix whose indptr does not fit its data")
    return np.repeat(np.arange(count), counts)


def _array(
    data: Any, dtype: np.dtype[Any], shape: Any, order: Any, plain: Callable[[Any], Any]
) -> NDArray[Any]:
    """An array from the bytes (or the list of objects) that a pickle holds."""
    if any(not isinstance(size, int) or size < 0 for size in shape) or order not in ("C", "F"):
        raise ValueError(f"an array of shape {shape}")
    if dtype.hasobject:
        flat = np.empty(len(data), dtype)
        for position, item in enumerate(data):
            flat[position] = plain(item)
        return flat.reshape(shape)  # NumPy lists objects in C order, whatever the array has
    return np.frombuffer(_raw(plain(data)), dtype).reshape(shape, order=order)


def _raw(data: Any) -> bytes:
    """Bytes, which Python 2 wrote as text."""
    if isinstance(data, str):
        return data.encode("latin-1")
    if not isinstance(data, bytes):
        raise ValueError(f"a {type(data).__name__} in the place of bytes")
    return data


def _mapping(pairs: Iterable[Any] = ()) -> dict[Any, Any]:
    """collections.OrderedDict(pairs), a plain dict here."""
    return {_key(key): value for key, value in pairs}


def _key(key: Any) -> Any:
    if not isinstance(key, _KEY_TYPES):
        raise ValueError(f"a key of type {type(key).__name__}")
    return key


@dataclass(frozen=True)
class Admitted:
    """A name that pickles of arrays use, and the builder that stands for it."""

    make: Callable[..., Any]


def _admitted() -> dict[tuple[str, str], Admitted]:
    """(module, name) -> builder."""
    builders: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "dtype"): _Dtype,
        ("numpy", "ndarray"): _Array,
        ("chumpy.ch", "Ch"): _Chumpy,
        ("chumpy", "Ch"): _Chumpy,
        ("chumpy.reordering", "Select"): _Select,
        ("collections", "OrderedDict"): _mapping,
        ("_codecs", "encode"): _Encoded,
    }
    for core in ("numpy.core", "numpy._core"):
        builders[f"{core}.multiarray", "_reconstruct"] = lambda *_: _Array()
        builders[f"{core}.multiarray", "scalar"] = _Scalar
        builders[f"{core}.numeric", "_frombuffer"] = _Buffer
    for builtins in ("__builtin__", "builtins"):
        builders[builtins, "object"] = StandIn
        for unordered in ("set", "frozenset"):
            builders[builtins, unordered] = lambda items=(): items
        builders[builtins, "bytes"] = _Encoded
        builders[builtins, "bytearray"] = _Encoded
    for copy in ("copy_reg", "copyreg"):
        builders[copy, "_reconstructor"] = lambda kind, *_: kind.make()
    forms = {"csc": _SparseColumns, "csr": _SparseRows, "coo": _Sparse}
    for form, stand_in in forms.items():
        for module in (f"scipy.sparse.{form}", f"scipy.sparse._{form}"):
            for kind in ("matrix", "array"):
                builders[module, f"{form}_{kind}"] = stand_in
    return {name: Admitted(builder) for name, builder in builders.items()}


ADMITTED = _admitted()
# DECA's landmark_embedding.npy holds tensors beside its arrays.
_TENSORS = dict.fromkeys(
    [("torch._utils", "_rebuild_tensor_v2"), ("torch.storage", "_load_from_bytes")],
    Admitted(StandIn),
)


class Interpreter(pickle._Unpickler):
    """The pickle machine of the standard library, but for every opcode that calls or assigns.

    The Python class and not its C twin, which has no hooks there, allocates what a pickle says
    before it looks, and follows memo indices of any size.
    """

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], admitted: Mapping[tuple[str, str], Admitted]) -> None:
        super().__init__(stream, encoding="latin-1")
        self.admitted = admitted

    def find_class(self, module: str, name: str) -> Admitted:
        """The builder admitted under a name."""
        if (module, name) not in self.admitted:
            raise Refused(f"{module}.{name}"[:200])
        return self.admitted[module, name]

    def call(self, arguments: Any) -> None:
        """Replace the builder on top of the stack by what it makes."""
        builder = self.stack[-1]
        if not isinstance(builder, Admitted):
            raise Refused(f"a call of a {type(builder).__name__}")
        self.stack[-1] = builder.make(*arguments)

    def load_reduce(self) -> None:
        """Builder, argument tuple -> value."""
        self.call(self.stack.pop())

    def _instantiate(self, builder: Admitted, arguments: list[Any]) -> None:
        """What INST and OBJ end in."""
        self.stack.append(builder)
        self.call(arguments)

    def load_build(self) -> None:
        """Stand-in, state -> stand-in."""
        state = self.stack.pop()
        self.top(StandIn).state = state

    def top(self, kind: type) -> Any:
        """The top of the stack, which must be a `kind`."""
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"a {type(self.stack[-1]).__name__} instead of a {kind.__name__}")
        return self.stack[-1]

    def load_append(self) -> None:
        """List, item -> list."""
        item = self.stack.pop()
        self.top(list).append(item)

    def load_appends(self) -> None:
        """List (or set), mark, items -> list."""
        items = self.pop_mark()
        self.top(list).extend(items)

    def load_setitem(self) -> None:
        """Dict, key, value -> dict."""
        value, key = self.stack.pop(), self.stack.pop()
        self.top(dict)[_key(key)] = value

    def load_setitems(self) -> None:
        """Dict, mark, keys and values -> dict."""
        items = self.pop_mark()
        self.top(dict).update(_mapping(zip(items[::2], items[1::2], strict=True)))

    def load_dict(self) -> None:
        """Mark, keys and values -> dict."""
        items = self.pop_mark()
        self.stack.append(_mapping(zip(items[::2], items[1::2], strict=True)))

    def load_empty_set(self) -> None:
        """-> set, a list here: what it will hold may have no hash."""
        self.stack.append([])

    def load_frozenset(self) -> None:
        """Mark, items -> frozenset, a list here."""
        items = self.pop_mark()  # which puts another stack in the place of this one
        self.stack.append(items)

    def load_bytearray8(self) -> None:
        """Bytes of a length that may be a lie: what is there is read before room is made."""
        self.stack.append(self.read(int.from_bytes(self.read(8), "little")))

    def load_unsupported(self) -> NoReturn:
        """Objects kept outside the file, and registered extensions."""
        raise Refused("an object from outside the file")


_REPLACED: dict[bytes, Callable[[Any], None]] = {
    pickle.REDUCE: Interpreter.load_reduce,
    pickle.NEWOBJ: Interpreter.load_reduce,
    pickle.BUILD: Interpreter.load_build,
    pickle.APPEND: Interpreter.load_append,
    pickle.APPENDS: Interpreter.load_appends,
    pickle.ADDITEMS: Interpreter.load_appends,
    pickle.SETITEM: Interpreter.load_setitem,
    pickle.SETITEMS: Interpreter.load_setitems,
    pickle.DICT: Interpreter.load_dict,
    pickle.EMPTY_SET: Interpreter.load_empty_set,
    pickle.FROZENSET: Interpreter.load_frozenset,
    pickle.BYTEARRAY8: Interpreter.load_bytearray8,
    pickle.NEWOBJ_EX: Interpreter.load_unsupported,
    pickle.PERSID: Interpreter.load_unsupported,
    pickle.BINPERSID: Interpreter.load_unsupported,
    pickle.EXT1: Interpreter.load_unsupported,
    pickle.EXT2: Interpreter.load_unsupported,
    pickle.EXT4: Interpreter.load_unsupported,
    pickle.NEXT_BUFFER: Interpreter.load_unsupported,
    pickle.READONLY_BUFFER: Interpreter.load_unsupported,
}
Interpreter.dispatch |= {opcode[0]: method for opcode, method in _REPLACED.items()}


class Resolver:
    """Replaces every stand-in by its plain value, each object once."""

    _UNFINISHED = object()

    def __init__(self) -> None:
        self._done: dict[int, Any] = {}  # by the id of objects that live as long as the pickle's
        self._bytes = 0

    def __call__(self, value: Any) -> Any:
        """The plain value of anything that a pickle holds."""
        if isinstance(value, Admitted):
            return None
        if not isinstance(value, (dict, list, tuple, StandIn)):
            return value
        if id(value) not in self._done:
            self._done[id(value)] = self._UNFINISHED
            self._done[id(value)] = self._resolve(value)
        if self._done[id(value)] is self._UNFINISHED:
            raise ValueError("an object that holds itself")
        return self._done[id(value)]

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self(part) for part in value)
        resolved = value.resolve(self)
        self._bytes += getattr(resolved, "nbytes", 0)
        if self._bytes > MAX_BYTES:
            raise ValueError(f"arrays of more than {MAX_BYTES:,} bytes")
        return resolved

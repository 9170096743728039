# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles of arrays, read without running anything that they ask for.

FLAME is distributed as Python 2 pickles that hold chumpy arrays and scipy sparse matrices. A pickle
names functions and has them called; here every name stands for one of the few builders below, which
only collect shapes, numbers and bytes, and any other name is refused. Neither chumpy nor scipy is
imported. Why the `Unpickler` written in Python and not its twin in C: docs/architecture.md.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from reprlib import repr as in_short  # a tuple of twice the one before, 60 times, has no end
from typing import IO, Any, ClassVar, NoReturn

import numpy as np

from ...arrays import AnyArray, IntArray
from ...errors import UserError

_MAX_DENSE = 2**24  # elements that a sparse matrix may have when written out; FLAME's has 25,115
MAX_BYTES = 2**29  # that all that a file holds may take; FLAME's arrays take 53 MB
_ITEM_BYTES = 8  # of a number or a list in it
_DTYPE = re.compile(r"[<>|=]?(?:[biufSU]\d{1,4}|O8?)")
_NUMBERS = "biuf"
# What may be a key. A tuple may not: one that is nested deeply enough overflows the C stack when
# it is hashed, and one of twice the one before, 60 times, is hashed for ever.
_PLAIN = (str, bytes, int, float, type(None))

# What the unpickler below raises for bytes that are no pickle, or not all of one.
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
    names = NAMES | _TENSORS if skip_tensors else NAMES
    with damage_reported(path):
        return Resolver()(ArrayUnpickler(io.BytesIO(data), names).load())


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

    arguments: tuple[Any, ...] = ()  # also of objects that are made without __init__, as pickle may
    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def resolve(self, plain: Callable[[Any], Any]) -> Any:
        """The plain value; `plain` resolves what the state refers to."""
        return None


class _Dtype(StandIn):
    """numpy.dtype(code, align, copy) with state (version, byte order, ...)."""

    def resolve(self, plain: Callable[[Any], Any]) -> np.dtype[Any]:
        code = self.arguments[0]
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"data type {in_short(code)}")
        dtype = np.dtype(code)
        return dtype.newbyteorder(self.state[1]) if self.state else dtype


class _Array(StandIn):
    """An ndarray with state (version, shape, dtype, is Fortran order, bytes or objects)."""

    def resolve(self, plain: Callable[[Any], Any]) -> AnyArray:
        *_, shape, dtype, fortran, data = self.state
        return _array(data, plain(dtype), shape, "F" if fortran else "C", plain)


class _Buffer(StandIn):
    """An ndarray as protocol 5 writes it: _frombuffer(bytes, dtype, shape, order)."""

    def resolve(self, plain: Callable[[Any], Any]) -> AnyArray:
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
            raise ValueError(f"text in encoding {in_short(encoding)}")
        return _raw(text)


class _Chumpy(StandIn):
    """chumpy.ch.Ch: its state's x holds the numbers."""

    def resolve(self, plain: Callable[[Any], Any]) -> AnyArray:
        return _as_array(plain(self.state["x"]), np.float64)


class _Select(StandIn):
    """chumpy.reordering.Select: elements idxs of the flattened a, in the preferred shape."""

    def resolve(self, plain: Callable[[Any], Any]) -> AnyArray:
        source = np.ravel(_as_array(plain(self.state["a"]), np.float64))
        indices = _as_array(plain(self.state["idxs"]), np.intp)
        if source.dtype.kind not in _NUMBERS:  # texts could be long, and chosen often
            raise ValueError(f"a selection from {source.dtype}")
        shape = self.state.get("preferred_shape")
        return source[indices] if shape is None else source[indices].reshape(plain(shape))


class _Sparse(StandIn):
    """A scipy sparse matrix in coordinate form; duplicates add up, as scipy has them do."""

    def resolve(self, plain: Callable[[Any], Any]) -> AnyArray:
        state: dict[str, Any] = plain(self.state)
        shape = tuple(map(int, state.get("_shape", state.get("shape", ()))))
        if len(shape) != 2 or min(shape) < 0 or math.prod(shape) > _MAX_DENSE:
            raise ValueError(f"a sparse matrix of shape {shape}")
        if state["data"].dtype.kind not in _NUMBERS:
            raise ValueError(f"a sparse matrix of {state['data'].dtype}")
        row, column = self.coordinates(state, shape)
        if min(row.min(initial=0), column.min(initial=0)) < 0:
            raise ValueError("a negative index in a sparse matrix")
        dense = np.zeros(shape, state["data"].dtype)
        np.add.at(dense, (row, column), state["data"])
        return dense

    def coordinates(
        self, state: dict[str, Any], shape: tuple[int, ...]
    ) -> tuple[AnyArray, AnyArray]:
        """Row and column of every entry."""
        row, column = state["coords"] if "coords" in state else (state["row"], state["col"])
        return row, column


class _SparseColumns(_Sparse):
    """Compressed sparse columns: indptr holds where each column's entries begin."""

    def coordinates(
        self, state: dict[str, Any], shape: tuple[int, ...]
    ) -> tuple[AnyArray, AnyArray]:
        return state["indices"], _expand(state, shape[1])


class _SparseRows(_Sparse):
    """Compressed sparse rows: indptr holds where each row's entries begin."""

    def coordinates(
        self, state: dict[str, Any], shape: tuple[int, ...]
    ) -> tuple[AnyArray, AnyArray]:
        return _expand(state, shape[0]), state["indices"]


def _expand(state: dict[str, Any], count: int) -> IntArray:
    """The column (or row) of every entry of a compressed matrix with `count` of them."""
    starts = state["indptr"]
    begin_and_end = (0, len(state["data"]))
    # Compared, not summed: counts of 2**62 each sum to few, and NumPy then writes beyond its array.
    ascending = (starts[1:] >= starts[:-1]).all()
    if len(starts) != count + 1 or (starts[0], starts[-1]) != begin_and_end or not ascending:
        raise ValueError("a sparse matrix whose indptr does not fit its data")
    return np.repeat(np.arange(count), np.diff(starts))


def _array(
    data: Any, dtype: np.dtype[Any], shape: Any, order: Any, plain: Callable[[Any], Any]
) -> AnyArray:
    """An array from the bytes (or the list of objects) that a pickle holds."""
    if any(not isinstance(size, int) or size < 0 for size in shape) or order not in ("C", "F"):
        raise ValueError(f"an array of shape {in_short(shape)}")
    if dtype.hasobject:
        flat = np.empty(len(data), dtype)
        for position, item in enumerate(data):
            flat[position] = plain(item)
        return flat.reshape(shape)  # NumPy lists objects in C order, whatever the array has
    return np.frombuffer(_raw(plain(data)), dtype).reshape(shape, order=order)


def _as_array(value: Any, dtype: type) -> AnyArray:
    """An array as it is; lists as numbers, for texts in them would be padded to the longest."""
    return value if isinstance(value, np.ndarray) else np.asarray(value, dtype)


def _raw(data: Any) -> bytes:
    """Bytes, which Python 2 wrote as text."""
    if isinstance(data, str):
        return data.encode("latin-1")
    if not isinstance(data, bytes):
        raise ValueError(f"a {type(data).__name__} in the place of bytes")
    return data


class _Table(dict[Any, Any]):
    """A dictionary that has no tuples as keys."""

    __slots__ = ()

    def __init__(self, pairs: Iterable[Any] = ()) -> None:
        for key, value in pairs:
            self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, _PLAIN):
            raise ValueError(f"a key of type {type(key).__name__}")
        super().__setitem__(key, value)


def _names() -> dict[tuple[str, str], Callable[..., Any]]:
    """(module, name) -> the builder that stands for it."""
    builders: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "dtype"): _Dtype,
        ("numpy", "ndarray"): _Array,
        ("chumpy.ch", "Ch"): _Chumpy,
        ("chumpy", "Ch"): _Chumpy,
        ("chumpy.reordering", "Select"): _Select,
        ("collections", "OrderedDict"): _Table,
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
        builders[copy, "_reconstructor"] = lambda kind, *_: kind()
    forms = {"csc": _SparseColumns, "csr": _SparseRows, "coo": _Sparse}
    for form, stand_in in forms.items():
        for module in (f"scipy.sparse.{form}", f"scipy.sparse._{form}"):
            for kind in ("matrix", "array"):
                builders[module, f"{form}_{kind}"] = stand_in
    return builders


NAMES = _names()
# DECA's landmark_embedding.npy holds tensors beside its arrays.
_TENSORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): StandIn,
    ("torch.storage", "_load_from_bytes"): StandIn,
}


class ArrayUnpickler(pickle._Unpickler):
    """The Unpickler of the standard library, with a table of names in the place of imports.

    What it calls is what names stand for, since nothing else that it makes can be called. Replaced
    are the opcodes that assign to any object, that hash, and that make room before they read.
    """

    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], names: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(stream, encoding="latin-1")
        self.names = names

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for."""
        if (module, name) not in self.names:
            raise Refused(f"{module}.{name}"[:200])
        return self.names[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Objects kept outside the file."""
        raise Refused("an object from outside the file")

    def get_extension(self, code: int) -> NoReturn:
        """Objects that the process, not the file, has registered by number."""
        raise Refused("an object from outside the file")

    def load_build(self) -> None:
        """Stand-in, state -> stand-in."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], StandIn):
            raise ValueError(f"a {type(self.stack[-1]).__name__} with a state")
        self.stack[-1].state = state

    def load_empty_dictionary(self) -> None:
        """-> dict, whose keys are checked."""
        self.append(_Table())

    def load_dict(self) -> None:
        """Mark, keys and values -> dict."""
        items = self.pop_mark()
        self.append(_Table(zip(items[::2], items[1::2], strict=True)))


_LIKE = {  # opcodes that are read as others are
    pickle.NEWOBJ: pickle.REDUCE,  # not every builder is a class
    pickle.EMPTY_SET: pickle.EMPTY_LIST,  # sets are lists: what they hold may have no hash
    pickle.ADDITEMS: pickle.APPENDS,
    pickle.FROZENSET: pickle.LIST,
    pickle.BYTEARRAY8: pickle.BINBYTES8,  # which reads what is there, whatever its length says
}
ArrayUnpickler.dispatch |= {
    pickle.BUILD[0]: ArrayUnpickler.load_build,
    pickle.EMPTY_DICT[0]: ArrayUnpickler.load_empty_dictionary,
    pickle.DICT[0]: ArrayUnpickler.load_dict,
    **{opcode[0]: ArrayUnpickler.dispatch[like[0]] for opcode, like in _LIKE.items()},
}


class Resolver:
    """Replaces every stand-in by its plain value, each object once.

    What is referred to many times counts as often: four lists that hold a thousand times the one
    before are a small file, but not for whoever goes through them.
    """

    _UNFINISHED = object()

    def __init__(self) -> None:
        # Plain value and its bytes, by the id of objects that live as long as the pickle's.
        self._done: dict[int, tuple[Any, int]] = {}
        self._bytes = 0

    def __call__(self, value: Any) -> Any:
        """The plain value of anything that a pickle holds."""
        if isinstance(value, _PLAIN):
            self._count(len(value) if isinstance(value, (str, bytes)) else _ITEM_BYTES)
            return value
        if callable(value):  # a name
            return None
        if id(value) not in self._done:
            self._done[id(value)] = self._UNFINISHED, 0
            before = self._bytes
            plain = self._resolve(value)
            self._done[id(value)] = plain, self._bytes - before
            return plain
        plain, size = self._done[id(value)]
        if plain is self._UNFINISHED:
            raise ValueError("an object that holds itself")
        self._count(size)
        return plain

    def _resolve(self, value: Any) -> Any:
        before = self._bytes
        self._count(_ITEM_BYTES)
        if isinstance(value, dict):
            return {key: self(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self(part) for part in value)
        if not isinstance(value, StandIn):
            raise ValueError(f"a {type(value).__name__}")
        plain = value.resolve(self)
        made = before + getattr(plain, "nbytes", 0)  # mostly of bytes that have been counted
        self._count(max(0, made - self._bytes))
        return plain

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise ValueError(f"arrays of more than {MAX_BYTES:,} bytes")

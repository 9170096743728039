# SPDX-License-Identifier: GPL-3.0-or-later
"""What torch.save and pickle make of tensors, read without torch and without running anything.

A tensor is pickled as a call that names a storage, an offset, a size and strides; its numbers lie
in the storage, raw: in a member of a zip archive (since torch 1.6), behind the pickles (before), or
in a file of the older kind inside the pickle (where pickle itself met a tensor).
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from ....arrays import AnyArray
from ...flame.safe_pickle import (
    MAX_BYTES,
    NAMES,
    ArrayUnpickler,
    Resolver,
    StandIn,
    damage_reported,
)

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY = pickle.dumps(_MAGIC, 2)
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def is_legacy(data: bytes) -> bool:
    """Whether bytes begin as torch.save began files before torch 1.6."""
    return data.startswith(_LEGACY)


def pickle_in(archive: zipfile.ZipFile) -> str | None:
    """The member of an archive of torch.save that holds the pickle; None if it is another's."""
    return next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)


def load_archive(archive: zipfile.ZipFile, path: Path) -> Any:
    """What an archive of torch.save holds, tensors as arrays; UserError as of `load_pickle`."""
    with damage_reported(path):
        name = pickle_in(archive) or ""
        folder = name.removesuffix("data.pkl")
        sizes: list[int] = []

        @cache  # many tensors may lie in one storage
        def read(member: str) -> bytes:
            info = archive.getinfo(folder + member)
            sizes.append(info.file_size)
            if sum(sizes) > MAX_BYTES:
                raise ValueError(f"tensors of more than {MAX_BYTES:,} bytes")
            return archive.read(info)

        if f"{folder}byteorder" in archive.namelist() and read("byteorder") != b"little":
            raise ValueError("numbers in the order of big-endian machines")
        content = io.BytesIO(read("data.pkl"))
        return Resolver()(_Tensors(content, lambda key: read(f"data/{key}")).load())


def load_pickled(data: bytes, path: Path) -> Any:
    """What a pickle, or an older file of torch.save, holds, tensors as arrays."""
    with damage_reported(path):
        if is_legacy(data):
            return Resolver()(_legacy(data))
        return Resolver()(_Tensors(io.BytesIO(data), _no_storage).load())


def _no_storage(key: str) -> bytes:
    raise ValueError(f"the numbers of tensor {key} lie in another file")


@dataclass(frozen=True)
class _Kind:
    """A type of storage that a pickle names: what numbers it holds."""

    dtype: str


@dataclass
class _Storage:
    """A run of numbers: where they are is known once the whole file has been read."""

    dtype: str
    count: int
    read: Callable[[], bytes]

    def numbers(self) -> AnyArray:
        """All of them."""
        return np.frombuffer(self.read(), self.dtype, self.count)


class _Tensor(StandIn):
    """_rebuild_tensor_v2(storage, offset, size, strides, requires_grad, hooks)."""

    def resolve(self, plain: Callable[[Any], Any]) -> AnyArray:
        storage, offset, size, strides = self.arguments[:4]
        if isinstance(storage, _Embedded):
            storage = plain(storage)
        if not isinstance(storage, _Storage) or len(size) != len(strides):
            raise ValueError("a tensor without numbers")
        if not all(type(n) is int and n >= 0 for n in (offset, *size, *strides)):
            raise ValueError("a tensor whose size is none")
        numbers = storage.numbers()
        last = offset + sum((n - 1) * step for n, step in zip(size, strides, strict=True))
        if math.prod(size) and last >= len(numbers):
            raise ValueError("a tensor that ends beyond its numbers")
        if math.prod(size) > len(numbers):
            raise ValueError("a tensor of repeated numbers")  # expanded: could be of any size
        bytes_ = numbers.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(
            numbers[offset:], tuple(size), [step * bytes_ for step in strides], writeable=False
        )
        return view.copy()


class _Embedded(StandIn):
    """_load_from_bytes(data): a storage as pickle writes it, an older file within the pickle.

    Read at the end, when the Resolver counts its bytes for every tensor that refers to them.
    """

    def resolve(self, plain: Callable[[Any], Any]) -> _Storage:
        (argument,) = self.arguments
        data = plain(argument)  # protocol 2 writes bytes as text and its encoding
        if not isinstance(data, bytes) or not is_legacy(data):
            raise ValueError("a tensor in an unknown form")
        storage = _legacy(data, NAMES | _KINDS)
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without numbers")
        return storage


_KINDS = {("torch", kind): _Kind(dtype) for kind, dtype in _DTYPES.items()}
_TENSORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch.storage", "_load_from_bytes"): _Embedded,
    ("torch", "Size"): tuple,
    ("torch", "device"): StandIn,
}
_NAMES = NAMES | _KINDS | _TENSORS


class _Tensors(ArrayUnpickler):
    """Reads pickles that hold tensors; `read` gets the bytes of a storage by its key."""

    def __init__(
        self,
        stream: IO[bytes],
        read: Callable[[str], bytes],
        names: Mapping[tuple[str, str], Any] = _NAMES,
    ) -> None:
        super().__init__(stream, names)
        self.storages: dict[str, _Storage] = {}
        self._read = read

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage of ("storage", kind, key, device, count, ...)."""
        tag, kind, key, _, count, *_ = pid
        fits = tag == "storage" and type(key) is str and type(count) is int and count >= 0
        if not fits or not isinstance(kind, _Kind):
            raise ValueError("an object from outside the file that is no tensor")
        self.storages[key] = _Storage(kind.dtype, count, lambda: self._read(key))
        return self.storages[key]


def _legacy(data: bytes, names: Mapping[tuple[str, str], Any] = _NAMES) -> Any:
    """What an older file holds, not yet resolved: five pickles, then each storage's numbers."""
    stream = io.BytesIO(data)
    by_key: dict[str, bytes] = {}
    machine = [_Tensors(stream, _no_storage, names).load() for _ in range(3)][-1]
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("numbers in the order of big-endian machines")
    reader = _Tensors(stream, by_key.__getitem__, names)
    content = reader.load()
    for key in _Tensors(stream, _no_storage, names).load():
        if type(key) is not str:  # nothing else is hashed
            raise ValueError(f"a {type(key).__name__} as a storage's key")
        (count,) = struct.unpack("<q", stream.read(8))
        by_key[key] = stream.read(max(count, 0) * np.dtype(reader.storages[key].dtype).itemsize)
    return content

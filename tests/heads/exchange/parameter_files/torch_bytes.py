# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as torch.save and pickle write them for tensors, made without torch."""

import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

STORAGES = {
    "f8": "DoubleStorage", "f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage",
    "i4": "IntStorage", "i2": "ShortStorage", "i1": "CharStorage", "u1": "ByteStorage",
    "b1": "BoolStorage",
}  # fmt: skip
_MAGIC = 0x1950A86A20F9469CFC6C


def _rebuild_tensor_v2(*_: Any) -> None: ...
def _load_from_bytes(*_: Any) -> None: ...


class Storage:
    """Numbers that lie outside the pickle, or, where pickle itself met them, in bytes inside."""

    def __init__(self, array: np.ndarray, key: str) -> None:
        self.array, self.key, self.inside = array, key, False

    def __reduce__(self) -> Any:
        return _load_from_bytes, (legacy(self, {self.key: self}),)


class Tensor:
    """A view of a storage: pickled as torch's tensors are."""

    def __init__(self, storage: Storage, size: tuple, strides: tuple, offset: int = 0) -> None:
        self.parts = (storage, offset, size, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return _rebuild_tensor_v2, self.parts


def tensor(array: np.ndarray, key: str = "0") -> Tensor:
    """The tensor that holds an array."""
    array = np.asarray(array)
    strides = tuple(step // array.itemsize for step in array.strides)
    return Tensor(Storage(np.ascontiguousarray(array).ravel(), key), array.shape, strides)


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Storage):
            return None
        kind = sys.modules["torch"].__dict__[STORAGES[value.array.dtype.str[1:]]]
        return "storage", kind, value.key, "cpu", value.array.size


def _modules() -> dict[str, ModuleType]:
    torch, utils, storage = (ModuleType(n) for n in ("torch", "torch._utils", "torch.storage"))
    for name in STORAGES.values():
        torch.__dict__[name] = type(name, (), {"__module__": "torch"})
    for module, function in ((utils, _rebuild_tensor_v2), (storage, _load_from_bytes)):
        function.__module__ = module.__name__
        module.__dict__[function.__name__] = function
    return {module.__name__: module for module in (torch, utils, storage)}


def _dumps(value: Any, outside: bool) -> bytes:
    stream = io.BytesIO()
    with mock.patch.dict(sys.modules, _modules()):
        (_Pickler if outside else pickle.Pickler)(stream, 2).dump(value)
    return stream.getvalue()


def pickled(value: Any) -> bytes:
    """As pickle.dumps writes tensors."""
    return _dumps(value, outside=False)


def _storages(value: Any) -> dict[str, Storage]:
    if isinstance(value, Tensor) and isinstance(value.parts[0], Storage):
        return {value.parts[0].key: value.parts[0]}
    if isinstance(value, dict):
        return {k: s for part in value.values() for k, s in _storages(part).items()}
    return {}


def archive(value: Any, byteorder: bytes = b"little") -> bytes:
    """As torch.save writes them since torch 1.6."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a/data.pkl", _dumps(value, outside=True))
        file.writestr("a/byteorder", byteorder)
        for key, storage in _storages(value).items():
            file.writestr(f"a/data/{key}", storage.array.tobytes())
    return stream.getvalue()


def legacy(value: Any, storages: dict[str, Storage] | None = None) -> bytes:
    """As torch.save wrote them before."""
    storages = _storages(value) if storages is None else storages
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    data = b"".join(pickle.dumps(head, 2) for head in (_MAGIC, 1001, machine))
    data += _dumps(value, outside=True) + pickle.dumps(list(storages), 2)
    for storage in storages.values():
        data += struct.pack("<q", storage.array.size) + storage.array.tobytes()
    return data

# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a .glb file smaller: shape keys store normals only where they change.

Blender writes the change of every vertex's normal, though most are rounding: of a head with 52
keys and hair, that is two thirds of the file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ...arrays import AnyArray, Float32Array

_STILL = 1e-3  # of a unit normal, 0.06 degrees; a change below it is left out
_INDICES = ((5121, "<u1"), (5123, "<u2"), (5125, "<u4"))
"""Types of glTF that hold indices, and NumPy's, the smallest first."""
_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")


def with_sparse_normals(path: Path) -> None:
    """Rewrite a .glb file that Blender has written, with sparse normals of its shape keys.

    Nothing else of what it holds changes.
    """
    file = _Glb.read(path.read_bytes())
    for number in sorted(_normals_of_targets(file.content)):
        file.make_sparse(number)
    path.write_bytes(file.written())


def _normals_of_targets(content: dict[str, Any]) -> set[int]:
    """The accessors of normals of shape keys."""
    primitives = [p for mesh in content.get("meshes", ()) for p in mesh["primitives"]]
    targets = [target for p in primitives for target in p.get("targets", ())]
    return {target["NORMAL"] for target in targets if "NORMAL" in target}


@dataclass
class _Glb:
    """The JSON of a .glb file, and the bytes of each of its buffer views."""

    content: dict[str, Any]
    views: list[bytes]

    @classmethod
    def read(cls, data: bytes) -> _Glb:
        start = _HEADER.size + _CHUNK.size
        length, _ = _CHUNK.unpack_from(data, _HEADER.size)
        content = json.loads(data[start : start + length])
        binary = memoryview(data)[start + length + _CHUNK.size :]
        places = [(v.get("byteOffset", 0), v["byteLength"]) for v in content["bufferViews"]]
        return cls(content, [bytes(binary[first : first + size]) for first, size in places])

    def make_sparse(self, number: int) -> None:
        """Store the vectors of an accessor where they are not still, if that is shorter.

        Blender has made some sparse itself, with rounding in them.
        """
        accessor = self.content["accessors"][number]
        values = self._vectors(accessor)
        moving = np.flatnonzero(np.linalg.norm(values, axis=1) >= _STILL)
        if not len(moving):
            moving = np.zeros(1, np.intp)  # none at all is allowed, but not every reader knows it
        code, kind = next(pair for pair in _INDICES if moving[-1] <= np.iinfo(pair[1]).max)
        indices, changes = moving.astype(kind).tobytes(), values[moving].tobytes()
        if len(indices) + len(changes) >= values.nbytes:
            return
        accessor.pop("bufferView", None)
        accessor.pop("byteOffset", None)
        accessor["sparse"] = {
            "count": len(moving),
            "indices": {"bufferView": self._add(indices), "componentType": code},
            "values": {"bufferView": self._add(changes)},
        }

    def _vectors(self, accessor: dict[str, Any]) -> Annotated[Float32Array, "N 3"]:
        """The vectors of an accessor, sparse or not."""
        count = accessor["count"]
        values = np.zeros((count, 3), "<f4")
        if "bufferView" in accessor:
            values[:] = self._array(accessor, "<f4", 3 * count).reshape(-1, 3)
        sparse = accessor.get("sparse")
        if sparse is not None:
            indices, changes, count = sparse["indices"], sparse["values"], sparse["count"]
            at = self._array(indices, dict(_INDICES)[indices["componentType"]], count)
            values[at] = self._array(changes, "<f4", 3 * count).reshape(-1, 3)
        return values

    def _array(self, place: dict[str, Any], kind: str, count: int) -> AnyArray:
        """So many numbers of a kind that begin in a buffer view where ``place`` says."""
        first = place.get("byteOffset", 0)
        return np.frombuffer(self.views[place["bufferView"]], kind, count, first)

    def _add(self, data: bytes) -> int:
        self.views.append(data)
        self.content["bufferViews"].append({"buffer": 0})
        return len(self.views) - 1

    def written(self) -> bytes:
        """The file, without the views that nothing needs any more."""
        users = list(_users_of_views(self.content))
        kept = sorted({user["bufferView"] for user in users})
        number_of = {view: number for number, view in enumerate(kept)}
        for user in users:
            user["bufferView"] = number_of[user["bufferView"]]
        binary = bytearray()
        for view in kept:
            place = {"byteOffset": len(binary), "byteLength": len(self.views[view])}
            self.content["bufferViews"][view].update(place)
            binary += _padded(self.views[view], b"\0")
        self.content["bufferViews"] = [self.content["bufferViews"][view] for view in kept]
        self.content["buffers"] = [{"byteLength": len(binary)}]
        text = json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()
        chunks = b"".join(
            _CHUNK.pack(len(data), kind) + data
            for kind, data in ((b"JSON", _padded(text, b" ")), (b"BIN\0", bytes(binary)))
        )
        return _HEADER.pack(b"glTF", 2, _HEADER.size + len(chunks)) + chunks


def _users_of_views(content: Any) -> Iterator[dict[str, Any]]:
    """The objects of a file's JSON that name a buffer view, however deep."""
    if isinstance(content, dict):
        if "bufferView" in content:
            yield content
        for value in content.values():
            yield from _users_of_views(value)
    elif isinstance(content, list):
        for value in content:
            yield from _users_of_views(value)


def _padded(data: bytes, filling: bytes) -> bytes:
    """Bytes as many as four divide: where glTF has whatever follows begin."""
    return data + filling * (-len(data) % 4)

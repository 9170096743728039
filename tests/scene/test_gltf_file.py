# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals of shape keys become sparse in a .glb file, and nothing else of it changes."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.scene.export.gltf_file import with_sparse_normals

COUNT = 300
PICTURE = b"\x89PNG of 13 b."


def _write(path: Path, views: list[bytes], content: dict[str, Any]) -> None:
    """A .glb file, each of its views where four divide."""
    binary, places = b"", []
    for view in views:
        places.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(view)})
        binary += view + b"\0" * (-len(view) % 4)
    places[0]["target"] = 34962
    text = json.dumps(
        content | {"bufferViews": places, "buffers": [{"byteLength": len(binary)}]}
    ).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    magic, version, size = struct.unpack_from("<4sII", data)
    assert (magic, version, size) == (b"glTF", 2, len(data)) and size % 4 == 0
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and length % 4 == 0
    rest, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert kind == b"BIN\0" and rest == len(data) - 28 - length
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def _view(content: dict[str, Any], binary: bytes, number: int) -> bytes:
    place = content["bufferViews"][number]
    assert place["byteOffset"] % 4 == 0
    return binary[place["byteOffset"] : place["byteOffset"] + place["byteLength"]]


def _vectors(content: dict[str, Any], binary: bytes, number: int) -> np.ndarray:
    accessor = content["accessors"][number]
    values = np.zeros((accessor["count"], 3), np.float32)
    if "bufferView" in accessor:
        data = _view(content, binary, accessor["bufferView"])
        values = np.frombuffer(data, "<f4").reshape(-1, 3).copy()
    if "sparse" in accessor:
        sparse = accessor["sparse"]
        kind = {5121: "<u1", 5123: "<u2"}[sparse["indices"]["componentType"]]
        data = _view(content, binary, sparse["indices"]["bufferView"])
        index = np.frombuffer(data, kind, sparse["count"])
        assert (np.diff(index) > 0).all()
        data = _view(content, binary, sparse["values"]["bufferView"])
        values[index] = np.frombuffer(data, "<f4").reshape(-1, 3)
    return values


def test_normals_are_kept_where_they_change(tmp_path: Path, rng: np.random.Generator) -> None:
    base = rng.normal(size=(COUNT, 3)).astype("<f4")
    few = rng.normal(size=(COUNT, 3)) * 1e-5  # what rounding leaves
    few[[3, 280]] = [[0.1, 0.0, -0.2], [0.0, 0.002, 0.0]]
    still = np.full((COUNT, 3), 1e-6)
    many = rng.normal(size=(COUNT, 3)) + 3.0
    arrays = [base, *(kind.astype("<f4") for kind in (few, still, many))]
    accessor = {"componentType": 5126, "count": COUNT, "type": "VEC3"}
    content = {
        "accessors": [accessor | {"bufferView": number} for number in range(4)],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "NORMAL": 0},
                        "targets": [{"POSITION": 0, "NORMAL": k} for k in (1, 2, 3)],
                    }
                ],
                "extras": {"targetNames": ["few", "still", "Größe"]},
            }
        ],
    }
    path = tmp_path / "a.glb"
    _write(path, [*(array.tobytes() for array in arrays), PICTURE], content)
    before = path.stat().st_size
    with_sparse_normals(path)
    assert path.stat().st_size < 0.6 * before
    found, binary = _read(path)
    assert found["meshes"] == content["meshes"]
    assert found["bufferViews"][0]["target"] == 34962
    assert _view(found, binary, found["images"][0]["bufferView"]) == PICTURE
    kept = [_vectors(found, binary, number) for number in range(4)]
    assert (kept[0] == arrays[0]).all() and (kept[3] == arrays[3]).all()
    assert (kept[1][[3, 280]] == arrays[1][[3, 280]]).all()
    kept[1][[3, 280]] = 0.0
    assert not kept[1].any() and not kept[2][1:].any()
    # Readers that know no accessor without any values get one.
    assert [found["accessors"][k].get("sparse", {}).get("count") for k in range(4)] == [
        None, 2, 1, None,
    ]  # fmt: skip
    once = path.read_bytes()
    with_sparse_normals(path)
    assert path.read_bytes() == once


def test_what_is_sparse_already_becomes_sparser(tmp_path: Path) -> None:
    """With an armature, Blender's own sparse normals hold rounding."""
    at = np.array([2, 5, 250], "<u2")
    changes = np.array([[1e-7, 0, 0], [0.1, 0.2, 0.3], [0, 2e-7, 0]], "<f4")
    sparse = {
        "count": 3,
        "indices": {"bufferView": 0, "componentType": 5123},
        "values": {"bufferView": 1},
    }
    accessor = {"componentType": 5126, "count": COUNT, "type": "VEC3", "sparse": sparse}
    meshes = [{"primitives": [{"attributes": {}, "targets": [{"NORMAL": 0}]}]}]
    path = tmp_path / "a.glb"
    _write(path, [at.tobytes(), changes.tobytes()], {"accessors": [accessor], "meshes": meshes})
    with_sparse_normals(path)
    found, binary = _read(path)
    assert found["accessors"][0]["sparse"]["count"] == 1 and len(found["bufferViews"]) == 2
    values = _vectors(found, binary, 0)
    assert (values[5] == changes[1]).all() and not np.delete(values, 5, axis=0).any()


def test_a_file_without_shape_keys_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    accessor = {"componentType": 5126, "count": 1, "type": "VEC3", "bufferView": 0}
    meshes = [{"primitives": [{"attributes": {"POSITION": 0}}]}]
    _write(path, [b"\0" * 12, PICTURE], {"accessors": [accessor], "meshes": meshes})
    with_sparse_normals(path)
    found, binary = _read(path)
    assert found["meshes"] == meshes and found["accessors"] == [accessor]
    assert len(binary) == 12  # what nobody names is dropped

# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a run stay what they were, or batch.dataset.bytes_format.BYTES_FORMAT goes up.

Where one of these fails after a change that is meant to change bytes, raise BYTES_FORMAT by one and
put what was found under the new number; the line of the former number may go. Where the bytes were
not meant to change, the change is at fault: half-made data sets could not be gone on with.
Numbers that end in other bits on another kind of processor are rounded before they are compared.
"""

import hashlib
import json
import tarfile
import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.dataset.bytes_format import BYTES_FORMAT
from batch.dataset.draw import draw_shot
from batch.dataset.members import label_members
from batch.dataset.recipe import Recipe
from batch.dataset.recipe_tables import Heads, People
from batch.dataset.record import describe_shot
from batch.dataset.shard_state import read_sidecar
from batch.shards import encode_json, encode_npy, tar_members, write_tar
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.maps import LabelMaps, LandmarkLabels
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.who import faces_of
from facegen_addon.mapping.correction import load_sampler
from facegen_addon.png import encode_png
from facegen_addon.random_streams import random_stream
from tests.dataset.test_farm import make

PLAIN = ""
VARIED = """
[camera]
yaw = {normal = [0, 20], within = [-45, 45]}
pitch = {normal = [0, 8], within = [-20, 20]}
roll = {choice = [-5, 0, 5], weights = [1, 2, 1]}
distance = {uniform = [0.4, 3.0]}
framing = {uniform = [0.28, 0.5]}
shift_x = {normal = [0, 0.03], within = [-0.08, 0.08]}
[light]
presets = {studio = 1, window = 2, overcast = 2, flash = 1}
azimuth = {uniform = [-50, 50]}
strength = {uniform = [0.6, 1.5]}
[background]
colours = {choice = [[0.62, 0.60, 0.56], [0.32, 0.33, 0.34]], weights = [3, 1]}
[expression]
neutral = 0.3
strength = {uniform = [0.2, 1.0]}
active = {choice = [1, 2, 3], weights = [5, 4, 1]}
[gaze]
at_camera = 0.5
yaw = {normal = [0, 14], within = [-35, 35]}
"""
"""Recipes of this test alone: the named ones may change, and stand in a run's request."""

GOLDEN: dict[int, dict[str, str]] = {
    4: {
        "png": "3e5765b9f78f378d",
        "tar": "1cf08adacb38e78d",
        "labels": "8ec77f91b25e59b5",
        "records": "992f5ff59100e5e7",
        "test_shots[plain-open_flame]": "7831ffbf47480c11",
        "test_shots[plain-anny]": "5563d5a42ff376d2",
        "test_shots[varied-open_flame]": "b595a8eabf1f3ad7",
        "test_shots[varied-anny]": "d4d11cd4d782fed9",
        "mesh of open_flame": "2ea2994a357434fe",
        "mesh of anny": "7ba327ca187f151d",
        "test_shots[plain-person]": "4a847ae3bcf57c52",
        "test_shots[varied-person]": "9c5dad489bd07568",
        "mesh of person": "2bb787c75e1659b1",
        "hair of person": "530d55ab647f55d4",
    },
}
"""BYTES_FORMAT -> name of a test -> first digits of the sha256 of what it looks at."""


GUIDED: dict[int, dict[str, list[float]]] = {
    4: {
        "open_flame": [0.112442, 0.127783, 0.127451, 0.111182],
        "anny": [0.06899, 0.071625, 0.044808, 0.056688],
        "person": [0.087025, 0.071468, 0.084541, 0.059367],
    },
}
"""BYTES_FORMAT -> head model -> means of the parameters of four guided heads."""

PEOPLE: dict[int, dict[str, list[float]]] = {
    4: {
        "balanced": [-0.01937, -0.0236, 0.16945, -0.00061],
        "old women": [-0.05723, 0.10604, 0.21276, 0.14858],
    },
}
"""BYTES_FORMAT -> people -> sums of the first eight numbers of four latents of theirs."""


_CLASSES = 11
"""There were so many when the bytes of labels were noted: those before glasses and hats."""


def same_as_ever(name: str, content: bytes) -> None:
    """Fail unless this content is the one of the present format."""
    found = hashlib.sha256(content).hexdigest()[:16]
    assert found == GOLDEN[BYTES_FORMAT].get(name), (
        f"the bytes of {name!r} have changed: raise BYTES_FORMAT and note {found!r} under its"
        " new number, or undo what changed them"
    )


def test_every_number_stands_for_other_bytes() -> None:
    tables = [sorted(table.items()) for table in GOLDEN.values()]
    assert max(GOLDEN) == BYTES_FORMAT
    assert all(one != other for i, one in enumerate(tables) for other in tables[:i])


def ramp(*shape: int, dtype: type[np.generic] = np.uint8) -> np.ndarray:
    """An image of every value, smooth here and rough there; no random numbers, no rounding."""
    count = int(np.prod(shape))
    steps = np.arange(count, dtype=np.uint64)
    return (steps**2 // 7 + steps % 5).astype(dtype).reshape(shape)


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng makes other bytes")
def test_png() -> None:
    images = [ramp(23, 17, *c, dtype=d) for c in ((), (3,)) for d in (np.uint8, np.uint16)]
    same_as_ever("png", b"".join(map(encode_png, images)))


def test_tar(tmp_path: Path) -> None:
    record = {"key": "000007", "seed": [0, 7, 0], "lens": 85.5, "name": "Zoë", "none": None}
    members = [
        ("000007.png", b"image" * 200),
        ("000007.json", encode_json(record)),
        ("000007.achieved.npy", encode_npy(np.arange(512) / 512)),
    ]
    write_tar(tmp_path / "data.tar", [tar_members(members), tar_members([("8.json", b"")])])
    same_as_ever("tar", (tmp_path / "data.tar").read_bytes())


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng makes other bytes")
def test_labels() -> None:
    shape = (19, 21)
    share = ramp(*shape, dtype=np.uint16) / np.float32(65536)
    normals = np.dstack([share * 0, share * 0, -np.ones(shape)])
    normals[:3] = 0
    maps = LabelMaps(
        segmentation=ramp(*shape) % np.uint8(_CLASSES),
        depth=(2 * share).astype(np.float32),
        normals=normals.astype(np.float32),
        uv=np.dstack([share, 1 - share]).astype(np.float32),
        uv_valid=ramp(*shape) % 3 > 0,
    )
    rows = np.arange(70)
    landmarks = LandmarkLabels(
        world=np.column_stack([rows / 128, -rows / 64, rows / 32]),
        pixels=np.column_stack([rows / 4, rows / 8]),
        depth=1 + rows / 256,
        visibility=(rows % 3).astype(np.uint8),
    )
    members = label_members(maps, landmarks)
    same_as_ever("labels", b"".join(n.encode() + data for n, data in members.items()))


def rounded(content: Any) -> Any:
    """Plain data or arrays with their numbers to six places, as plain data.

    Places, not digits: of what should be zero, every processor leaves other digits.
    """
    if isinstance(content, dict):
        return {name: rounded(value) for name, value in content.items()}
    if isinstance(content, np.ndarray):
        return rounded(content.tolist())
    if isinstance(content, list | tuple):
        return [rounded(value) for value in content]
    return round(content, 6) + 0.0 if isinstance(content, float) else content


def as_bytes(content: Any) -> bytes:
    return json.dumps(rounded(content)).encode()


def test_records_and_members(tmp_path: Path) -> None:
    """A run of processes without Blender: all that the farm itself makes of a sample."""
    plain = Recipe.from_mapping({"heads": {"distribution": "uniform"}})
    run, _ = make(tmp_path / "run", plain)
    seen: list[Any] = []
    for shard in range(run.shard_count):
        with tarfile.open(run.tar(shard)) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                assert stream is not None
                data: Any = stream.read()
                if member.name.endswith(".json"):
                    data = json.loads(data) | {"run": "", "versions": {}}
                    data["image"].pop("sha256")
                else:
                    data = ""
                seen.append([member.name, data])
        seen.append({**(read_sidecar(run, shard) or {}), "run": "", "sha256": "", "bytes": 0})
    same_as_ever("records", as_bytes(seen))


@pytest.mark.parametrize("model", ["open_flame", "anny", "person"])
@pytest.mark.parametrize("recipe", [PLAIN, VARIED], ids=["plain", "varied"])
def test_shots(model: str, recipe: str, request: pytest.FixtureRequest) -> None:
    """What is drawn of a seed."""
    head, found = load_head_model(model), Recipe.from_mapping(tomllib.loads(recipe))
    shots = []
    for index in range(20):
        identity = head.sample_prior(np.random.default_rng([*b"head", 0, index]), 1)[0]
        shot = draw_shot(found, head, np.random.default_rng([*b"shot", 0, index, 0]), identity)
        camera = Camera.of(shot.view, np.zeros(3), 64, 64)
        shots.append([describe_shot(shot, camera), shot.parameters, shot.seed])
    same_as_ever(request.node.name, as_bytes(shots))


@pytest.mark.parametrize("model", ["open_flame", "anny", "person"])
def test_meshes(model: str) -> None:
    """Where vertices lie in the mean, and their scatter; textures and landmarks."""
    head = load_head_model(model)
    vertices = head.forward(head.table.sample_uniform(np.random.default_rng(3), 4))
    spread = [getattr(vertices.astype(np.float64), name)(axis=1) for name in ("mean", "std")]
    found, surface = head.landmark_embedding, head.surface
    same_as_ever(
        f"mesh of {model}",
        as_bytes([np.round(spread, 5), found.triangle, surface.uv[::97].astype(np.float64)]),
    )


def test_hair() -> None:
    """Where strands lie in the mean, and their scatter, to a tenth of a millimetre."""
    head = load_head_model("person")
    parameters = head.sample_prior(np.random.default_rng(3), 6)
    grown = [head.grow(row, head.forward(row)[0]).points.astype(np.float64) for row in parameters]
    spread = [[points.mean(0), points.std(0)] for points in grown]
    same_as_ever("hair of person", as_bytes([np.round(spread, 4)]))


@pytest.mark.parametrize("model", ["open_flame", "anny", "person"])
def test_guided_heads(model: str) -> None:
    """B's answers to latents, to what other processors may make of them."""
    head = load_head_model(model)
    natural = NaturalFaces.load()
    latents = [natural.sample(np.random.default_rng([*b"head", 0, i]), 1) for i in range(4)]
    sampler = load_sampler(model, head.table)
    found = sampler.parameters(np.concatenate(latents), Heads().grade)
    np.testing.assert_allclose(found.mean(1), GUIDED[BYTES_FORMAT][model], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("balanced", People()),
        ("old women", People("as-found", sex=(("woman", 1.0),), age=(("60:75", 1.0),))),
    ],
)
def test_people_who_are_asked_for(name: str, people: People) -> None:
    faces = faces_of(people.drawn_from())
    latents = [faces.sample(random_stream("head", 0, i), 1)[0] for i in range(4)]
    found = [float(latent[:8].sum()) for latent in latents]
    np.testing.assert_allclose(found, PEOPLE[BYTES_FORMAT][name], atol=1e-3)

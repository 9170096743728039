# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample as it is found in a shard, checked to be one of its run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, NoReturn

import numpy as np

from batch.dataset.latents import LATENT_SUFFIXES, read_latent
from batch.dataset.members import LABEL_SUFFIXES
from batch.dataset.record import of_current_format
from batch.dataset.run_folder import FORMAT, RunFolder, key_of
from batch.dataset.shard_file import IMAGE_SUFFIXES, RECORD_SUFFIX
from facegen_addon.arrays import Float32Array, FloatArray
from facegen_addon.errors import UserError
from facegen_addon.labels.camera import Camera

_REMEDY = "make the shard again"
_FORMATS = {"png": "png", "jpg": "jpeg"}
_PLACES: Mapping[str, type | tuple[type, ...]] = {
    "identity": int,
    "view_number": int,
    "model": str,
    "camera.width": int,
    "camera.height": int,
    "camera.focal_length_mm": (int, float),
    "camera.distance_m": (int, float),
    "pose.yaw": (int, float),
    "pose.pitch": (int, float),
    "pose.roll": (int, float),
    "light": dict,
    "background": dict,
    "engine": str,
    "samples": int,
    "noise_seed": int,
    "image.format": str,
    "cosine_distance": (int, float),
    "label_check.worst_depth_mm": (int, float),
    "versions": dict,
}
"""What a record holds, and of which type, besides what is checked one by one."""
_ARRAYS: Mapping[str, tuple[int, ...]] = {
    "camera.intrinsics": (3, 3),
    "camera.extrinsics": (3, 4),
    "shift": (2,),
    "five_points": (5, 2),
    "face_box": (4,),
    "background.colour": (3,),
}


@dataclass(frozen=True)
class StoredSample:
    """A sample of a shard.

    record: plain data as the current format has it, whatever the run's; image: the file's bytes, of
    `suffix` png or jpg; requested, achieved (D,) float32 of unit norm, None where there are none;
    labels: suffix -> content, empty without labels; parameters (P,) in the order of the run's
    table; camera: as the record has it.
    """

    key: str
    record: Mapping[str, Any]
    image: bytes
    suffix: str
    requested: Annotated[Float32Array, "D"] | None
    achieved: Annotated[Float32Array, "D"] | None
    labels: Mapping[str, bytes]
    parameters: Annotated[FloatArray, "P"]
    camera: Camera

    @property
    def index(self) -> int:
        """Its number in the run."""
        return int(self.key)

    def without_pictures(self) -> "StoredSample":
        """The sample without its large parts: its image empty, no labels."""
        return replace(self, image=b"", labels={})


def read_sample(run: RunFolder, key: str, members: Mapping[str, bytes], where: str) -> StoredSample:
    """Check a sample as `read_shard` yields it; UserError that begins with `where`, its shard."""
    name = f"{where}: sample {key}"
    record = _record(members[RECORD_SUFFIX], name)
    _check_belongs(run, key, record, name)
    is_current = run.format == FORMAT
    requested, achieved = (
        read_latent(members, suffix, name, always=is_current) for suffix in LATENT_SUFFIXES
    )
    if not is_current:
        record = _renewed(record, achieved is not None, name)
    for place, expected in _PLACES.items():
        value = at(record, place)
        if not isinstance(value, expected) or isinstance(value, bool):
            _fail(name, f"its record has {place} {value!r}")
    arrays = {place: _array(record, place, shape, name) for place, shape in _ARRAYS.items()}
    if record.get("face_seen") is not (achieved is not None):
        _fail(name, f"its record has face_seen {record.get('face_seen')!r}, achieved.npy another")
    suffix = next(suffix for suffix in IMAGE_SUFFIXES if suffix in members)
    _check_image(record, members[suffix], suffix, name)
    return StoredSample(
        key=key,
        record=record,
        image=members[suffix],
        suffix=suffix,
        requested=requested,
        achieved=achieved,
        labels={s: members[s] for s in LABEL_SUFFIXES if s in members},
        parameters=_parameters(run, record, name),
        camera=Camera(
            arrays["camera.intrinsics"],
            arrays["camera.extrinsics"],
            record["camera"]["width"],
            record["camera"]["height"],
        ),
    )


def image_suffix(image_format: str) -> str:
    """png or jpg, of "png" or "jpeg" as recipes and records have it."""
    return next(suffix for suffix, known in _FORMATS.items() if known == image_format)


def at(record: Mapping[str, Any], place: str) -> Any:
    """The value of a record at a dotted path; None where there is none."""
    value: Any = record
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _record(data: bytes, name: str) -> dict[str, Any]:
    try:
        record = json.loads(data)
    except ValueError as error:
        _fail(name, f"its record is no JSON ({error})")
    if not isinstance(record, dict):
        _fail(name, "its record is no table")
    return record


def _renewed(record: Mapping[str, Any], face_seen: bool, name: str) -> dict[str, Any]:
    try:
        return of_current_format(record, face_seen)
    except (KeyError, TypeError):
        _fail(name, "its record lacks something, or has it wrong")


def _check_belongs(run: RunFolder, key: str, record: Mapping[str, Any], name: str) -> None:
    index, attempt = int(key), record.get("attempt")
    if not isinstance(attempt, int) or attempt < 0:
        _fail(name, f"its record has attempt {attempt!r}")
    expected = {
        "format": run.format,
        "key": key_of(index),
        "index": index,
        "run": run.digest,
        "seed": [run.request["seed"], index, attempt],
        "model": run.request["model"],
        "versions": run.request["versions"],
    }
    for place, value in expected.items():
        if record.get(place) != value:
            _fail(name, f"its record has {place} {record.get(place)!r}, not {value!r}")


def _check_image(record: Mapping[str, Any], image: bytes, suffix: str, name: str) -> None:
    if record["image"]["format"] != _FORMATS[suffix]:
        _fail(name, f"its image is a {suffix}, its record has {record['image']['format']!r}")
    if record["image"].get("sha256") != hashlib.sha256(image).hexdigest():
        _fail(name, "its image is not the one of its record: the sha256 is another")


def _parameters(run: RunFolder, record: Mapping[str, Any], name: str) -> FloatArray:
    names = [parameter["name"] for parameter in run.run["parameters"]]
    values = record.get("parameters")
    if not isinstance(values, dict) or list(values) != names:
        _fail(name, "its parameters are not those of the run's table")
    return _array(record, "parameters", (len(names),), name, list(values.values()))


def _array(
    record: Mapping[str, Any],
    place: str,
    shape: tuple[int, ...],
    name: str,
    values: object = None,
) -> FloatArray:
    """Finite numbers of a record."""
    values = at(record, place) if values is None else values
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        _fail(name, f"its {place} are no numbers")
    if array.shape != shape or not np.isfinite(array).all():
        _fail(name, f"its {place} are of shape {array.shape}, or not finite; {shape} expected")
    return array


def _fail(name: str, what: str) -> NoReturn:
    raise UserError(f"{name}: {what}: {_REMEDY}")

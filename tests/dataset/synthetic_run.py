# SPDX-License-Identifier: GPL-3.0-or-later
"""A small complete run without Blender: faces on a sphere, whose labels are right."""

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from batch.dataset.latents import latent_members
from batch.dataset.members import label_members
from batch.dataset.record import NONE, describe_check, describe_shot
from batch.dataset.run_folder import FORMAT, RunFolder, key_of
from batch.dataset.shard_file import SHARD_END
from batch.shards import encode_json, tar_members, write_tar
from facegen_addon.artifacts import artifact
from facegen_addon.labels.camera import Camera
from facegen_addon.labels.shot import Background, Light, Shot, View
from facegen_addon.latent.sphere import cosine_distance, normalise
from facegen_addon.mapping.influence import table_digest
from facegen_addon.png import encode_png
from tests.labels.sphere import sphere_scene
from tests.toy_head import TABLE

_DENSE = 5

Members = list[tuple[str, bytes]]


@dataclass(frozen=True)
class SyntheticPlan:
    """What the samples are, as batch.dataset.plan.Plan says it; guided: with requested latents."""

    seed: int = 0
    views: int = 2
    guided: bool = True

    def identity(self, index: int) -> int:
        return index // self.views

    def shot(self, index: int, attempt: int) -> Shot:
        head = np.random.default_rng([*b"head", self.seed, self.identity(index)])
        parameters = TABLE.sample_uniform(head, 1)[0]
        rng = np.random.default_rng([*b"shot", self.seed, index, attempt])
        view = View(yaw=rng.uniform(-0.5, 0.5), pitch=rng.uniform(-0.2, 0.2))
        return Shot(
            parameters,
            view,
            Light("studio", azimuth=rng.uniform(-0.3, 0.3), strength=1.2),
            Background(colour=(0.1, 0.2, 0.3)) if index % 2 else Background(),
            seed=int(rng.integers(2**31)),
        )

    def requested(self, index: int) -> np.ndarray | None:
        rng = np.random.default_rng([*b"requested", self.seed, self.identity(index)])
        return normalise(rng.standard_normal(512)).astype(np.float32) if self.guided else None

    def achieved(self, index: int) -> np.ndarray:
        rng = np.random.default_rng([*b"achieved", self.seed, index])
        mean = np.random.default_rng([*b"requested", self.seed, self.identity(index)])
        latent = normalise(mean.standard_normal(512)) + 0.02 * rng.standard_normal(512)
        return normalise(latent).astype(np.float32)


@dataclass(frozen=True)
class SyntheticRun:
    """How a run is made.

    failed: samples that had to be given up; faceless: those that show no face; attempts: rejected
    draws before one; checked: samples whose labels were checked; size: pixels; image_format: png
    or jpeg; format: the current one, or 1, as it was written before.
    """

    count: int = 7
    shard_size: int = 3
    plan: SyntheticPlan = field(default_factory=SyntheticPlan)
    labels: bool = True
    failed: Collection[int] = ()
    faceless: Collection[int] = ()
    attempts: Mapping[int, int] = field(default_factory=dict)
    checked: Collection[int] = ()
    size: int = 64
    image_format: str = "png"
    format: int = FORMAT

    def begin(self, folder: Path, **changes: Any) -> RunFolder:
        """Its folder without a shard; changes: of the request."""
        encoder = artifact("facenet")
        request: dict[str, Any] = {
            "count": self.count,
            "seed": self.plan.seed,
            "shard_size": self.shard_size,
            "model": "open_flame",
            "recipe": {"image": {"size": [self.size, self.size], "format": self.image_format}},
            "versions": {
                "FaceGen": "0.1.0",
                "Blender": "4.5.15",
                "table of the model": table_digest(TABLE),
                "encoder": {"name": encoder.name, "sha256": encoder.sha256},
            },
        }
        table = [parameter.as_mapping() for parameter in TABLE.parameters]
        recipe = f"[image]\nsize = [{self.size}, {self.size}]\n"
        run = RunFolder.begin(folder, request | changes, table, recipe, replace=False)
        if self.format != FORMAT:
            edit(folder / "run.json", format=self.format)
            run = RunFolder.open(folder)
        return run

    def write(self, folder: Path, shards: Collection[int] | None = None) -> RunFolder:
        """The run, or these shards of it."""
        run = self.begin(folder)
        for shard in range(run.shard_count) if shards is None else shards:
            there = [i for i in run.indices(shard) if i not in self.failed]
            self.write_shard(run, shard, {i: self.members(run, i) for i in there})
        run.remove_work()
        return run

    def write_shard(self, run: RunFolder, shard: int, samples: Mapping[int, Members]) -> None:
        """A tar of these samples, and what stands beside it."""
        digest = write_tar(
            run.tar(shard),
            [
                tar_members((f"{key_of(index)}.{suffix}", data) for suffix, data in members)
                for index, members in samples.items()
            ],
            end=SHARD_END if run.format > 1 else 2 * tarfile.BLOCKSIZE,
        )
        sidecar = {
            "format": run.format,
            "run": run.digest,
            "shard": shard,
            "file": run.tar(shard).name,
            "bytes": run.tar(shard).stat().st_size,
            "sha256": digest,
            "samples": [
                {"key": key_of(i), "index": i, "attempt": self.attempts.get(i, 0)} for i in samples
            ],
            "failed": [
                {
                    "index": i,
                    "seed": [self.plan.seed, i, 7],
                    "reason": "the face is turned away",
                    "retry": False,
                }
                for i in run.indices(shard)
                if i in self.failed
            ],
            "checked": {"samples": 1, "worst_depth_mm": 0.25 + 0.01 * shard},
            "device": "CPU",
        }
        run.sidecar(shard).write_bytes(encode_json(sidecar))

    def members(self, run: RunFolder, index: int) -> Members:
        """A sample, its members in their order."""
        attempt = self.attempts.get(index, 0)
        shot = self.plan.shot(index, attempt)
        image, labels, camera = _rendered(shot.view, self.size)
        if self.image_format == "jpeg":
            image = _as_jpeg(image)
        achieved = None if index in self.faceless else self.plan.achieved(index)
        requested = self.plan.requested(index)
        distance = NONE
        if requested is not None and achieved is not None:
            distance = float(cosine_distance(requested, achieved))
        identity = self.plan.identity(index)
        record = {
            "format": run.format,
            "key": key_of(index),
            "index": index,
            "seed": [self.plan.seed, index, attempt],
            "attempt": attempt,
            "identity": identity,
            "view_number": index - identity * self.plan.views,
            "run": run.digest,
            "model": run.request["model"],
            "parameters": dict(zip(TABLE.names, map(float, shot.parameters), strict=True)),
            **describe_shot(shot, camera),
            "engine": "CYCLES",
            "samples": 8,
            "noise_seed": shot.seed,
            "image": {"format": self.image_format, "sha256": hashlib.sha256(image).hexdigest()},
            "five_points": [[20.0, 20.0], [40.0, 20.0], [30.0, 30.0], [22.0, 40.0], [38.0, 40.0]],
            "face_box": [10.0, 8.0, 50.0, 56.5],
            "face_seen": achieved is not None,
            "cosine_distance": distance,
            "label_check": describe_check(
                {"worst_depth_mm": 0.25} if index in self.checked else None
            ),
            "versions": run.request["versions"],
        }
        latents = list(latent_members(requested, achieved, 512))
        if self.format == 1:
            record = _as_format_1(record)
            latents = [
                (name, data) for name, data in latents if np.isfinite(decode_npy(data)).all()
            ]
        return [
            ("jpg" if self.image_format == "jpeg" else "png", image),
            ("json", encode_json(record)),
            *latents,
            *(labels.items() if self.labels else ()),
        ]


def decode_npy(data: bytes) -> np.ndarray:
    """An array from a member."""
    return np.load(io.BytesIO(data))


def _as_format_1(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as FaceGen wrote it before format 2: null for what a sample does not have."""
    former = {name: value for name, value in record.items() if name != "face_seen"}
    check, colour = record["label_check"], record["background"]["colour"]
    worst = check["worst_depth_mm"]
    return former | {
        "background": record["background"] | {"colour": None if colour[0] == NONE else colour},
        "cosine_distance": None if record["cosine_distance"] == NONE else record["cosine_distance"],
        "label_check": {"problems": [], "worst_depth_mm": worst} if check["done"] else None,
    }


def _as_jpeg(png: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).save(buffer, "JPEG")
    return buffer.getvalue()


@cache
def _rendered(view: View, size: int) -> tuple[bytes, dict[str, bytes], Camera]:
    """An image lit by its own normals, its labels and its camera."""
    maps, camera, landmarks = sphere_scene(view, size, _DENSE)
    shade = np.clip(-maps.normals[..., 2:], 0.0, 1.0) * (0.6, 0.45, 0.4)
    tone = 0.3 + 0.7 * (maps.segmentation[..., None] % 4 != 2)
    image = np.rint(255 * shade * tone).astype(np.uint8)
    return encode_png(image), label_members(maps, landmarks), camera


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path: Path) -> None:
    """Take the end off a shard."""
    path.write_bytes(path.read_bytes()[:-10240])


def flip(path: Path) -> None:
    """Turn one bit of a file."""
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)

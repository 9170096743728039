# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a run: images, parameters, contact sheet, shards, report."""

import platform
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np

from batch.contact_sheet import contact_sheet
from batch.report import RunRecord, build_report, render_page, write_json
from batch.shards import Sample, write_shards
from facegen_addon.arrays import AnyArray, ByteArray, Float32Array, FloatArray, RealArray
from facegen_addon.artifacts import read_index
from facegen_addon.heads.exchange.slider_file import RUN_FILE
from facegen_addon.latent.metrics import nearest_neighbour_distances
from facegen_addon.png import encode_png
from facegen_addon.variety.earlier_runs import encoder_array
from facegen_addon.variety.fields import WEAR

Progress = Callable[[str, float, float], None]

PARTS = IMAGES, SHARDS, REPORT = "write images", "write shards", "write report"
"""What is written, one after the other."""
_PAGE_PIXELS = 4_000_000  # of the contact sheet inside report.html
_MANIFEST = Path(__file__).resolve().parents[1] / "blender_manifest.toml"


class Head(Protocol):
    """A generated head, as the results need it; see facegen_addon.scene.workflows.variety."""

    @property
    def seed(self) -> int: ...
    @property
    def parameters(self) -> Annotated[FloatArray, "P"]: ...
    @property
    def requested(self) -> Annotated[Float32Array, "D"] | None: ...
    @property
    def achieved(self) -> Annotated[Float32Array, "D"]: ...
    @property
    def image(self) -> Annotated[ByteArray, "H W 3"]: ...
    @property
    def points(self) -> Annotated[FloatArray, "5 2"]: ...
    @property
    def box(self) -> Sequence[float]: ...


def write_results(
    folder: Path, heads: Sequence[Head], record: RunRecord, progress: Progress
) -> None:
    """Fill `folder`; the same heads give the same images, parameters and shards byte for byte."""
    images = [encode_png(head.image) for head in heads]
    (folder / "images").mkdir()
    for number, image in enumerate(images):
        (folder / "images" / f"{number:06d}.png").write_bytes(image)
        progress(IMAGES, number + 1, len(images))
    np.savez_compressed(
        folder / RUN_FILE,
        model=np.array(record.request["model"]),
        names=np.array(record.table.names),
        parameters=record.run.parameters,
        achieved=record.run.achieved.astype(np.float32),
        **encoder_array(record.request["encoder"]),
        **_worn_array(record.request.get(WEAR.name, ""), len(heads)),
    )
    write_shards(
        folder,
        _samples(heads, images, record),
        lambda done: progress(SHARDS, done, len(images)),
    )
    nearest = _nearest(record.run.achieved)
    pixels = [head.image for head in heads]
    (folder / "contact_sheet.png").write_bytes(encode_png(contact_sheet(pixels, nearest)))
    progress(REPORT, 0, 1)
    report = build_report(record)
    write_json(folder / "report.json", report)
    small = encode_png(contact_sheet(pixels, nearest, _PAGE_PIXELS))
    (folder / "report.html").write_text(render_page(report, record, small), encoding="utf-8")
    progress(REPORT, 1, 1)


def _worn_array(wear: str, count: int) -> dict[str, AnyArray]:
    """What each head wears, as slider files have it; nothing where that was not asked for."""
    return {"wear": np.array([wear] * count)} if wear else {}


def _nearest(latents: RealArray) -> Sequence[float]:
    if len(latents) < 2:
        return [float("nan")]
    return [float(distance) for distance in nearest_neighbour_distances(latents)]


def _samples(heads: Sequence[Head], images: Sequence[bytes], record: RunRecord) -> Iterator[Sample]:
    for number, (head, image) in enumerate(zip(heads, images, strict=True)):
        values = map(float, head.parameters)
        latents = {"achieved": head.achieved}
        if head.requested is not None:
            latents["requested"] = head.requested
        label = {
            "number": number,
            "seed": int(head.seed),
            "parameters": dict(zip(record.table.names, values, strict=True)),
            "five_points": [[float(x), float(y)] for x, y in head.points],
            "face_box": [float(edge) for edge in head.box],
            "request": dict(record.request),
            "provenance": dict(record.provenance),
        }
        yield Sample(f"{number:06d}", image, label, latents)


def facegen_version() -> str:
    """The project's version, as its manifest has it."""
    return str(tomllib.loads(_MANIFEST.read_text(encoding="utf-8"))["version"])


def describe_versions(blender: str, device: str) -> dict[str, Any]:
    """Versions, device and the hashes of all artifacts, as plain data."""
    index: Mapping[str, Mapping[str, Any]] = read_index()
    return {
        "FaceGen": facegen_version(),
        "Blender": blender,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "device": device,
        "sha256": {name: entry["sha256"] for name, entry in index.items()},
    }

# SPDX-License-Identifier: GPL-3.0-or-later
"""`fit`: photos of people to heads, beside one another in a picture."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from batch.command_line import OneLineParser, check_range
from batch.fit_sheet import comparison
from batch.left_out import LeftOut
from batch.output import check_output, output_folder
from batch.report import write_json
from facegen_addon.artifacts import artifact
from facegen_addon.durations import format_seconds
from facegen_addon.encoders.encoder import Encoder, same_face_threshold
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import check_model_name, load_head_model
from facegen_addon.heads.exchange.slider_file import RUN_FILE, write_slider_file
from facegen_addon.photo.fitting import FittedHead
from facegen_addon.photo.photo_header import check_photo
from facegen_addon.photo.second_encoder import SecondOpinion, second_opinion
from facegen_addon.png import encode_png
from facegen_addon.terminal.copies import with_program
from facegen_addon.terminal.interruption import interruptible
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.silence import blender_silent, load_blender

DEFAULT_MODEL = "person"
_MOST = 1000  # photos at once
_EXAMPLES = """\
The folder gets heads.npz, which mesh, export and Blender's panel read; for each head a picture
with photo, head from the same camera and head from the front; and report.json with distances,
camera and doubts. Photos: JPEG, PNG or WebP, upright by EXIF; a face of 40 pixels or more, seen
from the front.

Nothing leaves this machine. A photo's face is kept in the pictures alone (--no-photo leaves it
out), its latent only by --keep-latent. Both are biometric data: fit people who have agreed.

examples:
  {program} fit me.jpg --output out/me
  {program} fit one.jpg two.jpg three.jpg --same-person --output out/her
  {program} fit group.jpg --all --no-photo --output out/group
  {program} mesh --model person --parameters out/me --output me.obj
  {program} export out/me --output out/me-glb
"""


@dataclass(frozen=True)
class Fitted:
    """A head, the photos that it is of, and what a second encoder says."""

    photos: tuple[str, ...]
    head: FittedHead
    second: SecondOpinion | None


def main(arguments: Sequence[str]) -> int:
    """Run `fit`; UserError for a wrong value, and where no photo can be used.

    NotReached, once the rest is written, if some could not be."""
    options = _parser().parse_args(arguments)
    check_range("number of photos", len(options.photos), 1, _MOST)
    check_model_name(options.model)
    if options.all and options.same_person:
        raise UserError("--all and --same-person exclude one another: give one of them")
    check_output(options.output, options.replace)
    left_out = LeftOut(len(options.photos))
    photos = _checked(options.photos, left_out)
    start = time.monotonic()
    load_blender()
    with interruptible(), output_folder(options.output) as folder, blender_silent():
        fitted = _fit_all(options, photos, left_out)
        _write(folder, options, fitted)
    for one in fitted:
        _print(one)
    print(f"{len(fitted)} heads: {options.output}")
    print(f"in {format_seconds(time.monotonic() - start)}", file=sys.stderr)
    left_out.check()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="fit",
        description="Fit heads to photos of people.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("photos", type=Path, nargs="+", metavar="PHOTO", help="JPEG, PNG or WebP")
    add("--model", default=DEFAULT_MODEL, help=f"head model; default: {DEFAULT_MODEL}")
    add("--output", type=Path, default=Path("out/fit"), help="folder to make; default: out/fit")
    add("--replace", action="store_true", help="replace an earlier run in that folder")
    add("--all", action="store_true", help="fit everybody in a photo, not the largest face alone")
    add("--same-person", action="store_true", help="all photos are of one person: fit one head")
    add("--neutral", action="store_true", help="heads at rest, without the photo's expression")
    add(
        "--nearest",
        action="store_true",
        help="keep B's own head where colours and expression of the photo would take it further"
        " from the photo's latent, be it by less than the noise of a render",
    )
    add("--no-photo", action="store_true", help="leave the photo out of the pictures")
    add("--keep-latent", action="store_true", help="also write latents.npz: biometric data")
    add("--device", default="auto", choices=("auto", "CPU"), help="what renders; default: auto")
    return parser


def _checked(photos: Sequence[Path], left_out: LeftOut) -> list[Path]:
    """The photos that may be used by their headers; the others are left out.

    UserError if none may."""
    usable: list[Path] = []
    for photo in photos:
        try:
            check_photo(photo)
            usable.append(photo)
        except UserError as error:
            left_out.add(error)
    if not usable:
        faults = left_out.faults
        raise UserError(faults[0] if len(faults) == 1 else f"no photo can be used: {faults[0]}")
    return usable


def _fit_all(options: argparse.Namespace, photos: list[Path], left_out: LeftOut) -> list[Fitted]:
    """The heads of all photos, with a bar; what is left out is added to `left_out`."""
    # Imported here: only who fits needs Blender.
    from facegen_addon.scene.workflows.photo_heads import fit_photos

    bar = ProgressBar()
    bar.update("fit photos", 0, 1)
    work = fit_photos(
        photos, options.model, options.device, everybody=options.all,
        same_person=options.same_person, expression=not options.neutral, nearest=options.nearest,
    )  # fmt: skip
    with closing(bar), closing(work):
        while True:
            try:
                bar.update("fit photos", *next(work))
            except StopIteration as end:
                heads, faults = end.value
                break
    for line in faults:
        left_out.add(UserError(line))
    second = _second_encoder()
    return [
        Fitted(
            tuple(face.name for face in head.faces), head,
            second_opinion(head, second) if second else None,
        )
        for head in heads
    ]  # fmt: skip


def _second_encoder() -> Encoder | None:
    """SFace, which nothing here is fitted to, where it is installed."""
    if not artifact("sface").path.is_file():
        return None
    return Encoder.load("sface")


def _write(folder: Path, options: argparse.Namespace, fitted: Sequence[Fitted]) -> None:
    model = load_head_model(options.model)
    write_slider_file(folder / RUN_FILE, model, np.stack([one.head.parameters for one in fitted]))
    for number, one in enumerate(fitted):
        picture = comparison(one.head, one.second, with_photo=not options.no_photo)
        (folder / f"head_{number:04d}.png").write_bytes(encode_png(picture))
    if options.keep_latent:
        np.savez(folder / "latents.npz", latents=np.stack([one.head.latent for one in fitted]))
    write_json(folder / "report.json", {"heads": [_record(one) for one in fitted]})


def _record(one: Fitted) -> dict[str, Any]:
    """What is told of a head, as plain data; no latent of the photo."""
    head = one.head
    return {
        "photos": list(one.photos),
        "distance": round(head.distance, 4),
        "distance_of_b_alone": round(head.distance_alone, 4),
        "refined": head.refined,
        "second_encoder": None if one.second is None else one.second.as_mapping(),
        "likeness": head.words(same_face_threshold()),
        "detector_score": round(head.faces[0].score, 4),
        "face_pixels": round(head.faces[0].size),
        "reads_as": {name: round(value, 2) for name, value in head.attributes.items()},
        "camera": {name: round(value, 4) for name, value in vars(head.view).items()},
        "doubts": head.faces[0].doubts,
    }


def _print(one: Fitted) -> None:
    head = one.head
    name = one.photos[0] if len(one.photos) == 1 else f"{len(one.photos)} photos"
    print(f"{name}: {head.words(same_face_threshold())}; B alone {head.distance_alone:.2f}")
    if one.second is not None:
        print(f"  {one.second.words}")
    for doubt in head.faces[0].doubts:
        print(f"facegen: {name}: {doubt}", file=sys.stderr)

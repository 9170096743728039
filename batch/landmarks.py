# SPDX-License-Identifier: GPL-3.0-or-later
"""`landmarks`: what faces in photos show, read by our own network, without a fit."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from batch.command_line import OneLineParser, check_range
from batch.landmark_sheet import with_landmarks
from batch.left_out import LeftOut
from batch.output import check_output, output_folder
from batch.report import write_json
from facegen_addon.durations import format_seconds
from facegen_addon.encoders.face_detector import DetectedFace, FaceDetector
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.photo.landmark_network import FaceReading, LandmarkNetwork
from facegen_addon.png import encode_png
from facegen_addon.terminal.copies import with_program
from facegen_addon.terminal.interruption import interruptible
from facegen_addon.terminal.progress import QUIET, ProgressBar
from facegen_addon.terminal.silence import blender_silent, load_blender

_MOST = 10_000  # photos at once
_EXAMPLES = """\
The folder gets report.json: for each face 68 landmarks of iBUG's markup and 512 dense ones, in
pixels of the photo from its left upper corner, each with how far it may be off (a standard
deviation, pixels); yaw, pitch and roll of the head in degrees, as data sets have them. And for
each face a picture with the landmarks drawn: green where the network is sure, red where not.

The network has learnt from rendered heads alone; docs/results/landmarks.md says how far it is off.
Nothing leaves this machine. Landmarks are of people: read those of people who have agreed.

examples:
  {program} landmarks me.jpg --output out/mine
  {program} landmarks group.jpg --all --no-photo --output out/group
"""


def main(arguments: Sequence[str]) -> int:
    """Run `landmarks`; UserError for a wrong value, and where no photo can be used.

    NotReached, once the rest is written, if some could not be."""
    options = _parser().parse_args(arguments)
    check_range("number of photos", len(options.photos), 1, _MOST)
    check_output(options.output, options.replace)
    network, detector = LandmarkNetwork.load(), FaceDetector.load()
    start = time.monotonic()
    load_blender()
    left_out = LeftOut(len(options.photos))
    with interruptible(), output_folder(options.output) as folder, blender_silent():
        faces = _read_all(options, folder, network, detector, left_out)
        if not faces:
            raise UserError(left_out.faults[0])
        write_json(folder / "report.json", {"faces": faces})
    for record in faces:
        yaw, pitch, roll = (record["pose"][name] for name in ("yaw", "pitch", "roll"))
        print(f"{record['photo']}: turned by {yaw:.0f}, {pitch:.0f} and {roll:.0f} degrees")
    print(f"{len(faces)} faces: {options.output}")
    print(f"in {format_seconds(time.monotonic() - start)}", file=sys.stderr)
    left_out.check()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="landmarks",
        description="Read landmarks and head pose off photos of people.",
        epilog=with_program(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("photos", type=Path, nargs="+", metavar="PHOTO", help="JPEG, PNG or WebP")
    add(
        "--output", type=Path, default=Path("out/landmarks"),
        help="folder to make; default: out/landmarks",
    )  # fmt: skip
    add("--replace", action="store_true", help="replace an earlier run in that folder")
    add("--all", action="store_true", help="read everybody in a photo, not the largest face alone")
    add("--no-photo", action="store_true", help="write no pictures, which show the photo")
    return parser


def _read_all(
    options: argparse.Namespace,
    folder: Path,
    network: LandmarkNetwork,
    detector: FaceDetector,
    left_out: LeftOut,
) -> list[dict[str, Any]]:
    """The records of all faces, with a bar; their pictures are written unless not wanted."""
    faces: list[dict[str, Any]] = []
    with closing(ProgressBar(quiet=QUIET)) as bar:
        for number, photo in enumerate(options.photos):
            bar.update("read photos", number, len(options.photos))
            try:
                for picture, record in _read(photo, options.all, network, detector):
                    if not options.no_photo:
                        record["picture"] = f"face_{len(faces):04d}.png"
                        (folder / record["picture"]).write_bytes(encode_png(picture))
                    faces.append(record)
            except UserError as error:
                left_out.add(error)
        bar.update("read photos", len(options.photos), len(options.photos))
    return faces


def _read(
    photo: Path,
    everybody: bool,
    network: LandmarkNetwork,
    detector: FaceDetector,
) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """The picture (S, S, 3) uint8 and the record of each face; of several, those that are hardly in
    the photo are left out with a line on stderr.

    UserError, one line that names the photo, if it cannot be read or shows none that can be."""
    # Imported here: it needs Blender, which takes time to load.
    from facegen_addon.scene.render.photo_file import read_photo

    image = read_photo(photo)
    found = detector.detect(image)
    if not found:
        raise UserError(f"{photo.name} shows no face; give a photo of a face, 20 pixels or larger")
    records, faults = [], []
    for face in found if everybody else found[:1]:
        try:
            reading = network.read(image, face.points)
            records.append((with_landmarks(image, reading), _record(photo.name, face, reading)))
        except RejectedSample as rejected:
            faults.append(f"{photo.name}: {rejected}; give a photo that shows all of it")
    if not records:
        raise UserError(faults[0])
    for fault in faults:
        print(f"facegen: a face is left out: {fault}", file=sys.stderr)
    return records


def _record(name: str, face: DetectedFace, reading: FaceReading) -> dict[str, Any]:
    """What is told of a face, as plain data; no latent."""
    yaw, pitch, roll = (round(angle, 2) for angle in reading.pose)
    points, spread = np.round(reading.points, 2).tolist(), np.round(reading.spread, 2).tolist()
    count = len(reading.landmarks)
    return {
        "photo": name,
        "detector_score": round(face.score, 4),
        "face_box": np.round(face.box, 1).tolist(),
        "pose": {"yaw": yaw, "pitch": pitch, "roll": roll},
        "landmarks": points[:count],
        "landmark_spread": spread[:count],
        "dense": points[count:],
        "dense_spread": spread[count:],
    }

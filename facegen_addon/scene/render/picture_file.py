# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files: whether they are whole, which way up they are, and whether they light anything.

They are decoded by OpenImageIO, which Cycles reads pictures with. Blender's Python has it from 4.5
on, and so has bpy; it needs no Blender to be loaded. Where it is not there Blender decodes.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np

from ...arrays import AnyArray
from ...labels.exr import exr_channels

_NAME = "OpenImageIO"
_LONGEST = 80  # characters of a library's message
_COLOURS = ("R", "G", "B")
_GREY = ("Y",)
_ORIENTATION = re.compile(
    rb"(?:Exif\0\0|eXIf)(?:II\*\0.{0,512}?\x12\x01\x03\0\x01\0\0\0([\x01-\x08])\0"
    rb"|MM\0\*.{0,512}?\x01\x12\0\x03\0\0\0\x01\0([\x01-\x08]))",
    re.DOTALL,
)
"""The entry 0x0112, one short number, of an EXIF block in either byte order."""


class DamagedPicture(ValueError):
    """A file that holds no whole picture; the message says why, as the end of a sentence."""


@dataclass(frozen=True)
class PictureTraits:
    """Traits by which a picture is shown. orientation: EXIF's, 1 (upright) to 8; is_transparent:
    whether anything can be seen through it."""

    orientation: int
    is_transparent: bool

    @property
    def is_sideways(self) -> bool:
        """Whether its rows are columns when it is upright."""
        return self.orientation >= 5


@dataclass(frozen=True)
class Picture:
    """A decoded picture. values (H, W, C) as they are stored, in rows from the top; channels: their
    names, "A" is alpha; orientation: EXIF's, 1 (upright) to 8."""

    values: Annotated[AnyArray, "H W C"]
    channels: tuple[str, ...]
    orientation: int

    @property
    def is_transparent(self) -> bool:
        """Whether anything can be seen through it."""
        if "A" not in self.channels:
            return False
        alpha = self.values[..., self.channels.index("A")]
        opaque = np.iinfo(alpha.dtype).max if alpha.dtype.kind == "u" else 1.0
        return bool((alpha < opaque).any())


def decode(path: Path) -> Picture:
    """The whole picture in a file; DamagedPicture if it ends early or is none."""
    library = _openimageio()
    return _decode_by_blender(path) if library is None else _decode(path, library)


def picture_traits(path: Path) -> PictureTraits:
    """The traits of the picture in a file; of one without alpha only the beginning is read.

    DamagedPicture if it is none.
    """
    library = _openimageio()
    if library is not None:
        with _opened(path, library) as source:
            spec = source.spec()
            if "A" not in spec.channelnames:
                return PictureTraits(_orientation(spec), False)
    picture = decode(path)
    return PictureTraits(picture.orientation, picture.is_transparent)


def can_decode_side_by_side() -> bool:
    """Whether threads may decode at the same time: Blender itself cannot."""
    return _openimageio() is not None


def environment_problem(picture: Picture) -> str:
    """Why a picture lights nothing, or not as it should; empty if it does as it should."""
    if picture.orientation != 1:
        return "is stored turned or mirrored; save it upright"
    wanted = _COLOURS if set(_COLOURS) <= set(picture.channels) else _GREY
    if not set(wanted) <= set(picture.channels):
        shown = ", ".join(picture.channels[:4])
        return f"has no channels R, G, B or Y but {shown}; save the layer that lights as RGB"
    light = picture.values[..., [picture.channels.index(name) for name in wanted]]
    if not np.isfinite(light).all():
        return "has pixels that are infinite or no numbers"
    if light.max() <= 0:
        return "is black" if light.min() == 0 else "is negative everywhere"
    if light.mean(dtype=np.float64) <= 0:
        return "is more negative than positive"
    return ""


@cache
def _openimageio() -> ModuleType | None:
    """Blender's OpenImageIO; None where it does not come with it."""
    try:
        return importlib.import_module(_NAME)
    except ImportError:
        pass
    # bpy as a module does not put its own Python packages on the path.
    bpy = importlib.util.find_spec("bpy")
    for folder in (bpy.submodule_search_locations or []) if bpy else []:
        for packages in ("python*/site-packages", "site-packages"):
            for start in Path(folder).glob(f"*/python/lib/{packages}/{_NAME}/__init__.py"):
                module = _import_from(start)
                if module is not None:
                    return module
    return None


def _import_from(start: Path) -> ModuleType | None:
    spec = importlib.util.spec_from_file_location(
        _NAME, start, submodule_search_locations=[str(start.parent)]
    )
    if spec is None or spec.loader is None:
        return None
    module = sys.modules[_NAME] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError:
        del sys.modules[_NAME]
        return None
    return module


def _decode(path: Path, library: ModuleType) -> Picture:
    with _opened(path, library) as source:
        spec = source.spec()
        if spec.deep:
            raise DamagedPicture("is a deep image, which Blender does not show")
        values = source.read_image(spec.format)
        error = source.geterror()
    # Of a file that ends early there may be pixels besides the error.
    if values is None or error:
        raise DamagedPicture(_said(error, path))
    return Picture(values, tuple(spec.channelnames), _orientation(spec))


@contextmanager
def _opened(path: Path, library: ModuleType) -> Iterator[Any]:
    source = library.ImageInput.open(str(path))
    if source is None:
        raise DamagedPicture(_said(library.geterror(), path))
    try:
        yield source
    finally:
        source.close()


def _orientation(spec: Any) -> int:
    """EXIF's orientation; upright (1) for a number that does not exist, as some cameras' 0."""
    found = int(spec.get_int_attribute("Orientation", 1))
    return found if 1 <= found <= 8 else 1


def _said(error: str, path: Path) -> str:
    """A library's message without the path, which stands before it."""
    line = (error.strip().splitlines() or ["no picture"])[0]
    line = line.replace(f'("{path}")', "").replace(f'"{path}"', "it").replace(f"({path})", "")
    line = " ".join(line.split())
    shown = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
    return f"cannot be decoded ({shown})"


def _decode_by_blender(path: Path) -> Picture:
    import bpy

    image = bpy.data.images.load(str(path))
    try:
        width, height = image.size  # has Blender read the file
        if image.type == "MULTILAYER":
            return Picture(np.zeros((1, 1, 1), np.float32), ("layers of their own",), 1)
        values = np.empty(width * height * 4, np.float32)
        if not width * height or len(image.pixels) != len(values):
            raise DamagedPicture("cannot be decoded")
        image.pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(image)
    start = path.read_bytes()[: 1 << 17]
    names = exr_channels(start)
    if names and not ({*_COLOURS} <= {*names} or {*_GREY} <= {*names}):
        # Blender leaves the pixels of such an image as memory happens to be.
        return Picture(np.zeros((1, 1, len(names)), np.float32), names, 1)
    found = _ORIENTATION.search(start)
    orientation = next((g[0] for g in found.groups() if g), 1) if found else 1
    upward = values.reshape(height, width, 4)
    return Picture(upward[::-1], (*_COLOURS, "A"), orientation)

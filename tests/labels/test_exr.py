# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of uncompressed float OpenEXR files, sound and damaged."""

import struct
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.labels.exr import read_exr

NAMES = ("L.Combined.A", "L.Combined.B", "L.depth.R")


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value


def _channel(name: str, kind: int = 2, sampling: int = 1) -> bytes:
    return name.encode() + b"\0" + struct.pack("<iB3xii", kind, 0, sampling, sampling)


def _exr(
    values: np.ndarray,
    *,
    channels: bytes | None = None,
    compression: bytes = b"\0",
    version: int = 2,
    origin: tuple[int, int] = (0, 0),
    order: np.ndarray | None = None,
) -> bytes:
    """A file of values (H, C, W), written as the specification says and not as the reader reads."""
    height, count, width = values.shape
    if channels is None:
        channels = b"".join(_channel(name) for name in NAMES[:count]) + b"\0"
    left, top = origin
    window = struct.pack("<4i", left, top, left + width - 1, top + height - 1)
    head = b"\x76\x2f\x31\x01" + struct.pack("<I", version)
    head += _attribute("channels", "chlist", channels)
    head += _attribute("compression", "compression", compression)
    head += _attribute("dataWindow", "box2i", window)
    head += _attribute("note", "string", b"made by a test") + b"\0"
    chunks, offsets = b"", np.zeros(height, "<u8")
    for row in range(height) if order is None else order:
        offsets[row] = len(head) + 8 * height + len(chunks)
        chunks += struct.pack("<2i", top + row, 4 * count * width)
        chunks += values[row].astype("<f4").tobytes()
    return head + offsets.tobytes() + chunks


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(4, 3, 5)).astype(np.float32)


def _read(folder: Path, content: bytes):
    path = folder / "passes.exr"
    path.write_bytes(content)
    return read_exr(path)


@pytest.mark.parametrize("origin", [(0, 0), (-3, 7)])
@pytest.mark.parametrize("order", [None, [3, 2, 1, 0]])
@pytest.mark.parametrize("version", [2, 0x402])
def test_values_are_read_as_written(
    tmp_path: Path, values: np.ndarray, origin: tuple, order: list | None, version: int
) -> None:
    image = _read(tmp_path, _exr(values, origin=origin, order=order, version=version))
    assert image.names == NAMES
    np.testing.assert_array_equal(image.values, values)
    two = image.channels(["L.depth.R", "L.Combined.A"])
    np.testing.assert_array_equal(two, values[:, [2, 0]].transpose(0, 2, 1))


def test_a_channel_that_is_not_there_is_named(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(KeyError, match=r"L\.uv\.R"):
        _read(tmp_path, _exr(values)).channels(["L.depth.R", "L.uv.R"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"compression": b"\3"}, "it is compressed"),
        ({"version": 2 | 0x200}, "tiled"),
        ({"version": 2 | 0x1000}, "several parts"),
        ({"version": 1}, "another version"),
        ({"channels": _channel("R", kind=1) + b"\0"}, "channel 'R' is not of 32-bit floats"),
        ({"channels": _channel("R", sampling=2) + b"\0"}, "channel 'R' is not of 32-bit floats"),
        ({"channels": b"\0"}, "it has no channels"),
        ({"channels": _channel("R")[:-2]}, "it ends too early"),
        ({"channels": b"R"}, "it ends too early"),
        ({"channels": b"".join(map(_channel, "ABCD")) + b"\0"}, "it ends too early"),
        ({"channels": _channel("A") + b"\0"}, "its scanlines lie elsewhere"),
    ],
)
def test_other_kinds_of_file_are_refused(
    tmp_path: Path, values: np.ndarray, change: dict, message: str
) -> None:
    with pytest.raises(UserError, match=rf"passes\.exr cannot be read as OpenEXR \(.*{message}"):
        _read(tmp_path, _exr(values, **change))


def test_a_file_that_ends_anywhere_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    whole = _exr(values)
    for length in range(len(whole)):
        with pytest.raises(UserError, match="cannot be read as OpenEXR"):
            _read(tmp_path, whole[:length])


def test_a_damaged_header_is_refused_or_read_but_never_a_defect(
    tmp_path: Path, values: np.ndarray, rng: np.random.Generator
) -> None:
    whole = _exr(values)
    for place in range(len(whole) - values.nbytes):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            image = _read(tmp_path, bytes(damaged))
        except UserError:
            continue
        assert image.values.shape == values.shape


def test_an_empty_image_and_other_files_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    for content, message in (
        (b"", "it ends too early"),
        (b"PNG, say" * 9, "another kind of file"),
        (_exr(np.zeros((1, 3, 0), np.float32)), "its size is 0 x 1"),
        (_exr(values).replace(b"dataWindow", b"dateWindow"), "no dataWindow"),
        (_exr(values).replace(b"box2i", b"box2f"), "no dataWindow"),
        (
            _exr(np.repeat(values[:1], 4, 0)).replace(
                struct.pack("<2i", 3, 60), b"\0" * 4 + b"\x3c\0\0\0"
            ),
            "not each there once",
        ),
    ):
        with pytest.raises(UserError, match=message):
            _read(tmp_path, content)
    with pytest.raises(UserError, match=r"gone\.exr cannot be read \(No such file"):
        read_exr(tmp_path / "gone.exr")

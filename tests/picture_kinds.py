# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every kind that people have, good and bad, made of a few colours."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 60
_TURNED = {  # EXIF's orientation -> what makes the stored picture of the upright one
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters() -> np.ndarray:
    """(H, W, 3) uint8: red, green; blue, yellow."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    high, wide = HEIGHT // 2, WIDTH // 2
    image[:high, :, 0] = image[high:, wide:, 0] = image[high:, wide:, 1] = 220
    image[:high, wide:] = 0, 220, 0
    image[high:, :wide, 2] = 220
    return image


def stored(image: Image.Image, kind: str, **options: object) -> bytes:
    """A file of a picture."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(orientation: int, kind: str) -> bytes:
    """The quarters, stored otherwise, with an EXIF block that says so."""
    image = Image.fromarray(quarters())
    if orientation != 1:
        image = image.transpose(_TURNED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return stored(image, kind, exif=exif)


def png16(values: np.ndarray) -> bytes:
    """(H, W, C) uint16, C 1 to 4."""
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def see_through() -> np.ndarray:
    """(H, W, 4) uint8: the quarters, the right half as if not there, its colours kept."""
    image = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    image[..., :3] = quarters()
    image[:, WIDTH // 2 :, 3] = 0
    return image


def hdr(values: np.ndarray, form: str = "32-bit_rle_rgbe", size: str = "-Y {0} +X {1}") -> bytes:
    """A Radiance file of (H, W, 3), in rows that are not compressed."""
    largest = values.max(-1, keepdims=True)
    mantissa, exponent = np.frexp(largest)
    scale = np.divide(mantissa * 256, largest, out=np.zeros_like(largest), where=largest > 0)
    pixels = np.zeros((*values.shape[:2], 4), np.uint8)
    pixels[..., :3] = values * scale
    pixels[..., 3:] = np.where(largest > 0, exponent + 128, 0)
    head = f"#?RADIANCE\nFORMAT={form}\n\n{size.format(*values.shape[:2])}\n"
    return head.encode() + pixels.tobytes()


def exr(channels: Mapping[str, np.ndarray]) -> bytes:
    """An OpenEXR file of (H, W) float32 channels, in rows that are not compressed."""
    names = sorted(channels)
    height, width = channels[names[0]].shape
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    described = b"".join(n.encode() + struct.pack("<xiB3xii", 2, 0, 1, 1) for n in names) + b"\0"
    attributes = (
        ("channels", "chlist", described),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", box),
        ("displayWindow", "box2i", box),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    )
    head = struct.pack("<2i", 20000630, 2)
    for name, kind, data in attributes:
        head += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(data)) + data
    head += b"\0"
    rows = []
    for y in range(height):
        data = b"".join(channels[n][y].astype("<f4").tobytes() for n in names)
        rows.append(struct.pack("<2i", y, len(data)) + data)
    first = len(head) + 8 * height
    places = [first + y * len(rows[0]) for y in range(height)]
    return head + struct.pack(f"<{height}Q", *places) + b"".join(rows)


def exr_rgb(values: np.ndarray, names: tuple[str, ...] = ("R", "G", "B")) -> bytes:
    """The same of (H, W, C)."""
    return exr({name: values[..., k] for k, name in enumerate(names)})

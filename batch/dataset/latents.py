# SPDX-License-Identifier: GPL-3.0-or-later
"""The latents of a sample as members of its shard, and back.

    requested.npy      (D,) float32 of unit norm: what the head was asked for
    achieved.npy       (D,) float32 of unit norm: the encoder's answer to the image

Every sample has both, since readers take the members of the first samples for those of all. Where
there is none (heads that were not asked for by latents, images that show no face) all D are NaN.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Annotated, NoReturn

import numpy as np

from batch.shards import encode_npy
from facegen_addon.arrays import Float32Array, RealArray
from facegen_addon.artifacts import DAMAGED_ARCHIVE
from facegen_addon.errors import UserError

LATENTS = ("requested", "achieved")
LATENT_SUFFIXES = tuple(f"{name}.npy" for name in LATENTS)
_UNIT = 1e-3  # by which the norm of a latent may miss one
_REMEDY = "make the shard again"


def latent_members(
    requested: Annotated[RealArray, "D"] | None,
    achieved: Annotated[RealArray, "D"] | None,
    size: int,
) -> Iterator[tuple[str, bytes]]:
    """Suffix and content of both latents (D,); size: D of the run's encoder."""
    for suffix, latent in zip(LATENT_SUFFIXES, (requested, achieved), strict=True):
        yield suffix, encode_npy(np.full(size, np.nan) if latent is None else latent)


def read_latent(
    members: Mapping[str, bytes], suffix: str, name: str, *, always: bool
) -> Annotated[Float32Array, "D"] | None:
    """A latent in a sample's members, suffix -> content; None where the sample has none.

    always: whether a member has to be there all the same, full of NaN, as in runs of the current
    format. UserError that begins with `name` if it is not, or is damaged.
    """
    if suffix not in members:
        if always:
            _fail(name, f"has no {suffix}")
        return None
    try:
        latent = np.load(io.BytesIO(members[suffix]), allow_pickle=False)
    except DAMAGED_ARCHIVE:
        latent = None
    if not isinstance(latent, np.ndarray) or latent.ndim != 1 or latent.dtype != np.float32:
        _fail(name, f"{suffix} is no row of single-precision numbers")
    if always and latent.size and np.isnan(latent).all():
        return None
    norm = float(np.linalg.norm(latent.astype(np.float64)))
    if not abs(norm - 1.0) < _UNIT:
        _fail(name, f"{suffix} is of norm {norm:g}, not 1")
    return latent


def _fail(name: str, what: str) -> NoReturn:
    raise UserError(f"{name}: {what}: {_REMEDY}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed shards of a data set's folder, for scripts that learn from them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, FloatArray, IntArray
from facegen_addon.errors import UserError
from facegen_addon.heads.parameters import ParameterTable
from models.training.distributions_learning import Sets
from models.training.pairs import Pairs

HELD_OUT = 8
"""Of the heads of each data set every so manyth is held out."""


def samples_of(folder: Path) -> Iterator[dict[str, bytes]]:
    """All samples of a folder: what follows the key in a member's name -> content."""
    for shard in sorted(folder.glob("data-*.tar")):
        with tarfile.open(shard) as archive:
            for _, group in groupby(archive, key=lambda member: member.name.partition(".")[0]):
                members = {}
                for member in group:
                    content = archive.extractfile(member)
                    if content is not None:
                        members[member.name.partition(".")[2]] = content.read()
                yield members


def held_out_of(heads: Annotated[IntArray, "N"]) -> Annotated[BoolArray, "N"]:
    """Which images (N,) show heads, given by their number, that nothing learns from."""
    return np.asarray(heads % HELD_OUT == HELD_OUT - 1)


def achieved_of(members: Mapping[str, bytes]) -> FloatArray:
    """What FaceNet saw in the image of a sample (D,); 0 where it saw no face."""
    return np.nan_to_num(np.load(io.BytesIO(members["achieved.npy"]))).astype(np.float64)


def sets_of_folders(folders: Mapping[str, Path], table: ParameterTable) -> Sets:
    """Data sets by their names as heads to learn from and held-out ones, an image each.

    UserError where a folder holds no shards, or heads of another model.
    """
    learnt, held_out = {}, {}
    for name, folder in folders.items():
        data, apart = _read(folder, table)
        learnt[name], held_out[name] = (
            Pairs(data.z[rows], data.latents[rows]) for rows in (~apart, apart)
        )
    return Sets(learnt, held_out)


def _read(folder: Path, table: ParameterTable) -> tuple[Pairs, BoolArray]:
    """Images in which FaceNet sees a face, and whether their heads are held out."""
    values, latents, heads = [], [], []
    for members in samples_of(folder):
        record, latent = json.loads(members["json"]), achieved_of(members)
        if record["parameters"].keys() != set(table.names):
            raise UserError(f"{folder} holds heads of {record['model']}: give its name by --model")
        if latent.any():
            values.append([record["parameters"][name] for name in table.names])
            latents.append(latent)
            heads.append(record["identity"])
    if len(heads) < HELD_OUT:
        raise UserError(f"{folder} holds {len(heads)} images with a face: make more of them")
    z = table.standardise(values).astype(np.float32)
    return Pairs(z, np.array(latents, np.float32)), held_out_of(np.array(heads))

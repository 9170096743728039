# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs (standardised parameters, latent of the rendered head), on which B is trained.

Rendering writes them as chunks below `models/built/pairs_<model>/<batch>/`; all chunks of all
batches, packed, are the committed table `models/pairs_<model>.npz`.
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import AnyArray, BoolArray, Float32Array, RealArray
from facegen_addon.artifacts import models_folder, read_npz
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, HEAD_MODELS, load_head_model
from facegen_addon.heads.parameters import ParameterTable

CHUNK = 100
"""Heads a file: what a killed run loses at most, by each worker."""

PROPOSAL = "proposal.npz"

INITIAL = "initial"
"""The batch of random heads."""

RANDOM = "random"
"""Array of the committed table: how many of its first pairs were drawn at random."""


@dataclass(frozen=True)
class Pairs:
    """z (N, G) float32 in standard units and latents (N, 512) float32 of unit norm."""

    z: Annotated[RealArray, "N G"]
    latents: Annotated[RealArray, "N D"]

    def __len__(self) -> int:
        return len(self.z)

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            np.concatenate([self.z, other.z]), np.concatenate([self.latents, other.latents])
        )


def table_path(model: str) -> Path:
    """The committed table of all pairs."""
    return models_folder(model) / f"pairs_{model}.npz"


def batch_folder(model: str, batch: str) -> Path:
    """Folder of the chunks of one batch of renders, never committed."""
    return models_folder(model) / "built" / f"pairs_{model}" / batch


def batch_names(model: str) -> list[str]:
    """Batches with renders, in the order in which they were made: initial, round_1, ..."""
    chunks = batch_folder(model, "").glob("*/chunk_*.npz")
    names = {path.parent.name for path in chunks}
    return sorted(names, key=lambda name: int(re.sub(r"\D", "", name) or 0))


def proposal_path(model: str, number: int) -> Path:
    """Heads that training proposes for round `number`, beside the chunks of their renders."""
    return batch_folder(model, f"round_{number}") / PROPOSAL


def quantised(z: Annotated[RealArray, "..."]) -> Annotated[Float32Array, "..."]:
    """z as the table stores it; what is rendered is this, so that no pair is rounded later."""
    return np.asarray(z, np.float16).astype(np.float32)


def chunk_path(folder: Path, index: int) -> Path:
    """File of chunk `index` of a batch."""
    return folder / f"chunk_{index:05d}.npz"


def write_chunk(
    path: Path,
    z: Annotated[RealArray, "N G"],
    latents: Annotated[RealArray, "N D"],
    usable: Annotated[BoolArray, "N"],
) -> None:
    """Write one chunk at once or not at all; `usable` (N,) is False where a head was rejected."""
    save_npz(path, z=z.astype(np.float16), latents=latents.astype(np.float16), usable=usable)


def chunk_is_of(path: Path, z: Annotated[RealArray, "N G"]) -> bool:
    """Whether `path` holds the whole chunk of the heads z (N, G), so that resuming can skip it."""
    try:
        stored = read_npz(path)
    except UserError:
        return False
    return "z" in stored and np.array_equal(stored["z"], z.astype(np.float16))


def read_batch(folder: Path) -> tuple[Pairs, Annotated[BoolArray, "N"]]:
    """Pairs of all chunks of one batch, in order, and whether each row is usable (N,) bool."""
    chunks = [read_npz(path) for path in sorted(folder.glob("chunk_*.npz"))]
    if not chunks:
        raise UserError(f"{folder} holds no pairs: run `python -m models.training.render_pairs`")
    for chunk in chunks:
        # A chunk without a face does not know how long latents are: that of any other does.
        if not chunk["usable"].any():
            seen = next((other for other in chunks if other["usable"].any()), chunk)
            width = seen["latents"].shape[1]
            chunk["latents"] = np.zeros((len(chunk["z"]), width), np.float16)
    joined = {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
    return Pairs(joined["z"].astype(np.float32), _unit(joined["latents"])), joined["usable"]


def load_pairs(model: str, table: ParameterTable, from_table: bool = False) -> Pairs:
    """All pairs: of the work folder where rendering has left any, else of the committed table.

    `from_table` takes the committed table in any case.

    UserError where there are none, or where they belong to another version of the head model.
    """
    batches = [] if from_table else batch_names(model)
    pairs = _joined_batches(model, batches) if batches else _read_table(model, table)
    if pairs.z.shape[1] != len(table.guided):
        raise UserError(
            f"the pairs have {pairs.z.shape[1]} parameters, head model {model!r} guides"
            f" {len(table.guided)}: remove {batch_folder(model, '')} and render again"
        )
    return pairs


def load_random_pairs(model: str, table: ParameterTable) -> Pairs:
    """The pairs of the committed table that were drawn at random, before any head was proposed."""
    pairs = load_pairs(model, table, from_table=True)
    stored = read_npz(table_path(model))
    if RANDOM not in stored:
        raise UserError(f"{table_path(model)} does not say which pairs are random: pack it again")
    count = int(stored[RANDOM])
    return Pairs(pairs.z[:count], pairs.latents[:count])


def pack(model: str, table: ParameterTable) -> Path:
    """Write the committed table: z in half precision, latents as 8-bit directions.

    Rounding a latent to 8 bits moves it by about 4e-5 in cosine distance.
    """
    pairs = load_pairs(model, table)
    first = batch_names(model)[:1]
    random_count = len(_joined_batches(model, first)) if first == [INITIAL] else 0
    peak = np.abs(pairs.latents).max(axis=1, keepdims=True)
    save_npz(
        table_path(model),
        z=pairs.z.astype(np.float16),
        latents=np.rint(pairs.latents / peak * 127).astype(np.int8),
        names=_guided_names(table),
        **{RANDOM: np.array(random_count)},
    )
    return table_path(model)


def positive(text: str) -> int:
    """A command line's whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """--model, of every script for a head model; see `model_name`."""
    parser.add_argument(
        "--model", default=DEFAULT_FLAME, help="head model of the catalogue, or a FLAME file"
    )


def model_name(text: str) -> str:
    """The name that a head model goes by: of a FLAME file at the path `text`, now cached, its own.

    UserError if there is none.
    """
    return text if text in HEAD_MODELS else load_head_model(text).name


def save_npz(path: Path, **arrays: AnyArray) -> None:
    """Write a compressed archive at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    temporary.replace(path)


def _joined_batches(model: str, batches: list[str]) -> Pairs:
    parts = []
    for name in batches:
        pairs, usable = read_batch(batch_folder(model, name))
        parts.append(Pairs(pairs.z[usable], pairs.latents[usable]))
    return sum(parts[1:], start=parts[0])


def _read_table(model: str, table: ParameterTable) -> Pairs:
    stored = read_npz(table_path(model))
    if not np.array_equal(stored["names"], _guided_names(table)):
        raise UserError(
            f"{table_path(model)} was made with other parameters than {model!r} has now: run"
            " `make models FORCE=1`"
        )
    return Pairs(stored["z"].astype(np.float32), _unit(stored["latents"]))


def _guided_names(table: ParameterTable) -> AnyArray:
    return np.array([table.names[column] for column in table.guided])


def _unit(latents: RealArray) -> RealArray:
    wide = latents.astype(np.float32)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: RealArray = wide / np.maximum(norms, 1e-9)
    return unit

# SPDX-License-Identifier: GPL-3.0-or-later
"""A small data set's folder: a shard of what scripts that learn read of it."""

from pathlib import Path

import numpy as np

from batch.shards import encode_json, encode_npy, tar_members, write_tar
from facegen_addon.heads.parameters import ParameterTable


def write_data_set(
    folder: Path, table: ParameterTable, parameters: np.ndarray, latents: np.ndarray
) -> None:
    """Heads (N, P), an image each, of which FaceNet has seen `latents` (N, 512)."""
    samples = [
        tar_members(
            [
                (f"{key:06d}.json", encode_json(_record(table, key, values))),
                (f"{key:06d}.achieved.npy", encode_npy(latent)),
            ]
        )
        for key, (values, latent) in enumerate(zip(parameters, latents, strict=True))
    ]
    folder.mkdir(parents=True)
    write_tar(folder / "data-000000.tar", samples)


def _record(table: ParameterTable, identity: int, values: np.ndarray) -> dict[str, object]:
    parameters = dict(zip(table.names, values.tolist(), strict=True))
    return {"model": "synthetic", "identity": identity, "parameters": parameters}

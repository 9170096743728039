# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart encoders see different real people: quantiles into models/index.json.

    python -m models.training.measure_people                  # photos of ../shared/data/lfw
    python -m models.training.measure_people --photos FOLDER  # photos.csv and the photos it names

The default encoder by a latent each of all people of latents_dev.npz, the second by the photos
themselves, whose landmarks MTCNN finds (PyPI `faceie`). Kept are distances below which shares of
pairs of different people lie, of each encoder: what `generate --people-quantile` asks for.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import RealArray
from facegen_addon.artifacts import models_directory, read_index_file
from facegen_addon.encoders.encoder import DEFAULT_ENCODER, Encoder
from facegen_addon.errors import UserError
from facegen_addon.latent.real_faces import lfw_directory, load_photos, one_photo_each
from facegen_addon.latent.sphere import cosine_distance_matrix
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.remedies import explain
from models.training.fit_face_crop import detect
from models.training.register import write_index

SECOND = "sface"
SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def quantiles(latents: Annotated[RealArray, "N D"], people: str) -> dict[str, Any]:
    """Quantiles of the distances between latents (N, D), unit norm, one a person, as plain data."""
    distances = cosine_distance_matrix(latents)[np.triu_indices(len(latents), 1)]
    found = np.quantile(distances, SHARES)
    return {
        "people": people,
        "pairs": len(distances),
        "quantiles": [[share, round(float(d), 3)] for share, d in zip(SHARES, found, strict=True)],
    }


def measured(folder: Path) -> dict[str, dict[str, Any]]:
    """Those of the default encoder and the second, by name."""
    photos = load_photos(folder / "latents_dev.npz")
    everybody = one_photo_each(photos.identity, np.unique(photos.identity))
    faces = detect(folder)
    encoder = Encoder.load(SECOND, threads=2)
    crops = [encoder.cut(*face) for face in zip(faces.photos, faces.points, strict=True)]
    seen = encoder.embed(np.stack(crops))
    return {
        DEFAULT_ENCODER: quantiles(photos.latents[everybody], f"{len(everybody)} of LFW"),
        SECOND: quantiles(seen, f"{len(seen)} of LFW"),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure and register; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=lfw_directory())
    options = parser.parse_args(arguments)
    try:
        found = measured(options.photos)
        path = models_directory() / "index.json"
        index = read_index_file(path)
        for name, facts in found.items():
            index[name]["different_people"] = facts
        write_index(index, path)
    except UserError as error:
        print(f"measure_people: {explain(error)}", file=sys.stderr)
        return 2
    for name, facts in found.items():
        print(name, facts)
    return 0


if __name__ == "__main__":
    run_process(main, "measure_people")

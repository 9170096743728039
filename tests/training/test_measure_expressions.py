# SPDX-License-Identifier: GPL-3.0-or-later
"""How far expressions move a head, by an F known exactly."""

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from models.training.measure_expressions import COLUMNS, WORN, faces_of, main, measure

MODEL = load_head_model("person")


def test_faces_differ_in_nothing_but_expression(rng: np.random.Generator) -> None:
    head = MODEL.sample_prior(rng, 1)[0]
    faces = faces_of(MODEL, head)
    assert list(faces) == [*WORN]
    others = np.setdiff1d(np.arange(len(MODEL.table)), MODEL.table.columns("expression"))
    for face in faces.values():
        np.testing.assert_array_equal(face[others], head[others])
    assert len({face.tobytes() for face in faces.values()}) == len(faces)


def test_a_row_says_how_far_an_expression_moves_a_latent(rng: np.random.Generator) -> None:
    """An F that sees the jaw alone: 0.4 of it, which is what a laugh has, turns by 0.4 radians."""
    jaw = MODEL.table.index("jawOpen")

    def embed(head: np.ndarray) -> np.ndarray:
        return np.array([np.cos(head[jaw]), np.sin(head[jaw])], np.float32)

    rows = measure(MODEL, MODEL.sample_prior(rng, 3), embed)
    table = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows}
    assert table["anger"]["largest"] == "0.000"
    assert table["laugh"]["largest"] == f"{1 - np.cos(0.4):.3f}"
    assert table["all of these"]["largest"] == f"{1 - np.cos(0.6):.3f}"  # of a mouth that says aa


def test_no_heads_are_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--heads", "0"]) == 2
    assert capsys.readouterr().err == "measure_expressions: --heads 0: give 1 or more\n"

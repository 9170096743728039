# SPDX-License-Identifier: GPL-3.0-or-later
"""A face at rest: guided rows that move it as expressions do, which come on top."""

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.person.resting import GROUP, RESTING_HELP

MODEL = load_head_model("person")
TABLE = MODEL.table


def head(**values: float) -> np.ndarray:
    """The parameters of the mean head whose face does not move at rest, bar these."""
    row = TABLE.default()
    row[TABLE.columns(GROUP)] = 0.0
    for name, value in values.items():
        row[TABLE.index(name)] = value
    return row


def test_every_row_is_guided_has_help_and_is_neutral_to_friendly_by_default() -> None:
    rows = [TABLE.parameters[column] for column in TABLE.columns(GROUP)]
    assert {row.name for row in rows} == set(RESTING_HELP)
    assert all(row.guided for row in rows)
    means = {row.name: row.mean for row in rows}
    assert 0.05 < means.pop("resting_smile") < 0.2
    assert not any(means.values())


@pytest.mark.parametrize(
    ("resting", "expressions"),
    [
        ({"resting_smile": 0.5}, {"mouthSmile": 0.5, "cheekSquint": 0.2}),
        ({"resting_smile": -0.2}, {"mouthFrown": 0.2}),
        ({"resting_lids": -0.3}, {"eyeSquint": 0.3}),
    ],
)
def test_a_resting_face_moves_as_expressions_do(
    resting: dict[str, float], expressions: dict[str, float]
) -> None:
    both = {f"{name}{side}": v for name, v in expressions.items() for side in ("Left", "Right")}
    moved, expected = MODEL.forward(np.stack([head(**resting), head(**both)]))
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    assert np.abs(moved - MODEL.forward(head())[0]).max() > 1e-3


def test_expressions_come_on_top_up_to_their_whole() -> None:
    smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}
    whole = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 0.2}
    rows = [head(resting_smile=0.5, **smile), head(cheekSquintRight=0.2, **whole)]
    np.testing.assert_allclose(*MODEL.forward(np.stack(rows)), atol=1e-6)


def test_sliders_move_it_step_by_step() -> None:
    move = MODEL.incremental_forward()
    move(head())
    smiling = head(resting_smile=0.4)
    np.testing.assert_allclose(move(smiling), MODEL.forward(smiling)[0], atol=2e-6)

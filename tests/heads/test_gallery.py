# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped to choose from: heads with pictures, expressions, colours, words, sections."""

import numpy as np
import pytest

from facegen_addon.artifacts import artifact
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import HEAD_MODELS, load_head_model
from facegen_addon.heads.expressions import (
    EXPRESSIONS,
    expressive,
    gaze_of,
    has_units,
    looking,
    named_expression,
)
from facegen_addon.heads.gallery import Gallery, gallery
from facegen_addon.heads.named_styles import name_of_style, styled
from facegen_addon.heads.person.head import age_of, years
from facegen_addon.heads.plain_words import WORDS, is_asymmetry, words_of
from facegen_addon.heads.sections import (
    EXPRESSION,
    FACE,
    HAIR,
    WHO,
    section_columns,
    section_of,
    sections,
)
from facegen_addon.heads.swatches import KINDS, nearest, painted, swatches

PERSON = load_head_model("person")
TABLE = PERSON.table
EVERYTHING = np.ones(len(TABLE), np.bool_)
MODELS = tuple(HEAD_MODELS)


def test_at_least_24_heads_of_all_kinds_of_people_are_shipped() -> None:
    heads = gallery().heads
    assert len(heads) >= 24 and len({head.name for head in heads}) == len(heads)
    rows = np.stack([head.row(PERSON) for head in heads if head.model == "person"])
    sex, age = rows[:, TABLE.index("gender")], years(rows[:, TABLE.index("age")])
    for some in (sex < 0.3, sex > 0.7, age < 30, (age > 35) & (age < 60), age > 60):
        assert some.sum() >= 5
    for ancestry in ("african", "asian", "caucasian"):
        assert (rows[:, TABLE.index(ancestry)] > 0.6).sum() >= 5
    assert all(head.about.split(", ")[0] in ("Woman", "Man") for head in heads)
    assert all(head.outfit is not None for head in heads)


def test_everything_that_is_shipped_has_a_picture() -> None:
    shipped = gallery()
    styles = {f"{kind} {name}" for kind, names in PERSON.named_styles.items() for name in names}
    expected = {f"head {head.name}" for head in shipped.heads} | styles
    expected |= {f"expression {name}" for name in EXPRESSIONS}
    assert shipped.pictures.keys() == expected
    assert all(picture.startswith(b"\xff\xd8") for picture in shipped.pictures.values())
    assert artifact("gallery").facts["bytes"] < 600_000


def test_the_file_of_a_gallery_is_read_as_it_was_written() -> None:
    shipped = gallery()
    assert Gallery.from_arrays(shipped.arrays()) == shipped
    assert shipped.head("nobody") is None


@pytest.mark.parametrize("name", list(EXPRESSIONS))
def test_an_expression_is_known_by_its_units(name: str) -> None:
    start = TABLE.default()
    start[TABLE.index("age")] = 0.7
    head = TABLE.validate(expressive(TABLE, start, name))[0]
    assert named_expression(TABLE, head, EVERYTHING) == name
    others = np.setdiff1d(np.arange(len(TABLE)), TABLE.columns("expression"))
    assert (head[others] == start[others]).all()


def test_what_is_locked_does_not_count_and_what_has_no_name_has_none() -> None:
    head = expressive(TABLE, TABLE.default(), "smile")
    free = EVERYTHING.copy()
    head[TABLE.index("jawOpen")] = 0.3
    assert named_expression(TABLE, head, free) == ""
    free[TABLE.index("jawOpen")] = False
    assert named_expression(TABLE, head, free) == "smile"
    with pytest.raises(UserError, match="choose from neutral"):
        expressive(TABLE, head, "smirk")


def test_eyes_look_together_and_where_they_are_told() -> None:
    for right, up in ((0.5, -0.25), (-1.0, 1.0), (0.0, 0.0)):
        head = TABLE.validate(looking(TABLE, TABLE.default(), right, up))[0]
        assert gaze_of(TABLE, head) == pytest.approx((right, up))
    vertices = PERSON.forward(looking(TABLE, TABLE.default(), 1.0, 0.0))[0]
    still = PERSON.forward(TABLE.default())[0]
    for side in ("left", "right"):
        cornea = PERSON.surface.vertices_of(f"cornea_{side}")
        assert (vertices[cornea] - still[cornea])[:, 0].mean() > 0.001, "to the picture's right"


@pytest.mark.parametrize("kind", ["hair", "brows", "beard"])
def test_a_style_is_known_by_its_parameters(kind: str) -> None:
    for name in PERSON.named_styles[kind]:
        head = styled(PERSON, TABLE.default(), kind, name)
        assert name_of_style(PERSON, head, kind, EVERYTHING) == name
    assert name_of_style(PERSON, TABLE.default(), kind, EVERYTHING) == ""
    assert name_of_style(PERSON, head, kind, ~EVERYTHING) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_colour_is_taken_and_known_again(kind: str) -> None:
    for swatch in swatches(kind):
        head = TABLE.validate(painted(TABLE, TABLE.default(), kind, swatch.name))[0]
        values = {name: float(head[TABLE.index(name)]) for name in swatch.values}
        assert nearest(values, kind) == swatch.name
        assert all(0.0 <= channel <= 1.0 for channel in swatch.rgb)
    with pytest.raises(UserError, match="choose from"):
        painted(TABLE, TABLE.default(), kind, "Plaid")


def test_skins_go_from_the_fairest_to_the_darkest() -> None:
    greens = [swatch.rgb[1] for swatch in swatches("skin")]
    assert greens == sorted(greens, reverse=True) and greens[0] > 2 * greens[-1]


@pytest.mark.parametrize("model", MODELS)
def test_each_parameter_has_one_section_and_sections_one_panel(model: str) -> None:
    table = load_head_model(model).table
    shown = [
        section for panel in (WHO, FACE, HAIR, EXPRESSION) for section in sections(table, panel)
    ]
    columns = np.concatenate([section_columns(table, section.key) for section in shown])
    assert sorted(columns) == list(range(len(table)))
    with pytest.raises(UserError, match="unknown section 'hat'"):
        section_columns(table, "hat")


@pytest.mark.parametrize("model", MODELS)
def test_sliders_of_a_section_have_labels_of_their_own(model: str) -> None:
    rows = load_head_model(model).table.parameters
    labels = [(section_of(row), words_of(row).label) for row in rows]
    assert len(set(labels)) == len(rows)


def test_sliders_of_person_are_in_words_of_people() -> None:
    named = [row for row in TABLE.parameters if row.group not in ("expression", "pose")]
    assert all(row.name in WORDS or is_asymmetry(row) for row in named)
    assert words_of(TABLE.parameters[TABLE.index("nose_curve_convex")]).ends == "dished to hooked"
    assert all(words.low and words.high for words in WORDS.values())


def test_years_are_those_that_are_drawn() -> None:
    assert years(np.array([age_of(47.0)]))[0] == pytest.approx(47.0)


def test_components_of_flame_have_no_named_expressions() -> None:
    assert has_units(load_head_model("open_flame").table)
    flame = [row for row in TABLE.parameters if row.group != "expression"]
    assert not has_units(type(TABLE)(flame))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads measured and corrected, with a made-up F and once with the real one."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np
import pytest

from facegen_addon.encoders.encoder import Encoder, same_face_threshold
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.latent.sphere import angle, cosine_distance, normalise
from facegen_addon.mapping.approach import Answer
from facegen_addon.mapping.correction import compensated
from facegen_addon.scene.head import latents, locks
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.latents import Latents
from facegen_addon.scene.workflows import measure
from facegen_addon.scene.workflows.measure import Outcome, Work

MODEL = load_head_model("anny")
TABLE = MODEL.table
WEIGHT = TABLE.index("weight")
E = np.eye(512, dtype=np.float32)


def add_head(name: str, model: str = "anny") -> HeadObject:
    head = HeadObject.create(load_head_model(model), bpy.context.collection, subdivision=0)
    head.mesh_object.name = name
    return head


def turned(radians: float, towards: int = 1) -> np.ndarray:
    return (np.cos(radians) * E[0] + np.sin(radians) * E[towards]).astype(np.float32)


def fake(embed: Callable[[np.ndarray], np.ndarray]) -> measure.OpenForward:
    @contextmanager
    def open_forward(_: object) -> Iterator[measure.Forward]:
        yield embed

    return open_forward


def by_weight(parameters: np.ndarray) -> np.ndarray:
    """F that turns with one slider: from E[0] by as many radians as its value."""
    return turned(float(parameters[WEIGHT]))


def heavy(weight: float) -> measure.LoadBackward:
    """B that answers every latent with the mean head, but for one slider."""
    mean = TABLE.default()
    mean[WEIGHT] = weight
    answer = TABLE.standardise(mean)
    return lambda model: lambda held, z: lambda asked, _: np.where(held, z, answer)


def finish(work: Work) -> list[Outcome]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_measuring_keeps_what_was_requested_and_adds_what_came_back() -> None:
    heads = [add_head("A"), add_head("B")]
    latents.store(heads[0].mesh_object, Latents(requested=E[0]))
    weight = heads[0].parameters[WEIGHT]
    outcomes = finish(measure.measure([h.head_id for h in heads], fake(by_weight)))
    known = [latents.read(head.mesh_object) for head in heads]
    np.testing.assert_allclose(known[0].achieved, turned(weight), atol=1e-6)
    np.testing.assert_allclose(known[0].requested, E[0])
    assert known[1].requested is None and known[1].achieved is not None
    by_name = {outcome.name: outcome for outcome in outcomes}
    assert by_name["A"].before is None
    assert by_name["A"].after == pytest.approx(1 - np.cos(weight), abs=1e-6)
    assert by_name["B"].after is None and not by_name["B"].problem


def test_a_head_whose_hair_was_deleted_is_measured() -> None:
    head = add_head("Bald")
    bpy.data.objects.remove(head.hair_object)
    (outcome,) = finish(measure.measure([head.head_id], fake(by_weight)))
    assert not outcome.problem
    assert latents.read(head.mesh_object).achieved is not None


def test_nothing_changes_before_the_last_head_is_done() -> None:
    heads = [add_head("A"), add_head("B")]
    work = measure.measure([h.head_id for h in heads], fake(by_weight))
    assert [next(work), next(work)] == [1, 2]
    work.close()
    assert [latents.read(head.mesh_object) for head in heads] == [Latents(), Latents()]


def test_each_model_is_opened_once() -> None:
    opened = []

    @contextmanager
    def open_forward(model: object) -> Iterator[measure.Forward]:
        opened.append(model.name)  # type: ignore[attr-defined]
        yield lambda parameters: E[0]
        opened.append("closed")

    kinds = ("anny", "open_flame", "anny")
    ids = [add_head(str(i), kind).head_id for i, kind in enumerate(kinds)]
    finish(measure.measure(ids, open_forward))
    assert opened == ["anny", "closed", "open_flame", "closed"]


def test_a_head_that_shows_no_face_is_named_and_the_others_are_measured() -> None:
    heads = [add_head("Turned"), add_head("Straight")]
    parameters = heads[0].parameters
    parameters[WEIGHT] = 0.9
    heads[0].set_parameters(parameters)

    def embed(parameters: np.ndarray) -> np.ndarray:
        if parameters[WEIGHT] == 0.9:
            raise RejectedSample("the head does not show its face")
        return E[0]

    outcomes = finish(measure.measure([h.head_id for h in heads], fake(embed)))
    assert {o.name: o.problem for o in outcomes} == {
        "Turned": "the head does not show its face",
        "Straight": "",
    }
    assert latents.read(heads[0].mesh_object).achieved is None
    assert latents.read(heads[1].mesh_object).achieved is not None


def test_a_head_that_moves_meanwhile_is_not_given_anothers_latent() -> None:
    head = add_head("A")
    work = measure.measure([head.head_id], fake(by_weight))
    next(work)
    parameters = head.parameters
    parameters[WEIGHT] = 0.9
    head.set_parameters(parameters)
    (outcome,) = finish(work)
    assert "it moved meanwhile" in outcome.problem
    assert latents.read(head.mesh_object) == Latents()


def corrected(head: HeadObject, weight: float) -> Outcome:
    (outcome,) = finish(measure.correct([head.head_id], fake(by_weight), heavy(weight)))
    return outcome


def test_a_correction_that_is_nearer_moves_the_head_and_keeps_where_it_began() -> None:
    head = add_head("A")
    began = by_weight(head.parameters)
    latents.store(head.mesh_object, Latents(requested=E[0], achieved=began))
    outcome = corrected(head, 0.1)
    known = latents.read(head.mesh_object)
    assert head.parameters[WEIGHT] == pytest.approx(0.1)
    np.testing.assert_allclose(known.achieved, turned(0.1), atol=1e-6)
    np.testing.assert_allclose(known.before, began, atol=1e-6)
    assert outcome.improved
    assert outcome.before == pytest.approx(cosine_distance(E[0], began), abs=1e-6)
    assert corrected(head, 0.05).improved
    np.testing.assert_allclose(latents.read(head.mesh_object).before, began, atol=1e-6)


def test_the_shift_never_grows() -> None:
    head = add_head("A")
    latents.store(head.mesh_object, Latents(requested=E[0]))
    parameters = head.parameters
    outcome = corrected(head, 0.9)
    known = latents.read(head.mesh_object)
    assert not outcome.improved and not outcome.problem
    np.testing.assert_array_equal(head.parameters, parameters)
    np.testing.assert_allclose(known.achieved, by_weight(parameters), atol=1e-6)
    assert known.before is None


def test_expression_pose_and_locked_sliders_stay() -> None:
    head = add_head("A")
    parameters = head.parameters
    parameters[TABLE.index("jawOpen")] = 0.4
    parameters[TABLE.index("age")] = 0.8
    head.set_parameters(parameters)
    locks.set_locked(head.mesh_object, ["age"], True)
    latents.store(head.mesh_object, Latents(requested=E[0]))
    assert corrected(head, 0.1).improved
    expected = TABLE.default()
    for name in ("jawOpen", "age"):
        expected[TABLE.index(name)] = parameters[TABLE.index(name)]
    expected[WEIGHT] = 0.1
    np.testing.assert_allclose(head.parameters, expected)


def test_a_head_without_a_request_is_left_alone() -> None:
    head = add_head("A")
    outcome = corrected(head, 0.1)
    assert "no latent was asked for" in outcome.problem
    np.testing.assert_array_equal(head.parameters, TABLE.default())


def test_a_locked_slider_alone_keeps_the_head() -> None:
    head = add_head("A")
    locks.set_locked(head.mesh_object, ["weight"], True)
    latents.store(head.mesh_object, Latents(requested=E[0]))
    assert not corrected(head, 0.1).improved


def test_neighbours_are_the_nearest_and_the_farthest_of_the_measured() -> None:
    objects = [add_head(name).mesh_object for name in ("Own", "Twin", "Middle", "Far", "Unknown")]
    for mesh_object, radians in zip(objects, (0.0, 0.3, 1.2, 2.0), strict=False):
        latents.store(mesh_object, Latents(achieved=turned(radians)))
    near, far = measure.neighbours(objects[0], bpy.context.scene.objects)
    assert (near.name, far.name) == ("Twin", "Far")
    assert near.distance == pytest.approx(1 - np.cos(0.3), abs=1e-6)
    assert near.same_face and not far.same_face
    assert 1 - np.cos(0.3) < same_face_threshold() < 1 - np.cos(1.2)
    assert measure.neighbours(objects[4], bpy.context.scene.objects) is None
    assert measure.neighbours(objects[0], objects[:1]) is None


def test_at_rest_is_neutral_in_expression_and_pose_only() -> None:
    parameters = TABLE.default()
    parameters[WEIGHT] = 0.9
    assert measure.at_rest(TABLE, parameters)
    parameters[TABLE.index("jawOpen")] = 0.1
    assert not measure.at_rest(TABLE, parameters)


def test_b_makes_up_for_what_is_locked(rng: np.random.Generator) -> None:
    backward = measure.loaded_backward(MODEL)
    z = 0.3 * rng.standard_normal((1, len(TABLE.guided))).astype(np.float32)
    held = np.zeros(len(TABLE.guided), bool)
    latent = normalise(rng.standard_normal((1, 512))).astype(np.float32)
    free = backward(held, z[0])(latent, z)
    held[TABLE.guided_groups()["nose"]] = True
    bound = backward(held, z[0])(latent, z)
    np.testing.assert_array_equal(bound[:, held], z[:, held])
    assert np.abs(free - z)[:, held].max() > 0.01
    assert np.abs(bound - free)[:, ~held].max() > 0.01


def test_half_a_step_is_asked_for_starting_from_the_head() -> None:
    """B is told the head's own z, what stays, and half of what would compensate."""
    head, told = add_head("A"), []

    def load(model: object) -> measure.Backward:
        def near(held: np.ndarray, z: np.ndarray) -> Answer:
            def answer(asked: np.ndarray, start: np.ndarray) -> np.ndarray:
                told.append((held, z, asked, start))
                return start

            return answer

        return near

    locks.set_locked(head.mesh_object, ["age"], True)
    parameters = head.parameters
    parameters[WEIGHT] = 0.6
    head.set_parameters(parameters)
    latents.store(head.mesh_object, Latents(requested=E[0]))
    finish(measure.correct([head.head_id], fake(by_weight), load))
    ((held, z, asked, start),) = told
    own = TABLE.standardise(head.parameters)
    np.testing.assert_allclose(start, own, atol=1e-5)
    np.testing.assert_allclose(z, own[0])
    assert [TABLE.names[i] for i in TABLE.guided[held]] == ["age"]
    whole = compensated(E[0], by_weight(parameters))
    np.testing.assert_allclose(angle(E[0], asked), angle(E[0], whole) / 2, atol=1e-4)
    assert asked[0, 1] < 0 < by_weight(parameters)[1]


def test_the_real_f_sees_the_same_head_as_the_same_and_cleans_up() -> None:
    try:
        Encoder.load()
    except UserError as missing:
        pytest.skip(str(missing))
    head, twin, other = add_head("A"), add_head("Twin"), add_head("Other")
    parameters = MODEL.sample_prior(np.random.default_rng(5), 1)[0]
    other.set_parameters(parameters)
    scenes, objects = len(bpy.data.scenes), len(bpy.data.objects)
    ids = [head.head_id, twin.head_id, other.head_id]
    outcomes = finish(measure.measure(ids, measure.rendered_forward("CPU")))
    assert len(outcomes) == 3
    assert (len(bpy.data.scenes), len(bpy.data.objects)) == (scenes, objects)
    near, far = measure.neighbours(head.mesh_object, bpy.context.scene.objects)
    assert (near.name, far.name) == ("Twin", "Other")
    assert near.distance == pytest.approx(0.0, abs=1e-5)
    assert far.distance > 0.1
    achieved = latents.read(other.mesh_object).achieved
    np.testing.assert_allclose(achieved, normalise(achieved), atol=1e-5)


@pytest.mark.parametrize("text", ["", "garbage", "[1, 2]", '{"achieved": [1.0]}', 7])
def test_latents_that_somebody_edited_are_not_known(text: object) -> None:
    head = HeadObject.create(load_head_model(DEFAULT_FLAME), bpy.context.scene.collection, 0)
    head.mesh_object[latents.LATENTS_KEY] = text
    assert latents.read(head.mesh_object) == latents.Latents()
    assert not latents.moved_since(head.mesh_object)


@pytest.mark.parametrize(
    "edited",
    [{"achieved": [1, 2]}, {"achieved": "x"}, {"requested": None}, {"before": [np.nan] * 512},
     {"other": [1.0] * 512}],
)  # fmt: skip
def test_latents_that_are_none_are_not_known(edited: dict[str, object]) -> None:
    head = HeadObject.create(load_head_model(DEFAULT_FLAME), bpy.context.scene.collection, 0)
    latents.store(head.mesh_object, Latents())
    content = json.loads(head.mesh_object[latents.LATENTS_KEY])
    head.mesh_object[latents.LATENTS_KEY] = json.dumps({**content, **edited})
    assert latents.read(head.mesh_object) == Latents()


def test_a_shift_of_nothing_is_zero_whatever_rounding_does(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((500, 512)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    shifts = [Latents(requested=row, achieved=row).shift for row in rows]
    assert min(shifts) == 0.0 and max(shifts) < 1e-6  # type: ignore[type-var]

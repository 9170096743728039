# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories of heads: exact, apart from Blender's undo, saved with the file."""

import json
import logging
from pathlib import Path

import bpy
import numpy as np
import pytest

import facegen_addon
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.scene.head import history
from facegen_addon.scene.head.head_object import PARAMETERS_KEY, HeadObject
from facegen_addon.scene.head.latents import (
    LATENTS_KEY,
    SEED_KEY,
    Latents,
    read,
    store,
    store_achieved,
)

MODEL = load_head_model("anny")
LATENT = np.eye(512, dtype=np.float32)


@pytest.fixture
def head() -> HeadObject:
    return HeadObject.create(MODEL, bpy.context.collection, subdivision=0)


def sample(head: HeadObject, seed: int) -> np.ndarray:
    """As a sampling operator does it."""
    history.before_change(head)
    parameters = MODEL.sample_prior(np.random.default_rng(seed), 1)[0]
    head.set_parameters(parameters)
    store(head.mesh_object, Latents(requested=LATENT[seed % 512]))
    head.mesh_object[SEED_KEY] = seed
    history.record(head, f"Sampled {seed}")
    return parameters


def labels(head: HeadObject) -> list[str]:
    return [entry.label for entry in history.history_of(head.mesh_object).entries]


def move(head: HeadObject, name: str, value: float) -> np.ndarray:
    """As a slider does it."""
    parameters = head.parameters
    parameters[MODEL.table.index(name)] = value
    head.move_to(parameters)
    return parameters


def positions(head: HeadObject) -> bytes:
    values = np.empty(3 * len(head.mesh_object.data.vertices), np.float32)
    head.mesh_object.data.attributes["position"].data.foreach_get("vector", values)
    return values.tobytes()


def test_steps_back_and_forward_are_exact(head: HeadObject) -> None:
    states = [(head.parameters, positions(head))]
    for seed in (1, 2):
        states.append((sample(head, seed), positions(head)))
    assert labels(head) == ["Added", "Sampled 1", "Sampled 2"]
    for by, expected in ((-1, 1), (-1, 0), (1, 1), (1, 2)):
        history.step(head, by)
        assert np.array_equal(head.parameters, states[expected][0])
        assert positions(head) == states[expected][1]
        assert history.position(head.mesh_object) == expected


def test_seed_and_latents_come_back_with_their_head(head: HeadObject) -> None:
    sample(head, 1)
    store_achieved(head.mesh_object, LATENT[7])  # measured after it was recorded
    sample(head, 2)
    history.step(head, -1)
    assert head.mesh_object[SEED_KEY] == 1
    np.testing.assert_array_equal(read(head.mesh_object).requested, LATENT[1])
    np.testing.assert_array_equal(read(head.mesh_object).achieved, LATENT[7])
    history.step(head, -1)
    assert SEED_KEY not in head.mesh_object and LATENTS_KEY not in head.mesh_object


def test_going_where_the_head_stands_already(head: HeadObject) -> None:
    parameters = sample(head, 1)
    store_achieved(head.mesh_object, LATENT[7])
    history.go(head, 1)
    assert np.array_equal(head.parameters, parameters) and head.mesh_object[SEED_KEY] == 1
    np.testing.assert_array_equal(read(head.mesh_object).achieved, LATENT[7])


def test_coming_back_by_hand_loses_no_measurement(head: HeadObject) -> None:
    store_achieved(head.mesh_object, LATENT[7])
    sample(head, 1)
    head.move_to(MODEL.table.default())  # as Reset does it; the seed is that of the sample still
    history.before_change(head)
    first = history.history_of(head.mesh_object).entries[0]
    assert first.seed is None
    np.testing.assert_array_equal(first.latents.achieved, LATENT[7])


def test_either_end_and_no_such_entry(head: HeadObject) -> None:
    sample(head, 1)
    with pytest.raises(UserError, match="'Head' is at the latest of its history"):
        history.step(head, 1)
    history.step(head, -1)
    with pytest.raises(UserError, match="'Head' is at the oldest of its history"):
        history.step(head, -1)
    for index in (-1, 2):
        with pytest.raises(UserError, match=f"2 entries .* no entry {index + 1}"):
            history.go(head, index)


def test_what_sliders_made_is_not_lost(head: HeadObject) -> None:
    sample(head, 1)
    edited = move(head, "weight", 0.9)
    assert history.position(head.mesh_object) is None
    history.step(head, -1)
    assert labels(head) == ["Added", "Sampled 1", "Edited"]
    assert history.position(head.mesh_object) == 1
    history.step(head, 1)
    assert np.array_equal(head.parameters, edited)


def test_a_step_back_leads_where_the_head_came_from(head: HeadObject) -> None:
    for seed in (1, 2, 3):
        sample(head, seed)
    history.go(head, 1)
    came_from = head.parameters
    sample(head, 4)
    assert labels(head) == ["Added", "Sampled 1", "Sampled 4", "Sampled 2", "Sampled 3"]
    history.step(head, -1)
    assert np.array_equal(head.parameters, came_from)


def test_a_head_that_did_not_change_adds_nothing(head: HeadObject) -> None:
    sample(head, 1)
    history.before_change(head)
    history.record(head, "Nearby 0°")
    assert labels(head) == ["Added", "Sampled 1"]


def test_fifty_are_kept_and_the_starred(head: HeadObject) -> None:
    sample(head, 0)
    assert history.star(head)  # the head as it is
    for value in np.linspace(0.1, 0.9, 60):
        history.before_change(head)
        move(head, "weight", value)
        history.record(head, f"{value:.3f}")
    entries = history.history_of(head.mesh_object).entries
    assert len(entries) == history.KEPT + 1
    assert entries[0].label == "Sampled 0" and entries[0].starred
    assert [entry.label for entry in entries[1:]] == [
        f"{v:.3f}" for v in np.linspace(0.1, 0.9, 60)[10:]
    ]
    assert history.position(head.mesh_object) == history.KEPT
    assert not history.star(head, 0)  # off again
    assert history.forget(head) == history.KEPT
    assert labels(head) == ["0.900"]


def test_undo_moves_the_head_but_not_its_history(head: HeadObject) -> None:
    bpy.ops.ed.undo_push(message="add")
    head_id = head.head_id
    for seed in (1, 2):
        sample(HeadObject.find(head_id), seed)
        bpy.ops.ed.undo_push(message="sample")
    bpy.ops.ed.undo()
    head = HeadObject.find(head_id)
    assert head.mesh_object[SEED_KEY] == 1
    assert labels(head) == ["Added", "Sampled 1", "Sampled 2"]
    assert history.position(head.mesh_object) == 1
    history.step(head, 1)
    assert head.mesh_object[SEED_KEY] == 2


def test_deleted_and_brought_back_by_undo(head: HeadObject) -> None:
    sample(head, 1)
    head_id = head.head_id
    bpy.ops.ed.undo_push(message="sample")
    bpy.data.objects.remove(head.mesh_object)
    bpy.ops.ed.undo_push(message="delete")
    bpy.ops.ed.undo()
    assert labels(HeadObject.find(head_id)) == ["Added", "Sampled 1"]


def test_saved_with_the_file(head: HeadObject, tmp_path: Path) -> None:
    first = sample(head, 1)
    history.star(head)
    sample(head, 2)
    history.step(head, -1)
    head_id, path = head.head_id, str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = HeadObject.find(head_id)
    found = history.history_of(head.mesh_object)
    assert labels(head) == ["Added", "Sampled 1", "Sampled 2"]
    assert [entry.starred for entry in found.entries] == [False, True, False]
    assert (found.cursor, found.entries[1].seed) == (1, 1)
    assert found.entries[1].parameters.tobytes() == first.tobytes()
    assert found.entries[2].latents.requested.tobytes() == LATENT[2].tobytes()


def test_what_was_not_saved_is_gone_with_the_reverted_file(
    head: HeadObject, tmp_path: Path
) -> None:
    sample(head, 1)
    head_id, path = head.head_id, str(tmp_path / "heads.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    sample(head, 2)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert labels(HeadObject.find(head_id)) == ["Added", "Sampled 1"]


def test_disabling_and_enabling_the_add_on_keeps_histories(head: HeadObject) -> None:
    sample(head, 1)
    facegen_addon.unregister()
    facegen_addon.register()
    assert labels(HeadObject.of(head.mesh_object)) == ["Added", "Sampled 1"]


def test_a_copy_goes_on_from_its_source(head: HeadObject) -> None:
    sample(head, 1)
    copied = head.mesh_object.copy()
    copied.data = copied.data.copy()
    bpy.context.collection.objects.link(copied)
    pair = [HeadObject.of(head.mesh_object), HeadObject.of(copied)]
    assert pair[0].head_id != pair[1].head_id
    sample(pair[1], 2)
    assert labels(pair[1]) == ["Added", "Sampled 1", "Sampled 2"]
    assert labels(pair[0]) == ["Added", "Sampled 1"]


def test_a_saved_history_that_is_damaged_is_said_and_left(
    head: HeadObject, caplog: pytest.LogCaptureFixture
) -> None:
    sample(head, 1)
    history.write_all()
    fine = str(head.mesh_object[history.HISTORY_KEY])
    other = json.loads(fine) | {"cursor": 9}
    shorter = json.loads(fine)
    shorter["entries"][0]["parameters"] = shorter["entries"][1]["latents"]["requested"]
    endless = json.dumps(json.loads(fine) | {"cursor": float("inf")})
    listed = json.loads(fine)
    listed["entries"][0]["latents"] = []
    damaged = (fine[:-9], "", 7, "[]", "{}", endless, *map(json.dumps, (other, shorter, listed)))
    for text in damaged:
        head.mesh_object[history.HISTORY_KEY] = text
        history.unregister()  # forgets, as another Blender would not know it
        history.register()
        head.mesh_object[history.HISTORY_KEY] = text
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert labels(head) == []
        assert "head 'Head': its saved history is damaged" in caplog.text
        assert "\n" not in caplog.messages[0]


def test_a_head_of_another_version_is_refused(head: HeadObject) -> None:
    sample(head, 1)
    head.mesh_object[PARAMETERS_KEY] = [0.0, 1.0]
    assert history.position(head.mesh_object) is None
    with pytest.raises(UserError, match="made with another version"):
        history.step(head, -1)

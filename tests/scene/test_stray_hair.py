# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair whose head was deleted."""

import bpy

from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.head.stray_hair import remove_stray_hair, stray_hair


def add() -> HeadObject:
    return HeadObject.create(load_head_model(DEFAULT_FLAME), bpy.context.scene.collection, 0)


def test_the_hair_of_a_deleted_head_goes_and_no_other() -> None:
    gone, kept = add(), add()
    strands = gone.hair_object.data.name
    bpy.data.objects.remove(gone.mesh_object)
    assert stray_hair() == [gone.hair_object]
    remove_stray_hair()
    assert not stray_hair()
    assert strands not in bpy.data.hair_curves
    assert kept.hair_object.name in bpy.data.objects


def test_hair_taken_off_its_head_by_hand_stays() -> None:
    head = add()
    head.hair_object.parent = None
    remove_stray_hair()
    assert head.hair_object.name in bpy.data.objects

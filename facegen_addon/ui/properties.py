# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders: real RNA properties on the head's object, made from its model's parameter table.

Each model has a PropertyGroup of its own, registered when the first head of the model needs it, so
that files of arbitrary FLAME models have sliders that can be keyframed and driven. The head's
parameters, kept in double precision beside them, are the truth; sliders show them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import bpy
import numpy as np
from bpy.props import (
    BoolProperty,
    FloatProperty,
    PointerProperty,
    StringProperty,
)

from ..arrays import Float32Array, FloatArray
from ..blas_threads import one_thread
from ..errors import UserError
from ..heads.catalogue import DEFAULT_MODEL, HEAD_MODELS
from ..heads.flame_person.head import LIKE_PERSON
from ..heads.head_model import HeadModel
from ..heads.parameters import Parameter, ParameterTable
from ..heads.plain_words import words_of
from ..mapping import influence, ranking
from ..mapping.influence import Influence, SliderInfluence
from ..mapping.ranking import Ranking
from ..scene.head import completion, locks
from ..scene.head.animation import sliders_name
from ..scene.head.head_object import (
    MODEL_KEY,
    PARAMETERS_KEY,
    HeadObject,
    add_listener,
    edited_part,
    remove_listener,
)
from . import characteristics, preferences, shipped_pictures, thumbnails
from .remedies import explain
from .short_lists import view_property
from .slider_words import describe

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sliders:
    """The sliders of one model: its PropertyGroup and what is known of their influence.

    characteristics: the PropertyGroup of these; None where the model has none. ranking: by the
    visual variety they make; None where they are not ranked.
    """

    model: HeadModel
    group: type
    characteristics: type | None
    influence: Influence | None
    ranking: Ranking | None = None


_Found = TypeVar("_Found")

_sliders: dict[str, Sliders] = {}
_missing: dict[str, str] = {}
_quiet = False
_shows_already = False


def sliders_of(mesh_object: bpy.types.Object) -> Any | None:
    """The slider values of a head's object; None where its model is not loaded."""
    model_name = mesh_object.get(MODEL_KEY)
    return getattr(mesh_object, sliders_name(model_name), None) if model_name else None


def model_sliders(model_name: str) -> Sliders | None:
    """The sliders of a model; None where it is not loaded."""
    return _sliders.get(model_name)


def missing_model(model_name: str) -> str:
    """Why a model could not be loaded; empty if that was not tried or went well."""
    return _missing.get(model_name, "")


def ensure_sliders(model: HeadModel) -> None:
    """Register the sliders of a model, once."""
    if model.name in _sliders:
        return
    figures = _unless_damaged(lambda: influence.load(model.name, model.table))
    ranked = _unless_damaged(lambda: ranking.stored_ranking(model))
    group = _property_group(model, figures)
    _hang(sliders_name(model.name), group)
    described = _unless_damaged(
        lambda: characteristics.property_group(model, _characteristic_moved)
    )
    if described is not None:
        _hang(characteristics.group_name(model.name), described)
    _sliders[model.name] = Sliders(model, group, described, figures, ranked)
    shipped_pictures.prepare()
    first = first_figure(model.table, figures) if figures else None
    if first is not None:
        thumbnails.prepare(model.name, first)
    _missing.pop(model.name, None)


def _hang(name: str, group: type) -> None:
    """Register a PropertyGroup, and have every object point to one by this name."""
    bpy.utils.register_class(group)
    setattr(bpy.types.Object, name, PointerProperty(type=group))


def _unless_damaged(load: Callable[[], _Found | None]) -> _Found | None:
    """The result of ``load``; None, with a warning, if its file is damaged: sliders do without."""
    try:
        return load()
    except UserError as error:
        _logger.warning("%s", explain(error))
        return None


def keep_ranking(model_name: str, ranked: Ranking) -> None:
    """Have the sliders of a model know a ranking that was made meanwhile, if they are shown."""
    if model_name in _sliders:
        _sliders[model_name] = replace(_sliders[model_name], ranking=ranked)


def first_figure(table: ParameterTable, figures: Influence) -> SliderInfluence | None:
    """The figure that the panel begins with: of the most influential guided slider, if any."""
    guided = {table.names[column] for column in table.guided}
    ranked = figures.ranked()
    return next((figure for figure in ranked if figure.name in guided), next(iter(ranked), None))


def _property_group(model: HeadModel, figures: Influence | None) -> type:
    properties = {
        parameter.name: _property(model.name, parameter, figures)
        for parameter in model.table.parameters
    }
    name = f"FACEGEN_PG_{sliders_name(model.name).removeprefix('facegen_')}"
    return type(name, (bpy.types.PropertyGroup,), {"__annotations__": properties})


def _property(model_name: str, parameter: Parameter, figures: Influence | None) -> Any:
    def changed(self: Any, context: bpy.types.Context) -> None:
        if not _quiet:
            _slider_moved(self, context, model_name, parameter.name)

    return FloatProperty(
        name=words_of(parameter).label,
        description=describe(parameter, figures),
        default=parameter.mean,
        min=parameter.minimum,
        max=parameter.maximum,
        subtype="ANGLE" if parameter.unit == "rad" else "NONE",
        precision=2,
        update=changed,
    )


def obstacle(mesh_object: bpy.types.Object, model: HeadModel) -> str:
    """Why sliders cannot move this head now; empty if they can."""
    if mesh_object.type == "MESH" and mesh_object.data.is_editmode:
        return "leave edit mode to move the sliders"
    edited = edited_part(mesh_object, model)
    if edited == "mesh":
        return "its mesh has been edited and no longer fits its model: add a new head"
    if edited == "hair":
        return "its hair has been edited and no longer fits its model: delete the hair"
    if mesh_object.data.shape_keys is not None:
        return "its shape keys hold its skin in place: remove them to move the sliders"
    if len(mesh_object[PARAMETERS_KEY]) != len(model.table):
        return "it was made with another version of its model: add a new head"
    return ""


def _slider_moved(values: Any, context: bpy.types.Context, model_name: str, name: str) -> None:
    """Have the head follow one slider."""

    def with_slider(head: HeadObject) -> FloatArray:
        parameters = head.parameters
        column = head.model.table.index(name)
        parameters[column] = _within(head.model, column, getattr(values, name))
        return parameters

    with _showing():
        moved = move(values.id_data, model_name, with_slider)
    if moved:
        choose_slider(context.window_manager, model_name, name)


def _characteristic_moved(
    mesh_object: bpy.types.Object, model_name: str, name: str, value: float
) -> None:
    """Have the head take a characteristic's value: what is locked or pinned stays."""

    def with_value(head: HeadObject) -> FloatArray:
        known = head.model.characteristics
        assert known is not None, "its sliders would not be there"
        held = locks.pinned(mesh_object) & set(known.names)
        if bpy.context.window_manager.facegen.others_stay:
            held |= known.others({name})
        locked = locks.locked(mesh_object, known.table)
        return known.changed(head.parameters, {name: value}, held, locked)

    move(mesh_object, model_name, with_value)


@one_thread()
def move(
    mesh_object: bpy.types.Object, model_name: str, wanted: Callable[[HeadObject], FloatArray]
) -> bool:
    """Give a head of this model the parameters (P,) that are wanted; whether it has them."""
    if mesh_object.get(MODEL_KEY) != model_name:
        return False
    try:
        head = HeadObject.of(mesh_object)
        if obstacle(mesh_object, head.model):  # the panel says so
            return False
        head.move_to(wanted(head), complete=not completion.waits())
        completion.complete_soon()
    except UserError as error:
        _logger.error("%s", explain(error))
        return False
    return True


def _within(model: HeadModel, column: int, value: float) -> float:
    """A slider's value in single precision, where rounding may leave the parameter's range."""
    table = model.table
    return float(np.clip(value, table.minimum[column], table.maximum[column]))


def choose_slider(window_manager: bpy.types.WindowManager, model_name: str, name: str) -> bool:
    """Show the pictures of this slider in the panel; returns whether there are any."""
    window_manager.facegen.slider = name
    sliders = _sliders.get(model_name)
    figure = sliders.influence.slider(name) if sliders and sliders.influence else None
    if figure is not None:
        thumbnails.prepare(model_name, figure)
    return figure is not None


@contextmanager
def _showing() -> Iterator[None]:
    """Within it heads move to what their sliders show already, which need not be compared."""
    global _shows_already
    _shows_already = True
    try:
        yield
    finally:
        _shows_already = False


@contextmanager
def _quietly() -> Iterator[None]:
    """Within it sliders are written without moving the head."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def show_parameters(head: HeadObject) -> None:
    """Have the sliders of a head show its parameters."""
    if _shows_already:
        return
    ensure_sliders(head.model)
    values = sliders_of(head.mesh_object)
    assert values is not None, "registered in the line before"
    parameters = head.parameters
    shown = _shown(values, head.model)
    with _quietly():
        for column in np.flatnonzero(parameters.astype(np.float32) != shown):
            setattr(values, head.model.table.names[column], parameters[column])


def _shown(values: Any, model: HeadModel) -> Float32Array:
    """The values (P,) that sliders show, single precision."""
    return np.array([getattr(values, name) for name in model.table.names], np.float32)


def follow_animation(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Have animated and driven heads of a scene follow their sliders, as evaluated.

    While frames are rendered from Blender's window that happens in the render's thread: Blender
    must not draw the heads meanwhile, so the scene's interface is locked as long as it renders.
    """
    for mesh_object in list(scene.objects):
        if mesh_object.animation_data is None or MODEL_KEY not in mesh_object:
            continue
        values = sliders_of(mesh_object.evaluated_get(depsgraph))
        if values is None:
            continue
        try:
            head = HeadObject.of(mesh_object)
            if not obstacle(mesh_object, head.model):
                scene.render.use_lock_interface = True
                _follow(head, values)
        except UserError as error:
            _logger.error("%s", explain(error))


def _follow(head: HeadObject, values: Any) -> None:
    parameters = head.parameters
    shown = _shown(values, head.model)
    moved = np.flatnonzero(parameters.astype(np.float32) != shown)
    if len(moved):
        for column in moved:
            parameters[column] = _within(head.model, column, shown[column])
        head.move_to(parameters)


def adopt_heads() -> None:
    """Give the heads of an opened file their sliders; a model that is missing is noted.

    A head keeps all its data when its model is missing: it comes back when the model does.
    """
    _missing.clear()
    for mesh_object in bpy.data.objects:
        model_name = mesh_object.get(MODEL_KEY)
        if model_name is None or model_name in _missing or not mesh_object.is_editable:
            continue
        try:
            show_parameters(HeadObject.of(mesh_object))
        except UserError as error:
            _missing[model_name] = explain(error)
            _logger.error("%s", explain(error))


def suggest_models(owner: Any, context: bpy.types.Context, text: str) -> list[str]:
    """Head models, and FLAME files of the preferences, that contain ``text``; all of them while
    it is a whole name."""
    files = [str(path) for path in preferences.flame_files()]
    choices = [*HEAD_MODELS, *files, *(file + LIKE_PERSON for file in files)]
    found = [name for name in choices if text.lower() in name.lower()]
    return [text, *(name for name in choices if name != text)] if text in found else found


def model_property() -> Any:
    """A choice of head models: names are suggested, but the path of any FLAME file will do."""
    return StringProperty(
        name="Model",
        description="Name of a head model, or path of a FLAME file",
        default=DEFAULT_MODEL,
        search=suggest_models,
        search_options={"SUGGESTION"},
    )


class FACEGEN_PG_panel(bpy.types.PropertyGroup):
    """The panel's settings while Blender runs; nothing of them is saved."""

    model: model_property()  # type: ignore[valid-type]
    search: StringProperty(  # type: ignore[valid-type]
        name="Search",
        description="Show only sliders whose name contains these words",
        options={"TEXTEDIT_UPDATE"},
    )
    view: view_property()  # type: ignore[valid-type]
    show_all: BoolProperty(  # type: ignore[valid-type]
        name="Show All", description="Show all sliders of long groups, too"
    )
    others_stay: BoolProperty(  # type: ignore[valid-type]
        name="Others Stay",
        description="Moving a characteristic leaves the others of its kind alone, as age leaves sex"
        " and the width of a nose its length; else they change as they do among people. What is"
        " pinned stays in any case",
        default=True,
    )
    slider: StringProperty(name="Slider")  # type: ignore[valid-type]


@bpy.app.handlers.persistent
def _after_load(*_: object) -> None:
    adopt_heads()


@bpy.app.handlers.persistent
def _after_change(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    follow_animation(scene, depsgraph)


_HANDLERS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("load_post", _after_load),
    ("frame_change_post", _after_change),
    ("depsgraph_update_post", _after_change),
)


def register() -> None:
    """Register the panel's properties and the handlers; heads that are there are adopted soon."""
    bpy.utils.register_class(FACEGEN_PG_panel)
    bpy.types.WindowManager.facegen = PointerProperty(type=FACEGEN_PG_panel)
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    completion.register()
    add_listener(show_parameters)
    # While add-ons are registered, Blender does not let them read its data.
    bpy.app.timers.register(adopt_heads, first_interval=0.0)


def unregister() -> None:
    """Undo register and the sliders registered since; heads keep their parameters."""
    if bpy.app.timers.is_registered(adopt_heads):
        bpy.app.timers.unregister(adopt_heads)
    remove_listener(show_parameters)
    completion.unregister()
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    for model_name, sliders in _sliders.items():
        delattr(bpy.types.Object, sliders_name(model_name))
        bpy.utils.unregister_class(sliders.group)
        if sliders.characteristics is not None:
            delattr(bpy.types.Object, characteristics.group_name(model_name))
            bpy.utils.unregister_class(sliders.characteristics)
    _sliders.clear()
    _missing.clear()
    del bpy.types.WindowManager.facegen
    bpy.utils.unregister_class(FACEGEN_PG_panel)

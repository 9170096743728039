# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked for, a part of the Variety panel: what draws by latents takes its settings over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy
from bpy.props import EnumProperty, IntProperty, PointerProperty, StringProperty

from ..heads.catalogue import DEFAULT_MODEL
from ..latent.people import AS_FOUND, OLDEST, POPULATIONS, SKINS, YOUNGEST
from ..latent.who import ANY, Who, age_range
from ..mapping.backward import is_trained
from ..scene.head.head_object import MODEL_KEY
from ..variety.fields import POPULATION, PROBE, SEX, WHO
from .capitals import capital
from .field_properties import property_of
from .head_operator import active_head

_FIRST, _LAST = int(YOUNGEST), int(OLDEST)
_SKINS = [(ANY, "Any Skin", "Dark to fair"), *((name, name.capitalize(), "") for name in SKINS)]


def _keep_order(settings: FACEGEN_PG_who, context: bpy.types.Context) -> None:
    """No range is empty: the other end gives way."""
    if settings.oldest <= settings.youngest:
        if settings.youngest < _LAST:
            settings.oldest = settings.youngest + 1
        else:
            settings.youngest = settings.oldest - 1


def _suggested(settings: FACEGEN_PG_who, context: bpy.types.Context, typed: str) -> list[str]:
    return list(POPULATIONS)


class FACEGEN_PG_who(bpy.types.PropertyGroup):
    """Who is asked for; saved with the scene."""

    sex: property_of(SEX)  # type: ignore[valid-type]
    youngest: IntProperty(  # type: ignore[valid-type]
        name="Age from",
        description="Youngest that a face may look, in years",
        default=_FIRST,
        min=_FIRST,
        max=_LAST - 1,
        update=_keep_order,
    )
    oldest: IntProperty(  # type: ignore[valid-type]
        name="To",
        description="Faces look younger than this, in years",
        default=_LAST,
        min=_FIRST + 1,
        max=_LAST,
        update=_keep_order,
    )
    skin: EnumProperty(  # type: ignore[valid-type]
        name="Skin", description="Skin that a face looks to have", items=_SKINS, default=ANY
    )
    population: StringProperty(  # type: ignore[valid-type]
        name="Population",
        description=capital(POPULATION.help),
        default=POPULATION.default,
        search=_suggested,
        search_options={"SUGGESTION"},
    )
    probe: property_of(PROBE)  # type: ignore[valid-type]


def asked(settings: FACEGEN_PG_who) -> dict[str, str]:
    """The panel's settings as the fields WHO of a request."""
    every_age = (settings.youngest, settings.oldest) == (_FIRST, _LAST)
    return {
        "sex": settings.sex,
        "age": "" if every_age else f"{settings.youngest}:{settings.oldest}",
        "skin": "" if settings.skin == ANY else settings.skin,
        "population": settings.population,
        "probe": settings.probe,
    }


def show(settings: FACEGEN_PG_who, values: Mapping[str, str]) -> None:
    """Have the panel ask for somebody, as `asked` says it; UserError, before anything changes, for
    whom there cannot be."""
    Who(**values).drawn_from()
    age = values["age"]
    youngest, oldest = map(round, age_range(age)) if age else (_FIRST, _LAST)
    settings.youngest, settings.oldest = _FIRST, _LAST  # so that neither end gives way
    settings.youngest, settings.oldest = youngest, oldest
    settings.sex, settings.skin = values["sex"], values["skin"] or ANY
    settings.population, settings.probe = values["population"], values["probe"]


def ask(button: Any, context: bpy.types.Context, distribution: str) -> None:
    """Have a button's operator ask for them, where latents guide its heads."""
    values = asked(context.scene.facegen_who)
    for field in WHO:
        setattr(
            button, field.name, values[field.name] if distribution == "latent" else field.default
        )


class WhoAsked:
    """The properties by which an operator is asked for somebody."""

    __annotations__ = {field.name: property_of(field) for field in WHO}


def who_of(operator: Any) -> Who:
    """Who an operator is asked for, by its properties."""
    return Who(*(getattr(operator, field.name) for field in WHO))


class FACEGEN_PT_who(bpy.types.Panel):
    """Who is asked for."""

    bl_label = "People to Draw"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceGen"
    bl_parent_id = "FACEGEN_PT_variety"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw sex, ages, skin, population and probe."""
        layout, settings = self.layout, context.scene.facegen_who
        head = active_head(context)
        model = head[MODEL_KEY] if head else context.window_manager.facegen.model or DEFAULT_MODEL
        trained = is_trained(model)
        column = layout.column()
        column.enabled = trained
        column.row(align=True).prop(settings, "sex", expand=True)
        ages = column.row(align=True)
        ages.prop(settings, "youngest")
        ages.prop(settings, "oldest")
        column.row(align=True).prop(settings, "skin", expand=True)
        if not trained:
            layout.label(text="Not with this head model", icon="INFO")
        header, body = layout.panel("FACEGEN_who_advanced", default_closed=True)
        header.label(text="Advanced")
        if body is not None:
            body.enabled = trained
            body.prop(settings, "population", text="", icon="COMMUNITY")
            body.prop(settings, "probe", text="", icon="VIEWZOOM", placeholder="A test of yours")


def _is_of_facegen(scene: bpy.types.Scene) -> bool:
    """Whether heads or settings of FaceGen are in a scene of this file."""
    if not scene.is_editable:
        return False
    settings = scene.facegen_who
    return any(MODEL_KEY in item for item in scene.objects) or any(
        settings.is_property_set(name) for name in FACEGEN_PG_who.__annotations__
    )


@bpy.app.handlers.persistent
def _before_save(*_: object) -> None:
    """Files say their population, whatever another version takes for granted."""
    for scene in bpy.data.scenes:
        if _is_of_facegen(scene):
            scene.facegen_who.population = scene.facegen_who.population


@bpy.app.handlers.persistent
def _after_load(*_: object) -> None:
    """Files that say none were saved when faces were drawn as they were found: they still are."""
    for scene in bpy.data.scenes:
        settings = scene.facegen_who
        if _is_of_facegen(scene) and not settings.is_property_set("population"):
            settings.population = AS_FOUND


CLASSES = (FACEGEN_PG_who, FACEGEN_PT_who)


def register() -> None:
    """Register the panel's settings, and the handlers."""
    bpy.types.Scene.facegen_who = PointerProperty(type=FACEGEN_PG_who)
    bpy.app.handlers.save_pre.append(_before_save)
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    """Undo register; what was set stays in the file."""
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_before_save)
    del bpy.types.Scene.facegen_who

# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and background of a head, which keep their places before the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...arrays import RealArray
from ...errors import check_values
from ...labels.shot import Background, Light
from ..head.nodes import nodes_of
from . import lights
from .environments import Environment, Environments
from .loaded_pictures import LoadedPicture, LoadedPictures

_LAMP_DISTANCE = 2.0  # metres from the face, chosen by eye; strengths and sizes allow for it
_IMPORTANCE_MAP = 256  # pixels; made anew for each turn of an HDRI
_UPRIGHT = np.eye(3)


class Surroundings:
    """The lamp and the world of a scene, updated in place; close them when done.

    pictures: those from files.
    """

    def __init__(
        self, scene: bpy.types.Scene, target: Annotated[RealArray, "3"], studio: str
    ) -> None:
        """A lamp that looks at ``target`` (3,), metres, and a world; ``show`` sets both.

        studio: the preset that "studio" stands for, as `HeadModel.studio_light` says.
        """
        self._studio = studio
        self._target = Vector(target.tolist())
        self._lamp = bpy.data.objects.new(
            "FaceGen Lamp", bpy.data.lights.new("FaceGen Lamp", "AREA")
        )
        self._lamp.data.shape = "DISK"
        scene.collection.objects.link(self._lamp)
        self._scene = scene
        # Cycles, which keeps its scene from one render to the next, does not notice that a world's
        # sampling changes: an HDRI after a preset had other noise than one that came first.
        self._even, self._varied = (_World(method) for method in ("NONE", "MANUAL"))
        self._choose(self._even)
        self.pictures = LoadedPictures()
        self._environments = Environments()

    def close(self) -> None:
        """Remove the world and the pictures; the lamp goes with the scene's other objects."""
        for world in (self._even, self._varied):
            world.close()
        self.pictures.close()
        self._environments.close()

    def show(
        self,
        light: Light,
        background: Background,
        *,
        turn: Annotated[RealArray, "3 3"] = _UPRIGHT,
        middle: Annotated[RealArray, "3"] | None = None,
        aspect: float = 1.0,
    ) -> None:
        """Light the head and fill the frame behind it.

        turn (3, 3): that of the head before a camera that stands still, about ``middle`` (3,),
        metres; aspect: the frame's width over its height. A background picture fills the frame and
        is cut where it is wider or higher; through it is seen, where it is transparent, what would
        be there without it. An HDRI's middle lies where the camera looks, and
        rotation moves it to the viewer's right. UserError for a preset that is not there or a
        picture that cannot be read.
        """
        checks = ((light.preset in lights.LIGHTS, "light", light.preset, f"one of {_presets()}"),)
        check_values(checks)
        preset = lights.LIGHTS[self._studio if light.preset == "studio" else light.preset]
        environment = None if light.hdri else self._environments.of(preset)
        # An even grey needs no sampling of its own, nor do panels, which are large and soft.
        self._choose(self._varied if light.hdri else self._even)
        lit = _Lit.of(light, preset, environment)
        self._place_lamp(lit, _frame(turn, middle))
        self._fill(light, preset, environment, lit, turn)
        self._back(light, preset, environment, lit, background, aspect)

    def _choose(self, world: _World) -> None:
        self._scene.world, self._nodes = world.block, world.nodes

    def _place_lamp(self, lit: _Lit, frame: Matrix) -> None:
        lamp = lit.lamp
        direction = _direction(lamp)
        data = self._lamp.data
        data.size = 2.0 * _LAMP_DISTANCE * math.tan(math.radians(lamp.size) / 2)
        data.energy = 4.0 * lamp.strength * _LAMP_DISTANCE**2
        data.color = lamp.colour
        self._lamp.visible_camera = not lit.is_world  # which shows the sun itself
        self._lamp.location = frame @ (self._target + direction * _LAMP_DISTANCE)
        outward = frame.to_3x3() @ -direction
        self._lamp.rotation_euler = outward.to_track_quat("-Z", "Y").to_euler()

    def _fill(
        self,
        light: Light,
        preset: lights.LightPreset,
        environment: Environment | None,
        lit: _Lit,
        turn: RealArray,
    ) -> None:
        """Set the light from everywhere."""
        nodes = self._nodes
        nodes.ambient.inputs["Color"].default_value = (preset.ambient,) * 3 + (1.0,)
        nodes.ambient.inputs["Strength"].default_value = lit.strength
        picture = self.pictures.load(light.hdri).image if light.hdri else None
        if environment is not None:
            picture = environment.light
        nodes.feed(nodes.ambient, nodes.environment if picture else None)
        if picture is not None:
            nodes.environment.image = picture
            around = Matrix.Rotation(lit.rotation - math.pi / 2, 3, "Z") @ Matrix(turn.tolist())
            nodes.orientation.inputs["Rotation"].default_value = around.to_euler()

    def _back(
        self,
        light: Light,
        preset: lights.LightPreset,
        environment: Environment | None,
        lit: _Lit,
        background: Background,
        aspect: float,
    ) -> None:
        """Set the background, which only the camera sees."""
        nodes = self._nodes
        source, strength = None, 1.0
        picture = self.pictures.load(background.picture) if background.picture else None
        if picture is not None:
            nodes.picture.image = picture.image
            nodes.cut(*_cut(picture, aspect), picture.traits.orientation)
        is_over = picture is not None and picture.traits.is_transparent
        nodes.overlay(is_over)
        if picture is not None and not is_over:
            source = nodes.picture
        elif background.colour is None and light.hdri:
            source, strength = nodes.environment, lit.strength
        elif background.colour is None and environment is not None and environment.seen:
            nodes.far.image = environment.seen
            source, strength = nodes.far, lit.strength
        colour = preset.backdrop if background.colour is None else background.colour
        nodes.backdrop.inputs["Color"].default_value = (*colour, 1.0)
        nodes.backdrop.inputs["Strength"].default_value = strength
        nodes.feed(nodes.backdrop, source)


@dataclass(frozen=True)
class _Lit:
    """lamp: as it stands in the end; strength: factor of the light from everywhere; rotation:
    radians that the surroundings are turned by, to the viewer's right; is_world: whether they are
    one of Blender's HDRIs."""

    lamp: lights.Lamp
    strength: float
    rotation: float
    is_world: bool

    @classmethod
    def of(cls, light: Light, preset: lights.LightPreset, environment: Environment | None) -> _Lit:
        """What a light comes to. A preset's lamp and panels are turned together."""
        lamp, strength, rotation = preset.lamp, light.strength, light.rotation
        azimuth = light.azimuth
        if environment is not None:
            lamp = environment.lamp
            # To the right behind the head is to the left before it.
            rotation = math.radians(preset.turn) - light.azimuth
            if preset.world:
                rotation += light.rotation
                strength *= environment.exposure(rotation)
            azimuth = -rotation
        moved = replace(
            lamp,
            azimuth=lamp.azimuth + math.degrees(azimuth),
            elevation=lamp.elevation + math.degrees(light.elevation),
            strength=0.0 if light.hdri else lamp.strength * strength,
        )
        return cls(moved, strength, rotation, environment is not None and bool(preset.world))


_TURNS = {
    1: (0, 1),
    2: (0, -1),
    3: (2, 1),
    4: (2, -1),
    5: (1, -1),
    6: (1, 1),
    7: (3, -1),
    8: (3, 1),
}
"""EXIF's orientation -> how the upright picture becomes the stored one: quarter turns
counterclockwise, and -1 if it is mirrored left to right before."""
_SINES = (0.0, 1.0, 0.0, -1.0)


class _World:
    """One of Blender's worlds and its nodes; sampling_method: Cycles's, of the light from it."""

    def __init__(self, sampling_method: str) -> None:
        self.block = bpy.data.worlds.new("FaceGen World")
        self.block.cycles.sampling_method = sampling_method
        self.block.cycles.sample_map_resolution = _IMPORTANCE_MAP
        self.nodes = _WorldNodes(nodes_of(self.block))

    def close(self) -> None:
        """Remove it."""
        bpy.data.worlds.remove(self.block)


class _WorldNodes:
    """A world's nodes.

    ambient: the light from everywhere; backdrop: what the camera sees instead; either takes its
    colour from itself, from ``environment``, out of focus from ``far``, or from ``picture``, which
    may lie over it, too.
    """

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self._links = tree.links
        tree.nodes.clear()
        output = tree.nodes.new("ShaderNodeOutputWorld")
        mix = tree.nodes.new("ShaderNodeMixShader")
        self.ambient = tree.nodes.new("ShaderNodeBackground")
        self.backdrop = tree.nodes.new("ShaderNodeBackground")
        path = tree.nodes.new("ShaderNodeLightPath")
        tree.links.new(path.outputs["Is Camera Ray"], mix.inputs[0])
        tree.links.new(self.ambient.outputs[0], mix.inputs[1])
        self._seen = mix.inputs[2]
        tree.links.new(self.backdrop.outputs[0], self._seen)
        tree.links.new(mix.outputs[0], output.inputs[0])
        place = tree.nodes.new("ShaderNodeTexCoord")
        self.orientation, self._window = (tree.nodes.new("ShaderNodeMapping") for _ in range(2))
        self.environment, self.far = (tree.nodes.new("ShaderNodeTexEnvironment") for _ in range(2))
        self.far.interpolation = "Cubic"
        self.picture = tree.nodes.new("ShaderNodeTexImage")
        self.picture.extension = "EXTEND"
        tree.links.new(place.outputs["Generated"], self.orientation.inputs["Vector"])
        for picture in (self.environment, self.far):
            tree.links.new(self.orientation.outputs[0], picture.inputs["Vector"])
        tree.links.new(place.outputs["Window"], self._window.inputs["Vector"])
        tree.links.new(self._window.outputs[0], self.picture.inputs["Vector"])
        self._over = tree.nodes.new("ShaderNodeMixShader")
        front = tree.nodes.new("ShaderNodeBackground")
        tree.links.new(self.backdrop.outputs[0], self._over.inputs[1])
        tree.links.new(front.outputs[0], self._over.inputs[2])
        self._front = front.inputs["Color"]

    def feed(self, node: bpy.types.Node, source: bpy.types.Node | None) -> None:
        """Have a node's colour come from another, or be its own."""
        socket = node.inputs["Color"]
        for link in list(socket.links):
            self._links.remove(link)
        if source is not None:
            self._links.new(source.outputs["Color"], socket)

    def overlay(self, is_over: bool) -> None:
        """Have the picture lie over the backdrop, which shows where it is transparent, or not.

        The colours that Blender gives are free of alpha where alpha itself is used, else multiplied
        by it: so it is used only here.
        """
        for link in [*self._front.links, *self._over.inputs[0].links]:
            self._links.remove(link)
        if is_over:
            self._links.new(self.picture.outputs["Color"], self._front)
            self._links.new(self.picture.outputs["Alpha"], self._over.inputs[0])
        self._links.new((self._over if is_over else self.backdrop).outputs[0], self._seen)

    def cut(self, wide: float, high: float, orientation: int) -> None:
        """Show the middle of the picture: these shares of its width and height, upright."""
        turns, mirror = _TURNS[orientation]
        sine, cosine = _SINES[turns], _SINES[(turns + 1) % 4]
        across, up = 0.5 * mirror * wide, 0.5 * high
        window = self._window.inputs
        window["Scale"].default_value = (mirror * wide, high, 1.0)
        window["Rotation"].default_value = (0.0, 0.0, turns * math.pi / 2)
        window["Location"].default_value = (
            0.5 - (cosine * across - sine * up),
            0.5 - (sine * across + cosine * up),
            0.0,
        )


def _presets() -> str:
    return ", ".join(lights.LIGHTS)


def _frame(turn: RealArray, middle: RealArray | None) -> Matrix:
    """The inverse of a head's turn about its middle.

    It moves what stands still before the camera, which goes round the head in place of the head's
    turning.
    """
    about = np.zeros(3) if middle is None else np.asarray(middle, np.float64)
    frame = np.eye(4)
    frame[:3, :3] = turn.T
    frame[:3, 3] = about - turn.T @ about
    return Matrix(frame.tolist())


def _direction(lamp: lights.Lamp) -> Vector:
    """From the face to a lamp, before a camera that looks along +Y."""
    azimuth, elevation = math.radians(lamp.azimuth), math.radians(lamp.elevation)
    return Vector(
        (
            math.sin(azimuth) * math.cos(elevation),
            -math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        )
    )


def _cut(picture: LoadedPicture, aspect: float) -> tuple[float, float]:
    """The shares of a picture's width and height that a frame of this aspect ratio shows."""
    width, height = picture.size
    ratio = aspect * height / width
    return min(ratio, 1.0), min(1.0 / ratio, 1.0)

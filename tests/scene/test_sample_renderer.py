# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled samples, in a real bpy: images, cameras, surroundings, label images and landmarks."""

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from mathutils.bvhtree import BVHTree

from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import DEFAULT_FLAME, HEAD_MODELS, load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.labels.label_check import HIDDEN, OUTSIDE, VISIBLE, check_labels
from facegen_addon.labels.maps import CLASSES
from facegen_addon.labels.shot import Background, Light, Shot, View
from facegen_addon.png import encode_png
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.head.head_object import HeadObject
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.scene.render.portrait import decode_jpeg
from facegen_addon.scene.render.sample_renderer import Rendered, SampleRenderer, SampleSettings

MODEL = load_head_model(DEFAULT_FLAME)
SMALL = {"samples": 2, "width": 80, "height": 64, "device": "CPU"}
SQUARE = {"samples": 4, "width": 128, "height": 128, "device": "CPU"}
TURNED = View(yaw=0.5, pitch=-0.2, roll=0.3, shift_x=0.05)


def _head(model: HeadModel = MODEL, seed: int = 0, **values: float) -> np.ndarray:
    """A plausible head, some of its parameters given, as far as the model has them."""
    parameters = model.sample_prior(np.random.default_rng(seed), 1)[0]
    for name, value in values.items():
        if name in model.table.names:
            parameters[model.table.index(name)] = value
    return parameters


BEARDED = {
    "gender": 1.0,
    "facial_hair": 1.0,
    "hair_density": 0.9,
    "hair_length": 0.3,
    "hair_recession": 0.2,
    "brow_density": 0.9,
    "beard_density": 0.95,
    "beard_length": 0.6,
    "beard_extent": 0.8,
    "moustache_density": 0.9,
}
BALD = {"hair_density": 0.0, "beard_density": 0.0, "moustache_density": 0.0}


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, str]:
    """Files: the left half red and the right half green; a white half on the right; stripes."""
    images = {name: np.zeros((32, 64, 3), np.uint8) for name in ("halves", "right", "stripes")}
    images["halves"][:, :32, 0] = images["halves"][:, 32:, 1] = 255
    images["right"][:, 33:62] = 255
    images["stripes"][::4] = 200
    for name, image in images.items():
        (tmp_path / f"{name}.png").write_bytes(encode_png(image))
    return {name: str(tmp_path / f"{name}.png") for name in images}


@pytest.fixture(scope="module")
def portraits() -> list[Rendered]:
    """Samples with all labels: bearded and bald, straight and turned."""
    shots = [
        Shot(_head(**BEARDED)),
        Shot(_head(**BALD), replace(TURNED, roll=0.0)),
        Shot(_head(seed=1, **BALD), View(yaw=np.radians(85.0))),
    ]
    with SampleRenderer(MODEL, SampleSettings(**SQUARE | {"samples": 8})) as renderer:
        return [renderer.render(shot) for shot in shots]


def _bytes(rendered: Rendered) -> bytes:
    """All that a sample holds."""
    maps, landmarks = rendered.maps, rendered.landmarks
    arrays = [rendered.image, rendered.points, np.array(rendered.box)]
    arrays += [rendered.camera.intrinsics, rendered.camera.extrinsics]
    arrays += [maps.segmentation, maps.depth, maps.normals, maps.uv, maps.uv_valid]
    arrays += [landmarks.world, landmarks.pixels, landmarks.depth, landmarks.visibility]
    return rendered.encoded + b"".join(array.tobytes() for array in arrays)


def _is(rendered: Rendered, *names: str) -> np.ndarray:
    return np.isin(rendered.maps.segmentation, [CLASSES.index(name) for name in names])


def _middle(mask: np.ndarray) -> np.ndarray:
    """Mean row and column."""
    return np.argwhere(mask).mean(0)


# Images


@pytest.mark.parametrize("name", HEAD_MODELS)
@pytest.mark.parametrize("light", ["studio", "flash"])
def test_a_plain_shot_is_what_f_sees(
    monkeypatch: pytest.MonkeyPatch, name: str, light: str
) -> None:
    """But for the denoiser, by which some models' heads are seen."""
    model = load_head_model(name)
    monkeypatch.setattr(type(model), "denoised", False)
    parameters = _head(model)
    with HeadRenderer(
        model, RenderSettings(samples=2, size=96, seed=5, light=light, device="CPU")
    ) as renderer:
        head = renderer.render(parameters)
    settings = SampleSettings(samples=2, width=96, height=96, device="CPU")
    for labels in (True, False):
        with SampleRenderer(model, replace(settings, labels=labels)) as renderer:
            sample = renderer.render(Shot(parameters, light=Light(light), seed=5))
        assert np.array_equal(sample.image, head.image)
        np.testing.assert_allclose(sample.points, head.points, atol=1e-4)
        np.testing.assert_allclose(sample.box, head.box, atol=1e-3)
        assert sample.shows_face
        assert (sample.maps is None) == (sample.landmarks is None) == (not labels)


def test_a_sample_is_a_function_of_its_shot(pictures: dict[str, str]) -> None:
    """Whatever was rendered before, and how often."""
    shots = [
        Shot(_head(**BEARDED), TURNED, seed=3),
        Shot(_head(seed=1), View(yaw=-0.4), Light(hdri=pictures["right"], rotation=1.0)),
        Shot(_head(seed=2), View(), Light("flash", 0.4, 0.2, 1.5), Background(pictures["halves"])),
        Shot(_head(seed=3), View(distance=0.8), background=Background(colour=(0.1, 0.5, 0.2))),
    ]
    found: dict[int, set[bytes]] = {}
    for order in ([0, 1, 2, 3, 2, 0], [3, 2, 1, 0], [1]):
        with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
            for k in order:
                found.setdefault(k, set()).add(_bytes(renderer.render(shots[k])))
    assert [len(found[k]) for k in range(4)] == [1, 1, 1, 1]
    assert len(set.union(*found.values())) == 4


def test_noise_is_that_of_the_seed() -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        one, other = (renderer.render(Shot(_head(), seed=seed)).image for seed in (0, 1))
    assert not np.array_equal(one, other)
    assert np.abs(one.astype(int) - other).mean() < 20


def test_a_jpeg_is_what_its_readers_see() -> None:
    shot = Shot(_head(), TURNED)
    files = []
    for quality in (40, 40, 95):
        settings = SampleSettings(**SMALL, labels=False, image_format="JPEG", quality=quality)
        with SampleRenderer(MODEL, settings) as renderer:
            sample = renderer.render(shot)
        files.append(sample.encoded)
        assert np.array_equal(decode_jpeg(sample.encoded), sample.image)
        assert sample.image.shape == (64, 80, 3)
    assert files[0] == files[1]
    assert len(files[0]) < 0.7 * len(files[2])
    assert b"Blender" not in files[0]  # nor its date, time and file


def test_a_jpeg_reads_elsewhere_as_it_reads_here() -> None:
    pillow = pytest.importorskip("PIL.Image")
    import io

    settings = SampleSettings(**SMALL, labels=False, image_format="JPEG", quality=80)
    with SampleRenderer(MODEL, settings) as renderer:
        sample = renderer.render(Shot(_head()))
    assert np.array_equal(np.asarray(pillow.open(io.BytesIO(sample.encoded))), sample.image)


def test_a_png_is_left_to_whoever_writes_it() -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL, labels=False)) as renderer:
        assert renderer.render(Shot(_head())).encoded == b""


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_pixel(threads: int) -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        expected = _bytes(renderer.render(Shot(_head())))
    with SampleRenderer(MODEL, SampleSettings(**SMALL, threads=threads)) as renderer:
        assert _bytes(renderer.render(Shot(_head()))) == expected
        assert bpy.data.scenes[renderer.scene_name].render.threads == threads


# Settings and shots that cannot be


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "LUXCORE"}, "engine is 'LUXCORE'; give one of CYCLES"),
        ({"engine": "WORKBENCH"}, "engine is 'WORKBENCH'; give CYCLES or EEVEE, or no labels"),
        ({"samples": 0}, "samples is 0"),
        ({"width": 63}, "width is 63; give 64 to 4096 pixels"),
        ({"height": 5000}, "height is 5000; give 64 to 4096 pixels"),
        ({"device": "TPU"}, "device is 'TPU'"),
        ({"threads": -1}, "threads is -1"),
        ({"image_format": "WEBP"}, "image_format is 'WEBP'; give one of PNG, JPEG"),
        ({"quality": 0}, "quality is 0; give 1 to 100"),
    ],
)
def test_bad_settings_are_named(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SampleSettings(**change)


def test_workbench_renders_images_alone() -> None:
    settings = SampleSettings(**SMALL | {"engine": "WORKBENCH", "labels": False})
    with SampleRenderer(MODEL, settings) as renderer:
        assert renderer.render(Shot(_head())).image.std() > 10


def test_bad_shots_are_named_and_the_next_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    gone, text = str(tmp_path / "gone.exr"), str(tmp_path / "text.png")
    good = Shot(_head())
    parameters = good.parameters.copy()
    parameters[3] = np.nan
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        expected = _bytes(renderer.render(good))
        for shot, message in (
            (replace(good, parameters=parameters), "is nan"),
            (replace(good, seed=-1), "seed is -1"),
            (replace(good, light=Light("disco")), "light is 'disco'; give one of studio"),
            (replace(good, light=Light(hdri=gone)), "gone.exr is not there"),
            (replace(good, light=Light(hdri=text)), "text.png cannot be read"),
            (replace(good, background=Background(picture=gone)), "gone.exr is not there"),
            (replace(good, background=Background(picture=text)), "text.png cannot be read"),
        ):
            with pytest.raises(UserError, match=message):
                renderer.render(shot)
        assert _bytes(renderer.render(good)) == expected


# Cameras


@pytest.mark.parametrize("size", [(80, 64), (64, 100), (96, 96)])
@pytest.mark.parametrize(
    "view",
    [
        View(),
        TURNED,
        View(yaw=-1.5, roll=0.4, distance=0.7, focal_length=35.0),
        View(pitch=0.9, distance=5.0, focal_length=400.0, shift_x=-0.3, shift_y=0.2),
        View(yaw=3.1, pitch=-0.3, roll=-1.4),
    ],
)
def test_the_camera_is_blenders(view: View, size: tuple[int, int]) -> None:
    settings = SampleSettings(samples=1, width=size[0], height=size[1], labels=False, device="CPU")
    with SampleRenderer(MODEL, settings) as renderer:
        camera = renderer.render(Shot(_head(), view)).camera
        scene = bpy.data.scenes[renderer.scene_name]
        scene.view_layers[0].update()
        rng = np.random.default_rng(0)
        for point in rng.uniform([-0.12, -0.22, -0.02], [0.12, 0.02, 0.22], (8, 3)):
            x, y, depth = world_to_camera_view(scene, scene.camera, Vector(point))
            expected = (x * size[0], (1.0 - y) * size[1])
            np.testing.assert_allclose(camera.project(point), expected, atol=1e-3)
            assert camera.seen(point)[2] == pytest.approx(depth, abs=1e-6)


def test_a_head_seen_from_behind_shows_no_face() -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        for view, shown in (
            (View(yaw=1.2), True),
            (View(yaw=np.pi), False),
            (View(shift_x=0.9), False),
        ):
            sample = renderer.render(Shot(_head(), view))
            assert sample.shows_face == shown
            assert check_labels(sample.maps, sample.camera, sample.landmarks).problems == ()
        assert (sample.landmarks.visibility == OUTSIDE).sum() > 500


# Surroundings


def _sides(sample: Rendered) -> tuple[float, float]:
    """Mean brightness of the skin in the left and the right half of the face."""
    x0, y0, x1, y1 = (round(edge) for edge in sample.box)
    inside = np.zeros(sample.maps.segmentation.shape, bool)
    inside[max(y0, 0) : y1, max(x0, 0) : x1] = True
    skin, column = inside & _is(sample, "skin"), np.indices(inside.shape)[1]
    grey = sample.image.mean(2)
    middle = 0.5 * (x0 + x1)
    return grey[skin & (column < middle)].mean(), grey[skin & (column > middle)].mean()


@pytest.mark.parametrize("yaw", [0.0, 0.6, -0.6])
def test_the_lamp_stays_before_the_camera(yaw: float) -> None:
    """From the viewer's right when it is moved there, however the head turns."""
    with SampleRenderer(MODEL, SampleSettings(**SMALL | {"samples": 16})) as renderer:
        for azimuth in (-1.2, 1.2):
            shot = Shot(_head(**BALD), View(yaw=yaw), Light("flash", azimuth))
            left, right = _sides(renderer.render(shot))
            assert (right > 1.3 * left) if azimuth > 0 else (left > 1.3 * right)


def test_strength_scales_lamp_and_surroundings() -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL | {"samples": 16})) as renderer:
        samples = [
            renderer.render(Shot(_head(**BALD), light=Light(strength=strength)))
            for strength in (0.3, 0.6)
        ]
    linear = [((sample.image / 255.0) ** 2.2)[_is(sample, "skin")].mean() for sample in samples]
    assert linear[1] / linear[0] == pytest.approx(2.0, rel=0.05)
    assert np.array_equal(samples[0].image[0, 0], samples[1].image[0, 0])  # the backdrop


@pytest.mark.parametrize("yaw", [0.0, 0.6])
def test_an_hdri_lights_from_where_it_is_seen(pictures: dict[str, str], yaw: float) -> None:
    """Its middle is where the camera looks; rotation moves it to the viewer's right."""
    wide = View(yaw=yaw, distance=0.5, focal_length=36.0)
    with SampleRenderer(MODEL, SampleSettings(**SMALL | {"samples": 24})) as renderer:
        shot = Shot(_head(**BALD), wide, Light(hdri=pictures["right"]))
        sample = renderer.render(shot)
        left, right = _sides(sample)
        assert right > 1.5 * left
        assert sample.image[:20, 72:].mean() > 200 > 50 > sample.image[:20, :8].mean()
        turned = renderer.render(replace(shot, light=replace(shot.light, rotation=np.pi)))
        left, right = _sides(turned)
        assert left > 1.5 * right
        assert turned.image[:20, 72:].mean() < 50 < 200 < turned.image[:20, :8].mean()
        away = renderer.render(replace(shot, light=replace(shot.light, rotation=np.pi / 2)))
        assert away.image[:3].mean() < 50  # white begins beyond the right edge


def _is_colour(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether all pixels are of a colour, but for the dither that Blender adds."""
    return bool(np.abs(image.astype(int) - colour).max() <= 1)


def test_a_picture_fills_the_frame_and_lights_nothing(pictures: dict[str, str]) -> None:
    """64 x 32 in a frame of 80 x 64: its middle 40 columns, half of them red."""
    shot = Shot(_head(**BALD), View(yaw=0.3), seed=4)
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        plain = renderer.render(shot)
        behind = renderer.render(replace(shot, background=Background(pictures["halves"])))
        colour = renderer.render(replace(shot, background=Background(colour=(0.0, 0.0, 1.0))))
    assert _is_colour(behind.image[:30, :9], (255, 0, 0))
    assert _is_colour(behind.image[:30, -9:], (0, 255, 0))
    assert _is_colour(colour.image[:30, :9], (0, 0, 255))
    assert np.array_equal(behind.maps.segmentation, plain.maps.segmentation)
    inside = _is(plain, "skin", "lips", "eyes")
    for axis in (0, 1):  # away from outlines, where the backdrop shines through
        for step in (-1, 1, -1, 1):
            inside &= np.roll(inside, step, axis)
    assert inside.sum() > 200
    assert np.array_equal(behind.image[inside], plain.image[inside])
    assert np.array_equal(colour.image[inside], plain.image[inside])


def test_a_high_picture_is_cut_to_the_frame(tmp_path: Path) -> None:
    high = np.zeros((100, 20, 3), np.uint8)
    high[41:59, :, 1] = 255
    (tmp_path / "high.png").write_bytes(encode_png(high))
    shot = Shot(_head(), View(shift_x=3.0), background=Background(str(tmp_path / "high.png")))
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        assert _is_colour(renderer.render(shot).image, (0, 255, 0))


def test_an_hdri_lights_what_stands_before_a_picture(pictures: dict[str, str]) -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL | {"samples": 16})) as renderer:
        sample = renderer.render(
            Shot(
                _head(**BALD),
                light=Light(hdri=pictures["right"]),
                background=Background(pictures["halves"]),
            )
        )
    left, right = _sides(sample)
    assert right > 1.5 * left
    assert _is_colour(sample.image[:30, :9], (255, 0, 0))


# What is left behind


def _counts() -> dict[str, int]:
    """Data blocks of each kind; Blender keeps an image of its own for the last render."""
    found = {}
    for name in ("objects", "scenes", "worlds", "meshes", "hair_curves", "images", "cameras"):
        blocks = getattr(bpy.data, name)
        found[name] = sum(getattr(block, "type", "") != "RENDER_RESULT" for block in blocks)
    return found | {
        name: len(getattr(bpy.data, name)) for name in ("lights", "materials", "actions")
    }


def test_no_sample_leaves_anything_behind(tmp_path: Path) -> None:
    """Seven HDRIs and seven backgrounds: no more than a few of them stay loaded."""
    rng = np.random.default_rng(1)
    files = [str(tmp_path / f"{k}.png") for k in range(7)]
    for file in files:
        Path(file).write_bytes(encode_png(rng.integers(0, 255, (8, 16, 3), np.uint8)))
    shots = [
        Shot(_head(seed=k), View(yaw=0.1 * k), Light(hdri=one), Background(other), seed=k)
        for k, (one, other) in enumerate(zip(files, files[::-1], strict=True))
    ]
    before = _counts()
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        counts = []
        for shot in [*shots, shots[0], replace(shots[1], light=Light(), background=Background())]:
            renderer.render(shot)
            counts.append(_counts())
        few = {"materials": 0}  # of hair there is one a named colour
        assert all(count | few == counts[2] | few for count in counts[2:])
    after = _counts()
    found = set(bpy.data.materials.keys())
    hair = {name for name in found if name.startswith("FaceGen Hair ")}  # one a named colour
    assert found - hair == {"FaceGen Skin", "FaceGen Eye", "FaceGen Cloth"}  # as a HeadRenderer
    assert after | {"materials": 0} == before | {"materials": 0}


def test_an_artists_heads_keep_their_materials() -> None:
    head = HeadObject.create(MODEL, bpy.context.collection)
    skin = head.mesh_object.data.materials[0]
    nodes = [node.name for node in skin.node_tree.nodes]
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        renderer.render(Shot(_head()))
    assert [node.name for node in skin.node_tree.nodes] == nodes
    assert head.mesh_object.data.materials[0] == skin
    assert [name for name in head.mesh_object.data.attributes.keys() if "classes" in name] == []  # noqa: SIM118


# Labels


def test_a_bearded_head_has_every_class_where_it_belongs(portraits: list[Rendered]) -> None:
    bearded = portraits[0]
    missing = [name for name in CLASSES if name != "mouth" and not _is(bearded, name).any()]
    assert missing == ["glasses", "headwear"]  # which are not worn
    rows = {name: _middle(_is(bearded, name))[0] for name in CLASSES if _is(bearded, name).any()}
    order = ("hair", "brows", "eyes", "lips", "beard", "clothes")
    heights = [rows[name] for name in order]
    assert heights == sorted(heights)
    nose = bearded.points[2]
    assert bearded.maps.segmentation[int(nose[1]), int(nose[0])] == CLASSES.index("skin")
    assert rows["lips"] > nose[1]
    for x, y in bearded.points[:2]:
        assert bearded.maps.segmentation[int(y), int(x)] == CLASSES.index("eyes")


def test_a_bald_shaven_head_has_neither_hair_nor_beard(portraits: list[Rendered]) -> None:
    for sample in portraits[1:]:
        assert not _is(sample, "hair", "beard").any()
        assert _is(sample, "neck").any()


def test_brows_are_solid(portraits: list[Rendered]) -> None:
    """Each brow is one piece with hardly a hole."""
    brows = _is(portraits[0], "brows")
    for half in (brows[:, :64], brows[:, 64:]):
        columns = np.flatnonzero(half.any(0))
        assert len(columns) == columns[-1] - columns[0] + 1
        assert len(columns) >= 10


def test_depth_and_normals_are_those_of_a_face(portraits: list[Rendered]) -> None:
    straight = portraits[0]
    maps, points = straight.maps, straight.points
    x, y = points[2].astype(int)
    assert maps.depth[y, x] == pytest.approx(straight.landmarks.depth[30], abs=2e-3)
    assert maps.depth[y, x] < maps.depth[y, x + 14] < maps.depth[y, x + 20]
    cheeks = [maps.normals[y, x + step] for step in (-14, 14)]
    assert cheeks[0][0] < -0.15 < 0.15 < cheeks[1][0]  # to the viewer's left and right
    head = _is(straight, "skin")
    assert (maps.normals[head][:, 2] < 0.05).mean() > 0.99  # towards the camera
    forehead = maps.normals[y - 40, x]
    assert forehead[1] < -0.1  # upwards
    np.testing.assert_allclose(np.linalg.norm(maps.normals[head], axis=1), 1.0, atol=1e-5)


def test_texture_coordinates_are_the_meshs(portraits: list[Rendered]) -> None:
    """At each visible landmark, those of its triangle."""
    surface, embedding = MODEL.surface, MODEL.landmark_embedding
    expected = np.einsum("nk,nkc->nc", embedding.bary, surface.uv[embedding.triangle])
    compared = 0
    for sample in portraits[:2]:
        landmarks = sample.landmarks
        for k in np.flatnonzero(landmarks.visibility[:68] == VISIBLE):
            x, y = landmarks.pixels[k].astype(int)
            around = (slice(y - 1, y + 2), slice(x - 1, x + 2))
            if sample.maps.uv_valid[around].all():
                np.testing.assert_allclose(sample.maps.uv[y, x], expected[k], atol=0.01)
                compared += 1
    assert compared > 40


VIEWS = (
    View(),
    View(yaw=np.radians(40), pitch=np.radians(10)),
    View(yaw=np.radians(-40), roll=np.radians(15)),
    View(pitch=np.radians(-20), roll=np.radians(-25), shift_x=0.06, shift_y=-0.05),
    View(yaw=np.radians(20), distance=0.9, focal_length=105.0),
    View(yaw=np.radians(-15), distance=3.0),
)


@pytest.mark.parametrize("name", HEAD_MODELS)
@pytest.mark.parametrize("size", [(160, 128), (144, 144)])
def test_labels_agree_with_each_other(
    name: str, size: tuple[int, int], pictures: dict[str, str]
) -> None:
    model = load_head_model(name)
    jaw = "jawOpen" if "jawOpen" in model.table.names else "jaw_x"
    wide = 0.7 * model.table.maximum[model.table.index(jaw)]
    lengths = ("hair_length", "hair_top_length", "hair_side_length", "hair_back_length")
    long = dict.fromkeys(lengths, 1.0)
    changes = ({}, BEARDED, {jaw: wide}, BALD, BEARDED | {jaw: wide}, long)
    lights = (Light(), Light(hdri=pictures["right"]), Light("flash", azimuth=1.5))
    backgrounds = (Background(), Background(pictures["halves"]))
    settings = SampleSettings(samples=8, width=size[0], height=size[1], device="CPU")
    with SampleRenderer(model, settings) as renderer:
        for k, view in enumerate(VIEWS):
            shot = Shot(
                _head(model, seed=k, **changes[k]), view, lights[k % 3], backgrounds[k % 2], k
            )
            sample = renderer.render(shot)
            check = check_labels(sample.maps, sample.camera, sample.landmarks)
            assert check.problems == (), f"view {k}"
            # Long hair hides most of them; person's ends on other vertices, and hides more: it
            # hangs as a curtain.
            assert check.landmarks_checked > (7 if name.endswith("person") else 20)


@pytest.mark.parametrize("view", [View(), TURNED, View(yaw=1.4), View(pitch=0.5, distance=0.6)])
def test_rays_of_blender_find_the_same_points(view: View) -> None:
    """Against the evaluated meshes, without hair; points within a hair of an edge may differ."""
    with SampleRenderer(MODEL, SampleSettings(**SMALL)) as renderer:
        sample = renderer.render(Shot(_head(**BALD, jawOpen=0.8), view))
        scene = bpy.data.scenes[renderer.scene_name]
        scene.view_layers[0].update()
        depsgraph = scene.view_layers[0].depsgraph
        meshes = [found for found in scene.objects if found.type == "MESH"]
        trees = [BVHTree.FromObject(found, depsgraph) for found in meshes]
    landmarks, eye = sample.landmarks, Vector(sample.camera.position)
    different = 0
    for point, visibility in zip(landmarks.world, landmarks.visibility, strict=True):
        ray = Vector(point) - eye
        hits = [tree.ray_cast(eye, ray.normalized())[3] for tree in trees]
        first = min((hit for hit in hits if hit is not None), default=np.inf)
        hidden = first < ray.length - 0.0003
        different += visibility != OUTSIDE and hidden != (visibility == HIDDEN)
    assert different <= 0.005 * len(landmarks.world)
    assert (landmarks.visibility == VISIBLE).sum() > 100


def test_what_hair_and_beard_cover_is_hidden(portraits: list[Rendered]) -> None:
    bearded, bald = (sample.landmarks.visibility[:68] for sample in portraits[:2])
    brows = slice(17, 27)
    assert (bearded[6:11] == HIDDEN).any()  # the chin
    assert (bearded[brows] == VISIBLE).all()
    assert (bald[6:9] == VISIBLE).all()


def test_a_profile_hides_the_other_side(portraits: list[Rendered]) -> None:
    """Turned to its left, a head shows its right side: landmarks 0 to 8 of the jaw."""
    visibility = portraits[2].landmarks.visibility
    assert (visibility[9:17] == HIDDEN).all()
    assert (visibility[2:7] == VISIBLE).all()
    assert (visibility[42:48] == HIDDEN).all()  # the far eye
    assert _middle(_is(portraits[2], "ears"))[1] < portraits[2].points[2, 0]


def test_landmarks_and_dense_points_come_together() -> None:
    with SampleRenderer(MODEL, SampleSettings(**SMALL), dense=40) as renderer:
        landmarks = renderer.render(Shot(_head())).landmarks
    assert landmarks.world.shape == (108, 3)
    assert landmarks.pixels.shape == (108, 2)
    assert landmarks.visibility.dtype == np.uint8


def test_eevee_makes_labels_too() -> None:
    """Its passes hold 16 bits a number; the first shaders of a session take a minute."""
    settings = SampleSettings(engine="EEVEE", samples=4, width=128, height=128, device="CPU")
    shots = [Shot(_head(**BEARDED), View(yaw=0.3)), Shot(_head(seed=1), View(yaw=-0.3))]
    with SampleRenderer(MODEL, settings) as renderer:
        samples = [renderer.render(shots[k]) for k in (0, 1, 0)]
    assert _bytes(samples[0]) == _bytes(samples[2]) != _bytes(samples[1])
    for sample in samples:
        check = check_labels(sample.maps, sample.camera, sample.landmarks)
        assert check.problems == ()
        assert check.landmarks_checked > 40
    assert _is(samples[0], "beard").sum() > 100

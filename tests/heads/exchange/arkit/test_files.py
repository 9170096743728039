# SPDX-License-Identifier: GPL-3.0-or-later
"""ARKit's curves are read from what apps write, and what is wrong is said in one line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.heads.exchange.arkit.files import read_take
from facegen_addon.heads.exchange.arkit.take import NAMES, Take, canonical
from facegen_addon.heads.exchange.arkit.timecode import rate_of, seconds_of
from tests.heads.exchange.arkit import takes


def _values(take: Take) -> np.ndarray:
    return np.stack([take.weights[name] for name in NAMES], axis=1)


def _rate(take: Take) -> float:
    assert take.times is not None
    return rate_of(take.times) or 0.0


def test_there_are_52_names() -> None:
    assert len(NAMES) == len(set(NAMES)) == 52


@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_of_a_name(name: str) -> None:
    pascal = name[0].upper() + name[1:]
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    for spelling in (name, pascal, snake, name.upper(), takes.short(name), f"blendShapes.{pascal}"):
        assert canonical(spelling) == name, spelling


@pytest.mark.parametrize("name", ["_neutral", "HeadYaw", "browsDown", "AU12", "", "left", "eye_L"])
def test_other_names_are_none_of_arkits(name: str) -> None:
    assert canonical(name) is None


def test_live_link_face(tmp_path: Path, rng: np.random.Generator) -> None:
    values, turns = takes.weights(rng, 130), np.round(rng.uniform(-0.4, 0.4, (130, 9)), 6)
    path = takes.live_link(tmp_path / "a.csv", values, turns, step=1.001)
    take = read_take(path)
    np.testing.assert_array_equal(_values(take), values)
    assert _rate(take) == pytest.approx(59.94, abs=0.01)
    assert (take.source, take.notes, take.warnings) == ("live_link_face", [], [])
    # Yaw, pitch, roll: to the right, the head's up and the eyes' down, to the left shoulder.
    np.testing.assert_allclose(take.turns["head"], -turns[:, [1, 0, 2]])
    np.testing.assert_allclose(take.turns["left_eye"], turns[:, [4, 3, 5]] * [1, -1, -1])
    np.testing.assert_allclose(take.turns["right_eye"], turns[:, [7, 6, 8]] * [1, -1, -1])


def test_frames_in_which_the_face_was_lost(tmp_path: Path, rng: np.random.Generator) -> None:
    values = takes.weights(rng, 20)
    take = read_take(takes.live_link(tmp_path / "a.csv", values, lost={4: 7}, step=2.0))
    np.testing.assert_array_equal(_values(take), values)
    assert take.notes == ["7 frames without a face are left out"]
    assert take.times is not None
    steps = np.diff(take.times)
    assert steps[4] == pytest.approx(8 / 30) and steps[5] == pytest.approx(1 / 30)
    assert _rate(take) == pytest.approx(30.0)


def test_columns_in_any_order_and_not_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame;JawOpen;eyeBlink_R\n0;0,5;0,25\n1;0,75;1\n")
    take = read_take(tmp_path / "a.csv")
    assert take.weights["jawOpen"].tolist() == [0.5, 0.75]
    assert take.weights["eyeBlinkRight"].tolist() == [0.25, 1.0]
    assert take.notes[0] == "ignored: frame"
    assert take.notes[1].startswith("not in the file, left at 0: browDownLeft")
    assert take.notes[1].endswith("and 42 more")
    assert take.times is None


def test_degrees_in_the_place_of_radians(tmp_path: Path, rng: np.random.Generator) -> None:
    turns = np.zeros((3, 9))
    turns[:, 0] = [10.0, 20.0, 30.0]
    take = read_take(takes.live_link(tmp_path / "a.csv", takes.weights(rng, 3), turns))
    assert take.warnings == ["head: turns up to 30 are read as degrees, not radians"]
    np.testing.assert_allclose(take.turns["head"][:, 1], -np.radians([10.0, 20.0, 30.0]))


def test_a_count_that_is_not_that_of_the_curves(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Timecode,BlendShapeCount,JawOpen\n00:00:00:00,51,0.5\n")
    take = read_take(tmp_path / "a.csv")
    assert take.warnings == ["BlendShapeCount says 51, there are 1 curves"]


def test_audio2face_csv(tmp_path: Path) -> None:
    lines = ["timeCode,blendShapes.JawOpen", "0.0,0.1", "0.0333333,0.2", "0.0666667,0.3"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    take = read_take(tmp_path / "a.csv")
    assert take.weights["jawOpen"].tolist() == [0.1, 0.2, 0.3]
    assert _rate(take) == pytest.approx(30.0, abs=0.01)


def test_face_cap(tmp_path: Path, rng: np.random.Generator) -> None:
    values = takes.weights(rng, 5)
    take = read_take(takes.face_cap(tmp_path / "a.txt", values))
    np.testing.assert_array_equal(_values(take), values)
    np.testing.assert_allclose(take.turns["head"], np.radians([[10.0, 20.0, 5.0]] * 5))
    np.testing.assert_allclose(take.turns["right_eye"][0], np.radians([3.0, 4.0, 0.0]))
    assert (take.source, take.notes) == ("face_cap", ["ignored: the head's position"])
    assert _rate(take) == pytest.approx(60.0)


def test_ifacialmocap(tmp_path: Path, rng: np.random.Generator) -> None:
    values = np.round(takes.weights(rng, 4), 2)
    take = read_take(takes.packets(tmp_path / "a.txt", values))
    np.testing.assert_allclose(_values(take), values, atol=1e-12)
    assert take.source == "ifacialmocap" and not take.turns and not take.warnings


@pytest.mark.parametrize("form", takes.forms(np.zeros((2, 52))))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_form_of_json(
    tmp_path: Path, rng: np.random.Generator, form: str, encoding: str
) -> None:
    values = takes.weights(rng, 3)
    path = takes.write_json(tmp_path / "a.json", takes.forms(values)[form], encoding)
    take = read_take(path)
    np.testing.assert_array_equal(_values(take), values)
    if form == "faces":
        assert take.times is None
    else:
        assert _rate(take) == pytest.approx(30.0)
    assert not take.warnings and "neutral" not in " ".join(take.notes)
    if form.startswith(("mediapipe", "audio2face")):
        assert take.source == form.split()[0]


@pytest.mark.parametrize("form", [{"jawOpen": 0.5}, {"blendShapes": {"JawOpen": 0.5}},
                                  [{"categoryName": "jawOpen", "score": 0.5}]])  # fmt: skip
def test_one_face(tmp_path: Path, form: object) -> None:
    take = read_take(takes.write_json(tmp_path / "a.json", form))
    assert take.weights["jawOpen"].tolist() == [0.5]


def test_per_cent(tmp_path: Path) -> None:
    take = read_take(takes.write_json(tmp_path / "a.json", {"jawOpen": 50, "mouthClose": 3}))
    assert take.weights["jawOpen"].tolist() == [0.5]
    assert take.weights["mouthClose"].tolist() == [0.03]
    assert take.warnings == ["weights up to 50 are read as per cent"]


_HEADER = "Timecode,BlendShapeCount,JawOpen,EyeBlinkLeft\n"
_BAD = {
    "an empty file": ("", "is empty"),
    "blank lines": ("\n \n", "is empty"),
    "a header alone": (_HEADER, "no frame of a face"),
    "the face never seen": (_HEADER + "00:00:00:01.0,0\n", "no frame of a face"),
    "a line cut short": (_HEADER + "00:00:00:01.0,61,0.5\n", "line 2 has 3 values"),
    "a word": (_HEADER + "00:00:00:01.0,61,0.5,closed\n", "EyeBlinkLeft of frame 0 is 'closed'"),
    "an empty field": (_HEADER + "00:00:00:01.0,61,,0.5\n", "JawOpen of frame 0 is ''"),
    "not a number": (_HEADER + "0:0:0:1,61,nan,0.5\n", "jawOpen of frame 0 is nan"),
    "infinite": (_HEADER + "0:0:0:1,61,0.5,inf\n", "eyeBlinkLeft of frame 0 is inf"),
    "the same twice": ("JawOpen,jawOpen\n0.5,0.5\n", "two of its curves are jawOpen"),
    "no names": ("0.1,0.2,0.3\n0.1,0.2,0.3\n", "numbers without names"),
    "other names": ("AU01,AU02\n0.5,0.5\n", "AU01, AU02, none of which"),
    "far too large": ("JawOpen\n1000\n", "weights go up to 1000"),
    "binary": ("\0\1\2", "not a text file"),
    "Face Cap without names": ("info,a\nk,0,1,2\n", "no line bs"),
    "Face Cap cut short": ("bs,jawOpen\nk,0,1,2\n", "frame 0 has 3 values; expected 12"),
    "packets that differ": ("jawOpen-5|eyeBlink_L-0|\njawOpen-5|\n", "line 2 has other curves"),
    "JSON cut short": ('{"jawOpen": 0.5', "is not valid JSON"),
    "JSON with a name twice": ('{"jawOpen": 0.5, "jawOpen": 0.1}', "'jawOpen' is there twice"),
    "JSON with two spellings": ('{"jawOpen": 0.5, "JawOpen": 0.1}', "two of its curves"),
    "JSON with null": ('{"jawOpen": null}', "'jawOpen' of frame 0 is None"),
    "JSON with true": ('{"jawOpen": true}', "'jawOpen' of frame 0 is True"),
    "JSON with NaN": ('{"jawOpen": NaN}', "jawOpen of frame 0 is nan"),
    "JSON of nothing": ("[]", "no frame of a face"),
    "JSON of something else": ('{"betas": [1, 2]}', "expected {name: weight}"),
    "a list of numbers": ("[0.1, 0.2]", "has no blend shapes"),
    "lists of numbers": ("[[0.1, 0.2]]", "2 numbers without names"),
    "no frames": ('{"frames": []}', "no frame of a face"),
    "two faces": ('{"frames": [[{"jawOpen": 0.1}, {"jawOpen": 0.2}]]}', "2 faces; keep one"),
    "frames that differ": ('[{"jawOpen": 0.1}, {"mouthClose": 0.2}]', "'jawOpen' is in frame 1 or"),
    "a wrong count": ('{"facsNames": ["jawOpen"], "weightMat": [[0.1, 0.2]]}', "has 2 weights"),
    "columns that differ": ('{"jawOpen": [0, 1], "mouthClose": [0]}', "have 1 and 2 frames"),
    "a name of two lines": ('{"names": ["a\\nb"], "weights": [1]}', "names a b, none"),
    "no rate": ('{"fps": 0, "frames": [{"jawOpen": 0.1}]}', "its frame rate is 0"),
    "other poses": ('{"facsNames": ["browLowerL"], "weightMat": [[0.1]]}', "browLowerL, none of"),
}


@pytest.mark.parametrize("kind", _BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, kind: str) -> None:
    content, message = _BAD[kind]
    path = tmp_path / "take.any"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_take(path)
    said = str(caught.value)
    assert message in said and said.startswith(str(path)) and "\n" not in said


def test_a_folder_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        read_take(tmp_path)
    with pytest.raises(UserError, match="is missing"):
        read_take(tmp_path / "a.csv")


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_take(path)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["jawOpen", "x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["jawOpen", "JawOpen", "frames", "names", "weights", "fps", "score",
                         "categoryName", "time", "blendShapes"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(_json)
def test_any_json_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = takes.write_json(tmp_path_factory.getbasetemp() / "any.json", content)
    try:
        take = read_take(path)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(np.isfinite(values).all() for values in take.weights.values())


@pytest.mark.parametrize("base", [24, 30, 60, 1000])
def test_how_many_frames_a_second_has_is_seen(base: int) -> None:
    codes = [f"10:59:{58 + i // base:02d}:{i % base}.000" for i in range(2 * base)]
    times = seconds_of(codes)
    assert times is not None
    np.testing.assert_allclose(times, np.arange(2 * base) / base, atol=1e-9)


def test_a_take_over_midnight() -> None:
    times = seconds_of(["23:59:59:58.0", "23:59:59:59.0", "00:00:00:00.0", "00:00:00:01.0"])
    assert times is not None
    np.testing.assert_allclose(times, np.arange(4) / 60)


@pytest.mark.parametrize(
    "codes", [["00:00:00:02", "00:00:00:01"], ["a", "b"], ["0", "nan"], ["0", "1e-9"], ["1", "1"]]
)
def test_what_is_no_time(codes: list[str]) -> None:
    assert seconds_of(codes) is None

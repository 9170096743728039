# SPDX-License-Identifier: GPL-3.0-or-later
"""README.md of a data set: a card in the form that Hugging Face reads, and people."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from batch.dataset.command import make_command
from batch.dataset.pictures import CLASS_COLOURS
from batch.dataset.run_folder import FORMAT, RECIPE_FILE, RunFolder
from batch.dataset.sample import StoredSample
from facegen_addon.artifacts import USER_MODEL_PREFIX, read_index
from facegen_addon.latent.census import Census, Rows, census_rows, coverage_ratio, coverage_rows

SHEET_FILE = "contact_sheet.png"
_TEMPLATE = Path(__file__).with_name("card.md")
_READING = Path(__file__).with_name("reading.md")
_ABSENT = """\
Every sample has all of these members, and every record the same keys with values of the same types.
What a sample does not have: of a latent, all numbers are NaN (`achieved` where no face is seen:
`face_seen` in the record is false; `requested` where heads were not asked for by latents); in the
record, a number is -1 (`cosine_distance`, `label_check.worst_depth_mm`, the three of
`background.colour`); in the table, it is null."""
_ABSENT_IN_FORMAT_1 = """\
The shards were made by an earlier FaceGen, which left out the latents that a sample does not have
and wrote null in its record: read `achieved.npy` only where it is there."""
_CENSUS = """\
Identities by sex, skin and age: by their own parameters, where the head model has a say on them, /
as linear probes read the latents of their first images; in brackets how many of the latents that
were asked for read so. What is not known is left out.

{joint}

By sex, age (45 years) and skin (L* 60) in halves: how near people of each group who do not exist,
drawn where real faces of that group lie, are to the nearest identity of the data set. A group with
a larger distance is covered worse.{worst}

{groups}"""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class Licence(NamedTuple):
    """name: as Hugging Face lists it; url; words: what it is about."""

    name: str
    url: str
    words: str


def licence_of(model: str) -> Licence:
    """Licence of the shapes of a head model; a FLAME file of the user's own has its own licence."""
    if model.startswith(USER_MODEL_PREFIX):
        return Licence(
            "other",
            "https://flame.is.tue.mpg.de/modellicense.html",
            "The heads are of the FLAME file that was given: its licence governs what may be done"
            " with renders and parameters, and FLAME's own ones exclude commercial use.",
        )
    entry = read_index().get(model) or read_index().get(f"{model}_head") or {}
    words = str(entry.get("licence", "as the model that was given"))
    if words.startswith("CC0-1.0"):
        return Licence(
            "cc0-1.0",
            "https://creativecommons.org/publicdomain/zero/1.0/",
            f"The heads are {words}: free for any use.",
        )
    return Licence("other", "https://spdx.org/licenses/", f"The heads are {words}.")


def data_set_card(
    run: RunFolder, facts: Mapping[str, Any], recipe: str, sample: StoredSample
) -> str:
    """The card. facts: what index.json holds; recipe: the resolved one; sample: one of them."""
    licence = licence_of(run.request["model"])
    statistics = facts["statistics"]
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        licence=licence.name,
        licence_words=licence.words,
        size=next((name for most, name in _SIZES if facts["samples"] < most), "n>1M"),
        name=title_of(run),
        samples=facts["samples"],
        identities=statistics["identities"],
        model=run.request["model"],
        parameters=len(run.run["parameters"]),
        width=sample.camera.width,
        height=sample.camera.height,
        sheet=SHEET_FILE,
        command=f"batch/run.py {make_command(run, RECIPE_FILE, 'data')}",
        recipe=recipe.strip(),
        digest=run.digest,
        counts=_counts(facts),
        census=_census(statistics["census"]),
        configs=_configs(run, facts),
        members=_members(sample),
        absent=_ABSENT if run.format == FORMAT else _ABSENT_IN_FORMAT_1,
        reading=_reading(run, sample),
        labels=_label_words(sample),
        versions=_versions(run),
        failed=_failed(facts),
    )


def title_of(run: RunFolder) -> str:
    """Title of the data set."""
    return f"FaceGen {run.request['model']} {run.digest[:12]}"


def _counts(facts: Mapping[str, Any]) -> str:
    found = facts["statistics"]
    check, trip = found["label_check"], found["requested_to_achieved"]
    rows = {
        "samples": facts["samples"],
        "of which with labels": found["labelled"],
        "bytes of the shards": f"{facts['bytes']:,}",
        "shards": len(facts["shards"]),
        "draws that were rejected": found["rejected"],
        "samples given up": found["failed"],
        "identities with a latent": found["identities"],
        f"identities mutually apart (cosine distance {found['same_face_threshold']:g} and more)": (
            found["mutually_apart"]
        ),
        "cosine distance of two identities, median": _number(
            found["median_distance_of_identities"]
        ),
        "cosine distance requested to achieved, median": _number(trip and trip["median"]),
        "samples that the label check looked at while they were made": check["samples"],
        "largest difference of depth it found": _number(check["worst_depth_mm"], " mm"),
    }
    return _table(("what", "figure"), rows)


def _census(found: Census) -> str:
    """The joint table and the coverage of groups, in words."""
    joint, groups = (rows_table(rows(found)) for rows in (census_rows, coverage_rows))
    ratio = coverage_ratio(found)
    worst = "" if ratio is None else f" The worst covered group's is {ratio:.2f} times the best's."
    return _CENSUS.format(joint=joint, groups=groups, worst=worst)


def rows_table(rows: Rows) -> str:
    """A table in Markdown, the heading first."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _number(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{value:.3f}{unit}"


def _table(heading: tuple[str, str], rows: Mapping[str, Any]) -> str:
    lines = [f"| {heading[0]} | {heading[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())])


def _members(sample: StoredSample) -> str:
    """Members of a sample, by the suffixes after its key."""
    channels = {
        f".{sample.suffix}": "the image, 8-bit sRGB",
        ".json": "the record: seed, parameters, camera, pose, light, background, five points",
        ".requested.npy": "the latent that the head was asked for, (D,) float32 of unit norm, or"
        " NaN",
        ".achieved.npy": "the latent of this very image, (D,) float32 of unit norm, or NaN",
    }
    if sample.labels:
        channels |= {
            ".landmarks.npz": "`world` (N, 3) metres, `pixels` (N, 2), `depth` (N,) metres,"
            " `visibility` (N,): 0 outside the image, 1 hidden, 2 visible; 68 iBUG points, then"
            " dense ones",
            ".segmentation.png": "8-bit grey: the class of each pixel, see below",
            ".depth.png": "16-bit grey: depth along the optical axis in 0.1 mm, 0 nothing",
            ".normals.png": "16-bit RGB: (n + 1) / 2 · 65535 in camera coordinates, 0 nothing",
            ".uv.png": "16-bit RGB: u and v · 65535; blue is 65535 where they are valid",
        }
    return _table(("member", "content"), {f"`KEY{name}`": what for name, what in channels.items()})


def _configs(run: RunFolder, facts: Mapping[str, Any]) -> str:
    """Configurations by which `datasets` opens the folder: one way of reading, for it takes no two.

    Shards without a sample, from which it cannot tell the types, are left out. The description
    tells data sets apart: its cache knows a folder by its last name and this piece of text alone.
    """
    if run.format != FORMAT:
        return "configs:\n- config_name: samples\n  data_files: table.parquet"
    shards = facts["shards"]
    files = ["data-*.tar"]
    if not all(shard["samples"] for shard in shards):
        files = [shard["file"] for shard in shards if shard["samples"]]
    contents = hashlib.sha256("".join(shard["sha256"] for shard in shards).encode()).hexdigest()
    lines = ["configs:", "- config_name: images", "  default: true"]
    lines += [f"  description: shards {contents}", "  data_files:"]
    lines += ["  - split: train", "    path:", *(f"    - {name}" for name in files)]
    return "\n".join(lines)


def _reading(run: RunFolder, sample: StoredSample) -> str:
    """Code that opens the data set."""
    if run.format != FORMAT:
        return (
            "`table.parquet` by any reader of Parquet, the shards by WebDataset or as plain tar"
            " files; Hugging Face's `datasets` opens only the table of a data set of this age."
        )
    words = Template(_READING.read_text(encoding="utf-8")).substitute(suffix=sample.suffix)
    return words.strip()


def _label_words(sample: StoredSample) -> str:
    if not sample.labels:
        return "This data set has no label images."
    rows = {
        f"{value} {name}": f"#{red:02x}{green:02x}{blue:02x}"
        for value, (name, (red, green, blue)) in enumerate(CLASS_COLOURS.items())
    }
    heading = ("class of the segmentation", f"colour in {SHEET_FILE}")
    return f"{_table(heading, rows)}\n\nAll labels come from the render that made the image."


def _versions(run: RunFolder) -> str:
    rows: dict[str, Any] = {}
    for name, value in run.request["versions"].items():
        if isinstance(value, Mapping):
            value = " ".join(map(str, value.values()))
        rows[name] = f"`{value}`"
    for name, digest in run.request.get("files", {}).items():
        rows[name] = f"`{digest}`"
    return _table(("what", "version or sha256"), rows)


def _failed(facts: Mapping[str, Any]) -> str:
    if not facts["failed"]:
        return "None: every sample that was asked for is there."
    some = facts["failed"][:20]
    rows = {f"{one['index']} (seed {one['seed']})": one["reason"] for one in some}
    more = len(facts["failed"]) - len(some)
    rest = f"\n\nand {more} more, see index.json." if more else ""
    return _table(("sample", "why"), rows) + rest

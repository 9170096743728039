# SPDX-License-Identifier: GPL-3.0-or-later
"""croissant.json: the data set described as MLCommons' Croissant 1.0 wants it.

https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html. No date of publication is given:
whoever publishes the data set adds it, and the same run gives the same file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch.dataset.sidecar import ShardSummary

if TYPE_CHECKING:
    import pyarrow

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
TABLE_ID = "table.parquet"

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FILE_SETS = {
    "images": ("*[0-9].{suffix}", "{mime}", "the images"),
    "records": ("*[0-9].json", "application/json", "what made each image, as plain data"),
    "segmentation": ("*.segmentation.png", "image/png", "classes of pixels"),
    "depth": ("*.depth.png", "image/png", "depth in units of 0.1 mm"),
    "normals": ("*.normals.png", "image/png", "normals in camera coordinates"),
    "uv": ("*.uv.png", "image/png", "texture coordinates"),
    "landmarks": ("*.landmarks.npz", "application/octet-stream", "landmarks, as NumPy's .npz"),
}
"""Name -> names of the members, media type, description."""
_LABELS = ("segmentation", "depth", "normals", "uv", "landmarks")
_MIME = {"png": "image/png", "jpg": "image/jpeg"}


@dataclass(frozen=True)
class Described:
    """The data set that is described.

    suffix: of the images, png or jpg; labels: whether there are any; table_bytes, table_sha256: of
    table.parquet.
    """

    name: str
    description: str
    licence: str
    version: str
    shards: Sequence[ShardSummary]
    schema: "pyarrow.Schema"
    suffix: str
    labels: bool
    table_bytes: int
    table_sha256: str


def croissant(described: Described) -> dict[str, Any]:
    """The content of croissant.json."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": described.name,
        "description": described.description,
        "license": described.licence,
        "version": described.version,
        "distribution": [*_file_objects(described), *_file_sets(described)],
        "recordSet": [_samples(described.schema), _images()],
    }


def _file_objects(described: Described) -> list[dict[str, Any]]:
    tars = [
        _file_object(shard.file, "application/x-tar", shard.bytes, shard.sha256)
        for shard in described.shards
    ]
    size, digest = described.table_bytes, described.table_sha256
    return [*tars, _file_object(TABLE_ID, "application/x-parquet", size, digest)]


def _file_object(name: str, mime: str, size: int, digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": mime,
        "sha256": digest,
    }


def _file_sets(described: Described) -> list[dict[str, Any]]:
    tars = [{"@id": shard.file} for shard in described.shards]
    mime = _MIME[described.suffix]
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"{name}-files",
            "name": f"{name}-files",
            "description": what,
            "containedIn": tars if len(tars) > 1 else tars[0],
            "encodingFormat": kind.format(mime=mime),
            "includes": pattern.format(suffix=described.suffix),
        }
        for name, (pattern, kind, what) in _FILE_SETS.items()
        if described.labels or name not in _LABELS
    ]


def _samples(schema: "pyarrow.Schema") -> dict[str, Any]:
    """One record a sample: the columns of the table."""
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One record a sample: all that is known of it but its pictures.",
        "key": {"@id": "samples/key"},
        "field": [_column(field) for field in schema],
    }


def _column(field: "pyarrow.Field") -> dict[str, Any]:
    import pyarrow as pa

    repeated = pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type)
    kind = field.type.value_type if repeated else field.type
    facts: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"samples/{field.name}",
        "name": field.name,
        "dataType": _data_type(kind),
        "source": {"fileObject": {"@id": TABLE_ID}, "extract": {"column": field.name}},
    }
    return facts | ({"repeated": True} if repeated else {})


def _data_type(kind: "pyarrow.DataType") -> str:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


def _images() -> dict[str, Any]:
    """One record an image, joined to the table by the key, which is the name of its file."""
    images = {"fileSet": {"@id": "images-files"}}
    key = {
        "@type": "cr:Field",
        "@id": "images/key",
        "name": "key",
        "dataType": "sc:Text",
        "references": {"field": {"@id": "samples/key"}},
        "source": images
        | {"extract": {"fileProperty": "filename"}, "transform": {"regex": r"^(\d+)"}},
    }
    image = {
        "@type": "cr:Field",
        "@id": "images/image",
        "name": "image",
        "dataType": "sc:ImageObject",
        "source": images | {"extract": {"fileProperty": "content"}},
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "One record an image.",
        "key": {"@id": "images/key"},
        "field": [key, image],
    }


def hashes(content: Mapping[str, Any]) -> dict[str, str]:
    """File -> sha256 as a croissant.json has them; KeyError or TypeError if it is none."""
    return {
        entry["contentUrl"]: entry["sha256"]
        for entry in content["distribution"]
        if entry["@type"] == "cr:FileObject"
    }

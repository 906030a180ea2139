"""Labels that come back in a file: archives, and the JSON, YAML and text of other tools."""

import contextlib
import io
import json
import zipfile

from okng.bus.errors import OkngError
from okng.training.data.sources import Kind, SourceOptions, claims_of
from okng.workshop.labels import _unpacked

from .files import empty_folder, file_of


def seeds() -> list[bytes]:
    """Exports of each kind, whole, and archives that lead out or grow."""
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "categories": [{"id": 1, "name": "scratch"}],
    }
    coco["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3], "segmentation": [[1, 1, 3, 1, 3, 3]]}
    ]
    studio = [
        {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [{"type": "rectanglelabels", "value": {}}]}]}
    ]
    texts = [
        json.dumps(coco).encode(),
        json.dumps(studio).encode(),
        b"[" * 5000,
        b'{"images": [[]]}',
        b"path: .\nnames: [a]\ntrain: x",
    ]
    archives = [
        _zip({"labels/a.txt": b"0 0.5 0.5 0.2 0.2", "data.yaml": b"names: [a]"}),
        _zip({"../../x": b"y", "/etc/y": b"y"}),
    ]
    archives += [_zip({"a": b"x", "a/b": b"y"}), _zip({"big": bytes(100_000)}), _zip({"result.json": texts[0]})]
    return texts + archives


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


def one(data: bytes) -> None:
    """Refused in words, and nothing is written outside."""
    outer = empty_folder("outer")
    with contextlib.suppress(OkngError):
        _unpacked(data, outer / "inside")
    assert [path.name for path in outer.iterdir()] in ([], ["inside"])
    kinds: tuple[tuple[str, Kind], ...] = (
        ("labels.json", "coco"),
        ("labels.json", "label-studio"),
        ("data.yaml", "yolo"),
    )
    for name, kind in kinds:
        place = empty_folder("set")
        file_of(f"set/{name}", data)
        with contextlib.suppress(OkngError):
            claims_of(place, kind, SourceOptions())

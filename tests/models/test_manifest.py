"""The manifest: the first format is read still, and what an adapter needs is asked for by name."""

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadBundle
from okng.models import manifest

FILES = {name: {"sha256": "0" * 64, "size": 1} for name in ("model.onnx", "golden/expected.json", "report.json")}
DETECTOR = {"adapter": "yolo", "predictions": "out", "rows": 8, "columns": 8, "classes": ["scratch", "dent"]}


def format_1(tiny: Any) -> bytes:
    """A manifest as the first version wrote it."""
    fields = {**tiny.fields(), "format": 1, "backbone_sha256": None, "train": {}, "files": FILES}
    fields["check"] = hashlib.sha256(manifest.canonical(fields)).hexdigest()
    return manifest.canonical(fields)


def test_the_first_format_is_read_and_still_verified(tiny: Any) -> None:
    text = format_1(tiny)
    read = manifest.parse(text, "old")
    assert (read.format, read.output.adapter, read.output.ports) == (1, "anomaly", ("score", "heat"))
    assert (read.threshold.escape_percent, read.threshold.class_limits, read.budget_ms) == (None, {}, None)
    with pytest.raises(BadBundle, match="damaged"):
        manifest.parse(text.replace(b'"value": 200.0', b'"value": 201.0'), "old")


def test_the_first_format_knows_anomaly_models_only(tiny: Any) -> None:
    fields = json.loads(format_1(tiny))
    fields["output"] = DETECTOR
    with pytest.raises(BadBundle, match="yolo: expected format 2"):
        manifest.parse(json.dumps(fields).encode(), "old")


def test_what_is_sealed_is_of_format_2_and_reads_back_as_it_was(tiny: Any) -> None:
    threshold = {**tiny.fields()["threshold"], "class_limits": {"dent": 0.3}, "escape_percent": 1.0, "defects": 9}
    made, text = manifest.sealed(
        {**tiny.fields(output=DETECTOR, threshold=threshold, budget_ms=20), "format": 1, "files": FILES}
    )
    assert made == manifest.parse(text, "new")
    assert (made.format, made.budget_ms, made.threshold.defects) == (2, 20.0, 9)
    assert (made.output.ports, made.output.class_numbers) == (("out",), (0, 1))
    assert (made.class_limit("dent"), made.class_limit("scratch")) == (0.3, manifest.CLASS_LIMIT)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({**DETECTOR, "predictions": ""}, "predictions: expected the name of an output"),
        ({**DETECTOR, "classes": []}, "expected|classes: 0 found"),
        ({**DETECTOR, "classes": ["dent", "dent"]}, "twice"),
        ({**DETECTOR, "numbers": [3]}, "expected 2 different"),
        ({**DETECTOR, "numbers": [3, 3]}, "expected 2 different"),
        ({**DETECTOR, "overlap": 0}, "overlap"),
        ({**DETECTOR, "area_limits_px": {"chip": 3}}, "chip"),
        ({**DETECTOR, "adapter": "magic"}, "adapter"),
        ({"score": "score", "heat": "heat", "rows": 4, "columns": 4, "classes": ["dent"]}, "classes: 1 found"),
        ({"score": "score", "rows": 4, "columns": 4}, "heat: expected the name"),
    ],
)
def test_an_output_that_its_adapter_cannot_read_is_refused(output: dict[str, Any], told: str, tiny: Any) -> None:
    with pytest.raises(ValidationError, match=told):
        manifest.sealed({**tiny.fields(output=output), "files": FILES})


def test_a_limit_of_no_class_is_refused(tiny: Any) -> None:
    threshold = {**tiny.fields()["threshold"], "class_limits": {"chip": 0.3}}
    with pytest.raises(ValidationError, match="chip"):
        manifest.sealed({**tiny.fields(output=DETECTOR, threshold=threshold), "files": FILES})

"""The products of a box, read afresh for the screens: what each sets, and what cannot be read says why."""

from pathlib import Path

from okng.appliance.products_of import products_of
from okng.webui.change import FACTS
from okng.webui.products import differences

from .test_jobs import box, write_recipe  # noqa: F401 - `box` is a fixture

SECOND = """
name: lid
deadline_ms: 250
bundle: good
camera: {width: 64, height: 48, exposure_us: 800}
regions: [{name: rim, box: [8, 8, 32, 32], threshold: 0.7}]
distances: {eye_to_gate_mm: 750}
"""


def test_each_job_is_a_product_and_the_differences_are_told(box: Path) -> None:  # noqa: F811
    (box.parent / "lid.yaml").write_text(SECOND, encoding="utf-8")
    cap, lid, torn = products_of(box)
    assert [(cap.number, cap.name), (lid.number, lid.name)] == [(7, "cap"), (8, "lid")]
    assert len(cap.model) == 64
    assert cap.model == lid.model
    changed = {(line.kind, line.of): (line.old, line.new) for line in differences(cap, lid) if line.changed}
    assert changed["exposure", ""] == ("1000 µs", "800 µs")
    assert changed["deadline", ""] == ("300 ms", "250 ms")
    assert changed["threshold", "rim"] == ("", "0.7")
    assert changed["place", "rim"] == ("", "32 x 32 px @ 8, 8")
    assert changed["gate", ""] == ("500 mm", "750 mm")
    assert {kind for kind, _, _ in (*cap.facts, *lid.facts)} <= set(FACTS)
    assert torn.number == 65535
    assert torn.trouble or torn.model  # a damaged bundle is found when it is applied, at the latest


def test_what_cannot_be_read_says_why_and_hides_no_other(box: Path) -> None:  # noqa: F811
    (box.parent / "lid.yaml").write_text("name: [", encoding="utf-8")
    products = products_of(box)
    assert "not YAML" in products[1].trouble
    assert products[0].trouble == ""
    box.write_text("recipe = 3", encoding="utf-8")
    assert products_of(box) == ()

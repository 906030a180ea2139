"""Another tool makes a bundle from docs/bundle.md alone, and stock tools check ours."""

import ast
import hashlib
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from pydantic import BaseModel

from okng.bus.errors import BadBundle
from okng.fleet.activate import activate, active
from okng.fleet.signing import sign, verify
from okng.models.bundle import open_bundle
from okng.tests.fleet.signers import Signing
from okng.tests.fleet.test_activate import make

pytest.importorskip("model_signing", reason="needs the extra [sign]")
WIDTH, HEIGHT = 48, 32
TOOL = [sys.executable, "-m", "model_signing"]


def png(rows: list[list[int]]) -> bytes:
    """A grey picture, by hand."""
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    size = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    made = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", size), (b"IDAT", body), (b"IEND", b"")):
        made += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return made


def graph() -> bytes:
    """Score: the brightest pixel. Heat: the brightest of each 8x8."""
    nodes = [
        helper.make_node("Cast", ["in"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("MaxPool", ["planes"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["pooled", "shape"], ["heat"]),
        helper.make_node("ReduceMax", ["heat"], ["score"], axes=[1, 2], keepdims=0),
    ]
    body = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("in", TensorProto.UINT8, [1, HEIGHT, WIDTH, 1])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1, 4, 6]),
        ],
        [helper.make_tensor("shape", TensorProto.INT64, [3], [1, 4, 6])],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def theirs(folder: Path) -> str:
    """Write a bundle as section 1 says. Returns its digest."""
    levels = {"dark.png": 20, "middle.png": 120, "bright.png": 230}
    rows = {name: [[5] * WIDTH for _ in range(HEIGHT)] for name in levels}
    for name, level in levels.items():
        rows[name][9][9] = level
    expected = {name: {"score": float(level), "ok": level <= 150} for name, level in levels.items()}
    files = {f"golden/{name}": png(pixels) for name, pixels in rows.items()}
    files["golden/expected.json"] = json.dumps({"tolerance": 0.001, "pictures": expected}).encode()
    files |= {"model.onnx": graph(), "report.json": b'{"made": "elsewhere"}', "LICENSE": b"Theirs.\n"}
    fields: dict[str, Any] = {
        "format": 2,
        "name": "Theirs",
        "version": "0.1.0",
        "created_at": "2026-11-27T08:00:00Z",
        "input": {"name": "in", "width": WIDTH, "height": HEIGHT, "channels": 1, "crop": "halve-area-then-linear-1"},
        "output": {"adapter": "anomaly", "score": "score", "heat": "heat", "rows": 4, "columns": 6},
        "threshold": {
            "value": 150.0,
            "method": "by hand",
            "overkill_percent": 0.5,
            "overkill_low_percent": 0.0,
            "overkill_high_percent": 2.0,
            "goods": 100,
        },
        "opset": 17,
        "files": {name: {"sha256": sha256(data), "size": len(data)} for name, data in files.items()},
    }
    fields["check"] = sha256(canonical(fields))
    files["manifest.json"] = canonical(fields)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return sha256(files["manifest.json"])


def tool(*arguments: str, good: bool = True) -> str:
    done = subprocess.run([*TOOL, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) is good, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_nothing_of_ours_makes_theirs() -> None:
    """The functions above use json, hashlib, zlib and onnx alone."""
    own = {node.name: node for node in ast.parse(Path(__file__).read_text()).body if isinstance(node, ast.FunctionDef)}
    ours = {"open_bundle", "sign", "verify", "activate", "make", "Signing", "okng"}
    for name in ("png", "graph", "sha256", "canonical", "theirs"):
        assert not ours & {node.id for node in ast.walk(own[name]) if isinstance(node, ast.Name)}


def test_their_bundle_is_proved_and_used(tmp_path: Path) -> None:
    digest = theirs(tmp_path / "theirs")
    opened = open_bundle(tmp_path / "theirs", digest)
    assert (opened.manifest.name, len(opened.golden), opened.report) == ("Theirs", 3, {"made": "elsewhere"})
    root = Signing(tmp_path, "their-authority")
    leaf = Signing(tmp_path, "their-engineer", root)
    signature = tmp_path / "theirs/signature.sig"
    tool(
        *("sign", "certificate", str(tmp_path / "theirs"), "--signature", str(signature)),
        *("--ignore-paths", str(signature), "--no-ignore-git-paths"),
        *("--private_key", str(leaf.key), "--signing_certificate", str(leaf.certificate)),
        *("--certificate_chain", str(root.certificate)),
    )
    assert verify(tmp_path / "theirs", (root.certificate,)).name == "CN=their-engineer"
    report = activate(tmp_path / "theirs", tmp_path / "current", authorities=(root.certificate,))
    assert (report.pictures, report.passed) == (3, True)
    assert active(tmp_path / "current") == (tmp_path / "theirs").resolve()


def test_the_stock_tool_verifies_ours(tmp_path: Path) -> None:
    bundle, root = tmp_path / "ours", Signing(tmp_path, "root")
    make(bundle)
    leaf = Signing(tmp_path, "leaf", root)
    signature = sign(bundle, leaf.key, leaf.certificate, (root.certificate,))
    command = ["verify", "certificate", str(bundle), "--signature", str(signature), "--ignore-paths", str(signature)]
    command += ["--no-ignore-git-paths", "--certificate_chain"]
    assert "succeeded" in tool(*command, str(root.certificate)).lower()
    tool(*command, str(Signing(tmp_path, "stranger").certificate), good=False)
    (bundle / "report.json").write_text("{} ")
    tool(*command, str(root.certificate), good=False)


@pytest.mark.parametrize("key", ["check", "files", "opset", "more"])
def test_what_the_page_says_is_meant(tmp_path: Path, key: str) -> None:
    theirs(tmp_path / "theirs")
    path = tmp_path / "theirs/manifest.json"
    fields = json.loads(path.read_bytes())
    if key == "files":
        del fields["files"]["LICENSE"]
    else:
        fields[key] = {"check": "0" * 64, "opset": 16, "more": 1}[key]
    if key != "check":
        del fields["check"]
        fields["check"] = sha256(canonical(fields))
    path.write_bytes(canonical(fields))
    with pytest.raises(BadBundle):
        open_bundle(tmp_path / "theirs")


def test_the_page_names_what_the_forms_have() -> None:
    """Every key of every form stands in docs/bundle.md."""
    from okng.fleet import channel_format
    from okng.models.manifest import Input, Manifest, Threshold

    page = (Path(__file__).parents[2] / "docs/bundle.md").read_text(encoding="utf-8")
    forms: list[type[BaseModel]] = [channel_format.PointerForm, channel_format.RingForm, channel_format.TicketForm]
    forms += [channel_format.RingsForm, channel_format.OpenForm, Manifest, Input, Threshold]
    for form in forms:
        for name in form.model_fields:
            assert f"`{name}`" in page or f'"{name}"' in page, f"{form.__name__}.{name}"

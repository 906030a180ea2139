"""What can be said of the packages without building them; `make test-deb` builds, installs and removes them."""

import csv
import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from okng.packaging.copyright import copyright_text
from okng.packaging.relocate import relocate
from okng.packaging.sbom import Incomplete, whole

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
DEBIAN = PACKAGING / "debian"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
FOUND = {
    "metadata": {"tools": {}},
    "components": [
        {"name": "okng", "version": "0.1.0", "bom-ref": "okng", "licenses": [{"license": {"id": "Apache-2.0"}}]},
        {"name": "apsw", "version": "3.54.1.0", "licenses": [{"expression": "any-OSI"}]},
        *({"name": name, "version": "1"} for name in ("genicam", "protobuf", "sigstore-models")),
    ],
}


def copied() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(FOUND))
    return made


def shell(script: str) -> str:
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True).stdout.strip()


def function(name: str) -> str:
    """One function of preinst."""
    (found,) = re.findall(rf"^{name}\(\) \{{\n.*?^\}}\n", (DEBIAN / "preinst").read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_scripts_are_sound() -> None:
    scripts = [*PACKAGING.glob("*.sh"), *(DEBIAN / name for name in SCRIPTS), *PACKAGING.glob("kiosk/p*")]
    assert len(scripts) >= 11
    for script in scripts:
        program = "bash" if script.suffix == ".sh" else "sh"
        subprocess.run([program, "-n", str(script)], check=True)
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", *map(str, scripts)], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_every_gap_of_a_template_is_filled() -> None:
    build = (PACKAGING / "deb.sh").read_text(encoding="utf-8")
    gaps = {gap for file in DEBIAN.iterdir() for gap in re.findall(r"@[A-Z]+@", file.read_text(encoding="utf-8"))}
    assert gaps == set(re.findall(r"@[A-Z]+@", build))


def test_every_unit_has_its_place_in_a_package() -> None:
    """A kind of unit that is new has to be named in deb.sh."""
    build = (PACKAGING / "deb.sh").read_text(encoding="utf-8")
    (kinds,) = re.findall(r"systemd/okng\*\.\{([a-z,]+)\}", build)
    known = {f".{kind}" for kind in kinds.split(",")}
    plain = {file for file in (ROOT / "systemd").iterdir() if file.is_file()}
    named = {file for file in plain if f"systemd/{file.name}" in build}
    assert {file.name for file in plain - named if file.suffix not in known} == set()


def test_all_processes_are_stopped_and_io_first() -> None:
    stop, build = (DEBIAN / "stop.sh").read_text(), (PACKAGING / "deb.sh").read_text()
    assert stop.index("okng-io.service") < stop.index("okng.target 'okng-camera@") < stop.index("@PROCESSES@")
    (rest,) = re.findall(r'@PROCESSES@/"([a-z -]+)"', build)
    units = {file.stem for file in (ROOT / "systemd").glob("okng-*.service")}
    others = {"okng-kiosk", "okng-usb@"}  # no process of the line
    named = {f"okng-{name}" for name in rest.split()} | set(re.findall(r"okng-[a-z-]+@?(?=\*?\.service)", stop))
    assert units - others - named == set()


def test_the_wheelhouse_holds_every_extra_of_a_box() -> None:
    text = (PACKAGING / "wheelhouse.sh").read_text()
    (named,) = re.findall(r'for extra in base "\$runtime" ([a-z ]+);', text)
    locks = {file.stem for file in (ROOT / "requirements").glob("*.txt")}
    assert locks - set(named.split()) == {
        "base",
        "cpu",
        "gpu",
        "build",
        "sbom",
        "test",
        "train",
        "track",
        "search",
        "fuzz",
        "cloud",  # of the fleet's own machine
        "ray",
        "mlflow",
    }


@pytest.mark.parametrize("version", [0, 6, 255, 70_000])
def test_the_schema_of_a_ledger_is_read_without_sqlite(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("create table x (y)")
        db.execute(f"pragma user_version = {version}")
    db.close()
    assert shell(f"{function('schema_of')}\nschema_of {tmp_path}/ledger.db") == str(version)


def test_no_ledger_has_schema_0(tmp_path: Path) -> None:
    assert shell(f"{function('schema_of')}\nschema_of {tmp_path}/ledger.db") == "0"


@pytest.mark.parametrize(
    ("text", "store"),
    [
        ('[records]\nstore = "/data/store"  # big\n', "/data/store"),
        ('[box]\nname = "a"\n[records]\ncommit_ms = 5\n  store="s"\n[web]\n', "/etc/okng/s"),
        ('[other]\nstore = "/wrong"\n[records]\n', "/var/lib/okng/store"),
        ("", "/var/lib/okng/store"),
    ],
)
def test_the_store_is_found_in_the_settings(tmp_path: Path, text: str, store: str) -> None:
    (tmp_path / "okng.toml").write_text(text)
    said = function("store").replace("/etc/okng/okng.toml", str(tmp_path / "okng.toml"))
    assert shell(f"{said}\nstore") == store


def test_a_prefix_becomes_an_environment_that_lives_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "one-1.dist-info").mkdir(parents=True)
    (site / "numpy/lib/tests").mkdir(parents=True)
    (site / "numpy/lib/tests/test_x.py").write_text("")
    (site / "numpy/__init__.py").write_text("")
    (tmp_path / "bin").mkdir()
    for name in ("okng", "f2py"):
        (tmp_path / "bin" / name).write_text("#!/somewhere/bin/python\n")
    rows = ["numpy/lib/tests/test_x.py,sha256=x,0", "../../../bin/f2py,sha256=x,1", "../../../bin/okng,sha256=x,1"]
    (site / "one-1.dist-info/RECORD").write_text("\n".join([*rows, "numpy/__init__.py,sha256=y,0", ""]))
    relocate(tmp_path, Path("/opt/okng"), Path("/usr/bin/python3.11"))
    assert {file.name for file in (tmp_path / "bin").iterdir()} == {"okng", "python", "python3"}
    assert (tmp_path / "bin/okng").read_text().startswith("#!/opt/okng/bin/python3 -I\n")
    assert (tmp_path / "bin/python3").readlink() == Path("/usr/bin/python3.11")
    assert "home = /usr/bin\n" in (tmp_path / "pyvenv.cfg").read_text()
    assert not (site / "numpy/lib/tests").exists()
    left = list(csv.reader((site / "one-1.dist-info/RECORD").read_text().splitlines()))
    assert [row[0] for row in left] == ["../../../bin/okng", "numpy/__init__.py"]
    assert left[0][2] == str((tmp_path / "bin/okng").stat().st_size)


def test_the_sbom_lists_what_lies_beside_the_libraries() -> None:
    made = whole(copied(), ROOT)
    names = {component["name"]: component for component in made["components"]}
    assert {"konva", "uplot", "@panzoom/panzoom", "okngsim", "sqlite", "efficientnet-lite0-b10"} <= set(names)
    assert names["sqlite"]["version"] == "3.54.1"
    assert names["konva"]["purl"] == "pkg:npm/konva@10.9.1"
    assert names["genicam"]["licenses"] == [{"license": {"name": "LicenseRef-GenICam-1.6"}}]
    assert "okng" not in names
    assert made["metadata"]["component"]["name"] == "okng"
    text = copyright_text(made, "/opt/okng")
    assert text.count("License: ") == len(made["components"]) + 1


def test_a_component_without_a_licence_or_version_is_found() -> None:
    found = copied()
    found["components"].append({"name": "mystery", "version": ""})
    with pytest.raises(Incomplete) as caught:
        whole(found, ROOT)
    assert str(caught.value).splitlines() == ["mystery: no version", "mystery: no licenses"]


def test_a_file_of_others_in_no_list_is_found(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    shutil.copy(PACKAGING / "vendored.toml", tmp_path / "packaging")
    for name in ("simline/new.jar", "webui/static/vendor/x-1/x.js", "webui/font.woff2", "demo-out/model.onnx"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    with pytest.raises(Incomplete) as caught:
        whole(copied(), tmp_path)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "simline/new.jar",
        "webui/font.woff2",
        "webui/static/vendor/x-1/x.js",
    ]

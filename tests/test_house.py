"""The house keeps its plan: who imports whom, who holds which library, what is shipped, what nobody names.

Each wall is a function of a folder that returns what is broken, so each is also shown to fail on purpose.
"""

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from .conftest import browsers_too_early

ROOT = Path(__file__).parents[1]
WEB_DOORS = (
    *("read", "people_read", "figures_read", "parts_read", "gallery_read", "labels_read", "timing_read"),
    *("parcel", "part_trace", "trace_back", "keep_read", "seal_read"),
)
"""What the screens may read of the ledger."""
MAY_IMPORT: dict[str, set[str]] = {
    "bus": set(),
    "identity": {"bus"},
    "imaging": {"bus"},
    "camera": {"bus", "imaging"},
    "models": {"bus"},
    "plc_io": {"bus"},
    "records": {"bus", "identity", "camera.frame", "imaging"},
    "shift": {"bus", "records.people_read", "records.read"},
    "inspect": {"bus", "camera.frame", "imaging", "models"},
    "training": {"bus", "imaging", "models", "records.read", "records.people_read"},
    "fleet": {"bus", "identity", "models", "records"},
    "webui": {
        *("bus", "camera.frame", "identity", "imaging", "models.figures"),
        *(f"records.{door}" for door in WEB_DOORS),
    },
    "workshop": {
        *("bus", "imaging", "camera.frame", "inspect", "models", "training", "fleet.activate"),
        *("records.read", "records.people_read", "records.figures_read", "records.export_files"),
        *("records.parcel", "records.export", "records.seal_read", "records.check"),
    },
    "cloud": {"bus", "identity", "fleet.rings"},
    "simline": set(),
}
"""Rooms, and what each may import of the others. A dotted entry is one file: the only door for this guest."""
TOP = {"__init__", "__main__", "settings"}
"""The files at the root. `__main__` and `settings` may import any room."""
# The box as a whole knows every room and the settings; no room knows it.
MAY_IMPORT["appliance"] = {*MAY_IMPORT, "settings"}
HELD_BY: dict[str, str | set[str]] = {
    "harvesters": "camera.gentl",
    "genicam": "camera.gentl",
    "gi": "camera",
    "zxingcpp": {"imaging.codes", "imaging.qr"},
    "onnxruntime": "models",
    "pymodbus": "plc_io",
    "serial": "plc_io",
    "gpiod": "plc_io",
    "asyncua": "plc_io",
    "paho": "plc_io",
    "cryptography": {"plc_io", "identity", "fleet", "cloud", "models.vouched"},
    "apsw": "records",
    "weasyprint": "webui",
    "pyarrow": {"records", "cloud"},
    "argon2": {"records", "cloud"},
    "sqlite3": "records",
    "flask": {"webui", "cloud"},
    "flask_babel": {"webui", "cloud"},
    "prometheus_client": {"webui", "cloud"},
    "spectree": {"webui", "cloud"},
    "wtforms": {"webui", "cloud"},
    "flask_wtf": {"webui", "cloud"},
    "flask_limiter": {"webui", "cloud"},
    "babel": {"webui", "cloud"},
    "jinja2": {"webui", "cloud"},
    "markupsafe": {"webui", "cloud"},
    "werkzeug": {"webui", "cloud"},
    "gunicorn": {"webui", "cloud"},
    "onnx": "training",
    "torch": "training",
    "torchvision": "training",
    "onnxscript": "training",
    "mlflow": "training",
    "optuna": "training",
    "boto3": {"fleet", "cloud"},
    "model_signing": "fleet.signing",
    "OpenSSL": "fleet.signing",
    "botocore": {"fleet", "cloud"},
    "urllib3": {"fleet", "cloud"},
    "tuf": "fleet",
    "securesystemslib": "fleet",
    "psycopg": "cloud",
    "sqlalchemy": "cloud",
    "alembic": "cloud",
    "authlib": "cloud",
    "ray": "training",
    "msgspec": "bus",
    "zmq": "bus",
    "pyModbusTCP": "simline",
}
"""Libraries that one room (or one file of it) holds for all; `cryptography` the room of keys and the wire's TLS."""
KEPT_OUT: dict[str, set[str]] = {"numpy": {"bus", "plc_io"}, "cv2": {"bus", "plc_io"}}
"""Libraries free to all rooms but these: the process at the PLC stays light."""
NOT_CODE = {
    ".git",
    ".venv",
    ".venv-train",
    ".venv-foreign",
    ".venv-mlflow",
    "build",
    "dist",
    "demo-out",
    "node_modules",
}
HEAVY = ("numpy", "cv2", "flask", "onnxruntime", "onnx", "torch", "harvesters", "apsw", "mlflow")


def code_files(root: Path) -> list[Path]:
    """Every Python file of ours: rooms, tests, bench."""
    return [f for f in sorted(root.rglob("*.py")) if not NOT_CODE & set(f.relative_to(root).parts)]


def shipped_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (room, file) for what is in the package; the root's own files have room ``""``."""
    yield from (("", f) for f in sorted(root.glob("*.py")))
    for room in MAY_IMPORT:
        yield from ((room, f) for f in sorted((root / room).rglob("*.py")))


def dotted(root: Path, file: Path) -> str:
    """`camera.gentl` for camera/gentl.py."""
    return ".".join(file.relative_to(root).with_suffix("").parts)


def imported(root: Path, file: Path) -> Iterator[tuple[str, bool]]:
    """Yield (full name, written relatively), for example ``("okng.camera.frame.Frame", True)``.

    Imports inside functions, under TYPE_CHECKING and by `import_module("...")` count like any other.
    """
    here = ["okng", *file.relative_to(root).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", bool(node.level)) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in {"import_module", "__import__"}:
                text = str(node.args[0].value)
                level = len(text) - len(text.lstrip("."))
                start = here[: len(here) - level + 1] if level else []
                yield ".".join([*start, text.lstrip(".")]), bool(level)


def within(name: str, doors: set[str]) -> bool:
    return any(name == door or name.startswith(door + ".") for door in doors)


def holders(library: str) -> set[str]:
    """Who may import a library that is held."""
    held = HELD_BY[library]
    return {held} if isinstance(held, str) else held


def broken_walls(root: Path) -> list[str]:
    """Imports that go through a wall, and libraries outside the room that holds them."""
    bad = []
    for room, file in shipped_files(root):
        me = dotted(root, file)
        doors = MAY_IMPORT[room] | {room} if room else set(MAY_IMPORT) | TOP
        for name, relative in imported(root, file):
            head, _, rest = name.partition(".")
            if head == "okng":
                if not relative:
                    bad.append(f"{me}: rooms import each other relatively, not {name}")
                if rest != "__version__" and not within(rest, doors):
                    bad.append(f"{me} must not import {rest}")
            if head in HELD_BY and not within(me, holders(head)):
                bad.append(f"{me}: {head} belongs to {', '.join(sorted(holders(head)))}")
            if room in KEPT_OUT.get(head, set()):
                bad.append(f"{me}: {head} stays out of {room}")
    return bad


NEVER_REACHED: dict[str, set[str]] = {
    "mlflow": {"training", "appliance"},
    "ray": {"training", "appliance"},
    "optuna": {"training", "appliance"},
}
"""Libraries of the training side, and the rooms that may come upon them: no process of a box does, by whatever way."""


def reached(root: Path) -> list[str]:
    """Files of the box from which a library of the training side can be reached, over any number of imports."""
    files = {dotted(root, file).removesuffix(".__init__"): (room, file) for room, file in shipped_files(root)}
    leads: dict[str, set[str]] = {}
    holds: dict[str, set[str]] = {}
    for name, (_, file) in files.items():
        for said, _ in imported(root, file):
            head, _, rest = said.partition(".")
            if head in NEVER_REACHED:
                holds.setdefault(name, set()).add(head)
            if head == "okng":
                # `from .a import b` names a file a.b, or something in the file a.
                leads.setdefault(name, set()).update({rest, rest.rpartition(".")[0]} & files.keys())
    bad = []
    for name, (room, _) in sorted(files.items()):
        seen, waiting = {name}, [name]
        while waiting:
            new = leads.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        found = {(library, by) for by in seen for library in holds.get(by, set())}
        bad += [
            f"{name} reaches {library} by {by}"
            for library, by in sorted(found)
            if room and room not in NEVER_REACHED[library]
        ]
    return bad


def bare_imports(root: Path) -> list[str]:
    """`import camera.frame` works from the root and is a second copy of everything: refused everywhere."""
    bad = []
    for file in code_files(root):
        for name, relative in imported(root, file):
            head, _, rest = name.partition(".")
            if relative or head not in {*MAY_IMPORT, "settings"}:
                continue
            # Python's own `inspect` stays allowed; a file of ours under that name does not.
            if head == "inspect" and not (root / "inspect" / f"{rest.split('.')[0]}.py").exists():
                continue
            bad.append(f"{dotted(root, file)}: bare import of {name}")
    return bad


def busy_inits(root: Path) -> list[str]:
    """An `__init__.py` that imports ties knots; one in inspect/ or tests/ takes a name that is not ours."""
    bad = [f"{dotted(root, f)} must not exist" for f in [root / "inspect/__init__.py"] if f.exists()]
    bad += [f"{dotted(root, f)} must not exist" for f in sorted((root / "tests").rglob("__init__.py"))]
    for _, file in shipped_files(root):
        if file.name == "__init__.py":
            bad += [f"{dotted(root, file)} imports {name}" for name, _ in imported(root, file)]
    return bad


def unshipped(root: Path) -> list[str]:
    """Code and data that an editable install sees and a wheel leaves out."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    listed = set(config["options"]["packages"].split())
    found = {".".join(["okng", *f.parent.relative_to(root).parts]) for _, f in shipped_files(root)}
    bad = [f"setup.cfg packages: {name} is missing" for name in sorted(found - listed)]
    bad += [f"setup.cfg packages: {name} holds no code" for name in sorted(listed - found)]
    bad += [f"{f.name} at the root: only {sorted(TOP)}" for f in sorted(root.glob("*.py")) if f.stem not in TOP]
    tops = {f.relative_to(root).parts[0] for f in code_files(root) if f.parent != root}
    bad += [f"{top}/ holds code and is no room" for top in sorted(tops - {*MAY_IMPORT, "tests", "bench", "packaging"})]
    data = config["options.package_data"] if config.has_section("options.package_data") else {}
    named = {"__pycache__", ".mypy_cache", ".ruff_cache"}
    for room in MAY_IMPORT:
        patterns = [p.strip() for p in data.get(f"okng.{room}", "").split(",") if p.strip()]
        kept = {f for pattern in patterns for f in (root / room).glob(pattern)}
        for file in sorted((root / room).rglob("*")):
            # A built camera is made on the machine it runs on; a README explains the source.
            own = file.suffix in {".py", ".cti", ".so", ".o", ".pot"} or file.name == "README.md"
            if file.is_file() and not own and file not in kept and not named & set(file.parts):
                bad.append(f"{file.relative_to(root)}: no pattern of package_data ships it")
    return bad


def taken_names(root: Path) -> list[str]:
    """Modules named like one of the standard library or like a library: they shadow it on the path."""
    taken = (sys.stdlib_module_names | set(HELD_BY) | set(KEPT_OUT)) - TOP
    return [f"{dotted(root, f)}: the name is taken" for room, f in shipped_files(root) if room and f.stem in taken]


def named_places(root: Path) -> list[str]:
    """Committed text that names a place of one machine, or the host of a package registry."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    # Put together here, so that this file names none of them.
    places = ["/" + name + "/" for name in ("work", "root", "opt/wheels", "opt/pypi")]
    hosts = [".".join(name) for name in (("pypi", "org"), ("files", "pythonhosted"), ("registry", "npmjs"))]
    hosts.append("deb." + "debian")
    bad = []
    for name in listing.stdout.decode().split("\0"):
        file = root / name
        if not name or not file.is_file() or file.is_symlink() or file.stat().st_size > 2_000_000:
            continue
        text = file.read_bytes().decode("utf-8", errors="ignore")
        bad += [f"{name} names {word}" for word in places + hosts if word in text]
    return bad


WALLS: list[Callable[[Path], list[str]]] = [
    broken_walls,
    reached,
    bare_imports,
    busy_inits,
    unshipped,
    taken_names,
    named_places,
]


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.__name__)
def test_the_wall_stands(wall: Callable[[Path], list[str]]) -> None:
    assert wall(ROOT) == []


@pytest.fixture
def small_house(tmp_path: Path) -> Path:
    """A tree that keeps to the plan and holds next to nothing."""
    for name in TOP:
        (tmp_path / f"{name}.py").write_text('"""Nothing."""\n')
    for room in MAY_IMPORT:
        (tmp_path / room).mkdir()
        (tmp_path / room / "thing.py").write_text('"""Nothing."""\n')
        if room != "inspect":
            (tmp_path / room / "__init__.py").write_text('"""Nothing."""\n')
    (tmp_path / "tests").mkdir()
    packages = "\n".join(f"    okng.{room}" for room in MAY_IMPORT)
    (tmp_path / "setup.cfg").write_text(
        f"[options]\npackages =\n    okng\n{packages}\n[options.package_data]\nokng.webui = *.html\n"
    )
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.__name__)
def test_a_small_house_that_keeps_the_plan_passes(small_house: Path, wall: Callable[[Path], list[str]]) -> None:
    assert wall(small_house) == []


BREACHES = r"""
broken_walls  bus/thing.py          from ..camera import frame              bus.thing must not import camera.frame
broken_walls  camera/thing.py       from ..models.bundle import Bundle      must not import models.bundle.Bundle
broken_walls  webui/thing.py        from ..records.write import save        must not import records.write.save
broken_walls  webui/thing.py        from .. import records                  webui.thing must not import records
broken_walls  inspect/thing.py      from ..camera.gentl import Camera       must not import camera.gentl.Camera
broken_walls  simline/thing.py      from ..bus.clock import now_ns          must not import bus.clock.now_ns
broken_walls  models/thing.py       from ..settings import load             must not import settings.load
broken_walls  plc_io/thing.py       from ..appliance.doctor import look     must not import appliance.doctor.look
broken_walls  models/deep/thing.py  from ...plc_io.map import REG           must not import plc_io.map.REG
broken_walls  fleet/thing.py        def f():\n from ..webui import app      fleet.thing must not import webui.app
broken_walls  fleet/thing.py        import_module('..webui', __package__)   fleet.thing must not import webui
broken_walls  records/thing.py      import okng.bus.part                    relatively, not okng.bus.part
broken_walls  camera/thing.py       import harvesters.core                  harvesters belongs to camera.gentl
broken_walls  inspect/thing.py      import onnxruntime                      onnxruntime belongs to models
broken_walls  webui/thing.py        import sqlite3                          sqlite3 belongs to records
broken_walls  simline/thing.py      from pymodbus.client import Client      pymodbus belongs to plc_io
broken_walls  plc_io/thing.py       import zmq                              zmq belongs to bus
broken_walls  settings.py           import torch                            settings: torch belongs to training
broken_walls  models/thing.py       if TYPE_CHECKING:\n import onnx         onnx belongs to training
broken_walls  plc_io/thing.py       import numpy as np                      numpy stays out of plc_io
broken_walls  bus/thing.py          import cv2                              cv2 stays out of bus
reached       fleet/thing.py        import mlflow                           fleet.thing reaches mlflow by fleet.thing
reached       inspect/thing.py      def f():\n import mlflow.client        inspect.thing reaches mlflow by inspect.thing
bare_imports  tests/test_x.py       import camera.frame                     tests.test_x: bare import of camera.frame
bare_imports  webui/thing.py        from records import read                webui.thing: bare import of records.read
bare_imports  bench/line.py         from inspect import thing               bare import of inspect.thing
busy_inits    inspect/__init__.py   pass                                    inspect.__init__ must not exist
busy_inits    tests/x/__init__.py   pass                                    tests.x.__init__ must not exist
busy_inits    camera/__init__.py    from .frame import Frame                imports okng.camera.frame.Frame
unshipped     webui/forms/thing.py  pass                                    packages: okng.webui.forms is missing
unshipped     conftest.py           pass                                    conftest.py at the root
unshipped     tools/thing.py        pass                                    tools/ holds code and is no room
unshipped     webui/page.css        a {}                                    webui/page.css: no pattern of package_data
taken_names   plc_io/serial.py      pass                                    plc_io.serial: the name is taken
taken_names   models/onnx.py        pass                                    models.onnx: the name is taken
taken_names   bus/queue.py          pass                                    bus.queue: the name is taken
named_places  docs/x.md             see /{}work/main                        docs/x.md names /{}work/
named_places  requirements/x.txt    --find-links /{}opt/wheels/             requirements/x.txt names /{}opt/wheels/
"""
"""Wall, file, what is planted in it, and what the wall must say (`{}` keeps this very file from naming the place)."""


def breaches() -> list[tuple[str, ...]]:
    lines = [line.replace(r"\n", "\n").replace("{}", "") for line in BREACHES.strip().split("\n")]
    return [tuple(re.split(r" {2,}", line)) for line in lines]


@pytest.mark.parametrize(("wall", "where", "text", "found"), breaches())
def test_a_breach_is_found(small_house: Path, wall: str, where: str, text: str, found: str) -> None:
    file = small_house / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    (check,) = [check for check in WALLS if check.__name__ == wall]
    assert [said for said in check(small_house) if found in said] != []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("webui/thing.py", "import inspect\nfrom inspect import signature\n"),
        ("camera/gentl.py", "import harvesters.core\nfrom genicam import gentl\n"),
        ("inspect/thing.py", "from ..camera.frame import Frame\nfrom ..models import bundle\nimport cv2\n"),
        ("records/thing.py", "from .. import __version__\nfrom ..camera import frame\n"),
        ("tests/test_x.py", "from okng.camera.frame import Frame\nimport sqlite3\n"),
    ],
)
def test_what_is_allowed_is_not_found(small_house: Path, where: str, text: str) -> None:
    (small_house / where).write_text(text)
    assert [found for wall in WALLS for found in wall(small_house)] == []


def test_a_library_of_the_training_side_is_found_over_any_number_of_imports(small_house: Path) -> None:
    (small_house / "training/deep.py").write_text("def f():\n    from mlflow.tracking import MlflowClient\n")
    (small_house / "training/middle.py").write_text("from .deep import f\n")
    (small_house / "workshop/thing.py").write_text("from ..training import middle\n")
    (small_house / "appliance/thing.py").write_text("from ..training import middle\n")
    assert reached(small_house) == ["workshop.thing reaches mlflow by training.deep"]


def test_a_browser_that_comes_before_the_loops_is_found() -> None:
    """And one that comes after them, or a test that starts its own, is not."""
    asks = {"bus": ("page", "playwright"), "line": ("panel",), "plc_io": ("playwright",), "webui": ("playwright",)}
    items: Any = [
        SimpleNamespace(nodeid=room, path=ROOT / "tests" / room / "test_x.py", fixturenames=names)
        for room, names in asks.items()
    ]
    assert browsers_too_early(items) == ["bus", "plc_io"]


def in_a_new_process(code: str) -> str:
    """Run code from the root, as a person would, and return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pythons_own_inspect_wins_at_the_root() -> None:
    place = Path(in_a_new_process("import inspect; inspect.signature; print(inspect.__file__)"))
    assert place.name == "inspect.py"
    assert not place.is_relative_to(ROOT / "inspect")


@pytest.mark.parametrize("door", ["settings", "__main__", "plc_io", "bus"])
def test_the_way_to_the_plc_carries_nothing_heavy(door: str) -> None:
    """The io process is `okng io`: the doors, the settings, plc_io and bus."""
    files = sorted((ROOT / door).glob("*.py")) if (ROOT / door).is_dir() else [ROOT / f"{door}.py"]
    names = ["okng." + dotted(ROOT, file).removesuffix(".__init__") for file in files]
    code = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
    assert in_a_new_process(code + f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))") == ""


def test_the_version_is_written_once_and_literally() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    values = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert len(values) == 1
    assert isinstance(values[0], ast.Constant)
    assert isinstance(values[0].value, str)
    assert "version = attr: okng.__version__" in (ROOT / "setup.cfg").read_text(encoding="utf-8")

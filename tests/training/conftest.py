"""A product that exists only in numbers: brushed plates with a hole, made from a seed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.models.pictures import encode_png
from okng.training.options import TeachOptions
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

from .mlflow_server import HOME, MlflowServer, tool

SIDE = 96
Pixels = npt.NDArray[np.uint8]
Write = Callable[..., list[Path]]


def plate(seed: int, *, colour: bool = False, defect: str = "", side: int = SIDE) -> Pixels:
    """Return one plate. defect: empty, `scratch` or `stain`."""
    rng = np.random.default_rng(seed)
    lines = rng.normal(0, 9, (side, 1)) + cv2.GaussianBlur(rng.normal(0, 22, (side, side)), (31, 1), 0)
    light = np.linspace(-12, 12, side)[None, :] + rng.normal(0, 3)
    picture = np.clip(130 + lines + light, 0, 255).astype(np.uint8)
    cv2.circle(picture, (side // 2 + int(rng.integers(-2, 3)), side // 2), side // 8, 25, -1, cv2.LINE_AA)
    x, y = int(rng.integers(side // 8, side // 3)), int(rng.integers(side // 8, side - side // 4))
    if defect == "scratch":
        cv2.line(picture, (x, y), (x + side // 6, y + side // 6), 240, 2, cv2.LINE_AA)
    elif defect == "stain":
        cv2.ellipse(picture, (x, y), (side // 12, side // 18), 30, 0, 360, 55, -1, cv2.LINE_AA)
    if not colour:
        return picture
    tint = np.array([1.0, 0.85, 0.6])
    return np.asarray(picture[..., None] * tint, np.uint8)


def write(folder: Path, seeds: range, **how: object) -> list[Path]:
    """Write plates of these seeds as PNG files and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for seed in seeds:
        path = folder / f"{seed:04}.png"
        path.write_bytes(encode_png(plate(seed, **how)))  # type: ignore[arg-type]
        files.append(path)
    return files


QUICK = TeachOptions(
    name="plate", size_px=SIDE, heads="usual", bank=128, dimensions=24, overkill_percent=5.0, threads=1
)


@pytest.fixture(scope="session")
def goods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty good plates, grey."""
    folder = tmp_path_factory.mktemp("goods")
    write(folder, range(40))
    return folder


@pytest.fixture(scope="session")
def taught(goods: Path, tmp_path_factory: pytest.TempPathFactory) -> TeachReport:
    """A bundle taught from them."""
    return teach(goods, tmp_path_factory.mktemp("bundles") / "plate", QUICK)


@pytest.fixture(scope="session")
def tests_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plates nobody was taught from: thirty good ones, fifteen scratched, fifteen stained."""
    folder = tmp_path_factory.mktemp("plates")
    write(folder / "good", range(1000, 1030))
    write(folder / "scratch", range(2000, 2015), defect="scratch")
    write(folder / "stain", range(3000, 3015), defect="stain")
    return folder


@pytest.fixture
def write_plates() -> Write:
    """The writer, for tests that need plates of their own."""
    return write


@pytest.fixture
def quick() -> TeachOptions:
    """Options of a small, quick teaching."""
    return QUICK


def write_crosses(folder: Path, seeds: range) -> Path:
    """Write plates with a soft dark cross, and masks of what is wrong with them, in MVTec layout; return the folder."""
    shown, drawn = folder / "test" / "cross", folder / "ground_truth" / "cross"
    drawn.mkdir(parents=True)
    shown.mkdir(parents=True)
    for seed in seeds:
        picture, mask = plate(seed).astype(np.float32), np.zeros((SIDE, SIDE), np.uint8)
        rng = np.random.default_rng(seed)
        x, y = int(rng.integers(14, 34)), int(rng.integers(60, 80))
        cv2.line(mask, (x - 7, y), (x + 7, y), 255, 3)
        cv2.line(mask, (x, y - 7), (x, y + 7), 255, 3)
        spoilt = np.clip(picture - 11.0 * (mask > 0), 0, 255).astype(np.uint8)
        (shown / f"{seed}.png").write_bytes(encode_png(spoilt))
        (drawn / f"{seed}_mask.png").write_bytes(encode_png(mask))
    return folder


@pytest.fixture(scope="session")
def crosses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Eight labelled crosses to learn from, and twenty-five others."""
    folder = tmp_path_factory.mktemp("crosses")
    return write_crosses(folder / "known", range(5000, 5008)), write_crosses(folder / "new", range(6000, 6025))


def asks_mlflow(item: pytest.Item) -> bool:
    """True for a test that needs the server."""
    return "mlflow" in item.name or "mlflow" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and asks_mlflow(item):
            item.add_marker(pytest.mark.timeout(300))  # a cold start alone may take longer than the usual bound


@pytest.fixture(scope="session", autouse=True)
def _mlflow_begun(request: pytest.FixtureRequest) -> Iterator[MlflowServer | None]:
    """Begin it with the first test where any will ask for it: by then it has come up beside the others."""
    if not (HOME / "mlflow").exists() or not any(map(asks_mlflow, request.session.items)):
        yield None
        return
    server = MlflowServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mlflow(_mlflow_begun: MlflowServer | None) -> MlflowServer:
    """A real MLflow server that answers."""
    tool("mlflow")
    assert _mlflow_begun is not None
    _mlflow_begun.url()
    return _mlflow_begun

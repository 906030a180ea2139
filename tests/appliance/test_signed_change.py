"""Real processes where signatures are asked for: the PLC gets no job that is not signed, nor READY at the start."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.bus.asks import Ask, new_id
from okng.bus.channel import Subscriber, ask_once, io_address
from okng.bus.messages import StationState
from okng.bus.rights import COMMANDS
from okng.inspect.recipe import read_recipe
from okng.plc_io.signals import Status
from okng.simline.scene import Scene

from .test_job_change import PICTURE, SAYS, SERIALS, Floor

pytestmark = pytest.mark.line


@pytest.fixture
def floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Floor]:
    """A box that has just been started and asks for an approval; nothing is signed."""
    run_dir = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    monkeypatch.setenv("OKNG_SIM", str(run_dir / "sim"))
    with Scene(run_dir / "sim", SERIALS["top"], 320 * 240 * 3) as scene:
        scene.show(PICTURE, 1)
        made = Floor(tmp_path, run_dir)
        with (tmp_path / "okng.toml").open("a", encoding="utf-8") as settings:
            settings.write('signatures_required = ["approved"]\n')
        try:
            made.box.start()
            yield made
        finally:
            made.close()
            shutil.rmtree(run_dir, ignore_errors=True)


def asked(floor: Floor, name: str, by: str, /, **body: object) -> None:
    answer = ask_once(floor.run_dir, "records", Ask(new_id(), name, by, COMMANDS[name].right, "seen", body), 10_000)
    assert answer is not None, "records is silent"
    assert answer.done, answer.detail


def approve(floor: Floor, recipe: Path) -> None:
    body = {"who": "eve", "secret": "2580", "meaning": "approved", "kind": "recipe", "name": recipe.name}
    asked(floor, "signature.make", "eve", **body, digest=read_recipe(recipe).digest, panel="panel")


def test_the_plc_gets_no_job_before_its_recipe_is_signed(floor: Floor, tmp_path: Path) -> None:
    ear, reasons = Subscriber([io_address(floor.run_dir)], (StationState,)), list[str]()

    def heard(why: str) -> bool:
        for said in ear.drain():
            if isinstance(said, StationState):
                reasons[:] = said.reasons
        return why in reasons

    try:
        revision = read_recipe(tmp_path / "cap.yaml").revision
        why = f"recipe {revision} of job 1 is not signed as approved"
        floor.until("it is all that READY waits for", lambda: heard(why) and reasons == [why])
        assert Status.READY not in floor.status
        asked(floor, "account.first", "", name="ann", password="correct horse")
        asked(floor, "account.create", "ann", name="eve", role="engineer", pin="2580")
        approve(floor, tmp_path / "cap.yaml")
        assert floor.judged() is SAYS[1], "READY came by itself"
        floor.ask(2)
        revision = read_recipe(tmp_path / "lid.yaml").revision
        refused = f"job change refused: recipe {revision} of job 2 is not signed as approved"
        floor.until("why stands on the screen", lambda: heard(refused))
        assert floor.answer() == Status.JOB_FAIL
        assert floor.job == 1
        assert floor.judged() is SAYS[1]
        approve(floor, tmp_path / "lid.yaml")
        floor.ask(2)
        assert floor.answer() == Status.JOB_DONE
        assert floor.judged() is SAYS[2]
    finally:
        ear.close()

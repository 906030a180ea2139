"""Where the settings ask for signatures, no job without them comes into force, whoever asks for it."""

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from okng.appliance.jobs import Jobs
from okng.bus.asks import Ask, new_id
from okng.bus.errors import BadLedger, BadRecipe
from okng.bus.messages import Job
from okng.models.bundle import write_bundle
from okng.plc_io.job_desk import LOOK_NS, JobDesk
from okng.records.ledger import Ledger
from okng.records.signed_list import FILE, read_signed, unsigned, write_signed
from okng.records.tasks import records_desk
from okng.settings import read_settings

from ..models.conftest import contents, fields, graph


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Jobs 7, to begin with, and 8; `approved` is asked for."""
    write_bundle(tmp_path / "good", contents(graph().SerializeToString()), fields())
    for name in ("cap", "lid"):
        content = {"name": name, "deadline_ms": 300, "bundle": "good", "camera": {"width": 64, "height": 48}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    path = tmp_path / "okng.toml"
    path.write_text(
        'recipe = "cap.yaml"\n[jobs]\n8 = "lid.yaml"\n[box]\nrun_dir = "run"\n[camera.top]\n[plc]\njob_number = 7\n'
        '[records]\nstore = "store"\nsignatures_required = ["authored", "approved"]\n',
        encoding="utf-8",
    )
    (tmp_path / "store").mkdir()
    return Jobs(read_settings(path), path)


def sign(store: Path, digest: str, **meanings: str) -> None:
    """By real persons over the real desk: `authored="eve"`."""
    with closing(Ledger(store)) as ledger:
        desk = records_desk(ledger, store, lambda: "", lambda _: None)

        def done(command: str, by: str, reason: str = "", **body: object) -> None:
            right = "user.edit" if command == "account.create" else ""
            answer = desk.answer(Ask(new_id(), command, by, right, reason, body))
            assert answer.done, answer.detail

        done("account.first", "", name="ann", password="correct horse")
        for name in set(meanings.values()):
            done("account.create", "ann", name=name, role="engineer", pin="2580")
        for meaning, who in meanings.items():
            body = {"who": who, "secret": "2580", "meaning": meaning, "kind": "recipe", "name": "cap", "digest": digest}
            done("signature.make", who, "seen", **body, panel="panel")


def test_a_job_whose_recipe_is_not_signed_cannot_be_had_by_the_plc(jobs: Jobs, tmp_path: Path) -> None:
    store, lid = tmp_path / "store", jobs.recipe(8)
    with pytest.raises(BadRecipe, match=rf"recipe {lid.revision} of job 8 cannot be told to be signed: .*{FILE}"):
        jobs.read(8)
    write_signed(store, {lid.digest[:12]: ["authored", "approved"], lid.digest: ["authored"]})
    with pytest.raises(BadRecipe, match=rf"^recipe {lid.revision} of job 8 is not signed as approved$"):
        jobs.read(8)
    sign(store, lid.digest, authored="eve", approved="ed")
    assert jobs.read(8).job.revision == lid.revision
    (tmp_path / "lid.yaml").write_text((tmp_path / "lid.yaml").read_text() + "# another word\n")
    with pytest.raises(BadRecipe, match="is not signed as authored, approved"):
        jobs.read(8)


def test_the_desk_of_io_refuses_it_in_words(jobs: Jobs, tmp_path: Path) -> None:
    write_signed(tmp_path / "store", {})
    told: list[Job | str] = []

    async def ask() -> None:
        desk, heard = JobDesk(jobs.table(), tmp_path), asyncio.Event()

        def tell(change: int, found: Job | str) -> None:
            told.append(found)
            heard.set()

        desk.read(1, 8, tell)
        await asyncio.wait_for(heard.wait(), 30)

    asyncio.run(ask())
    assert told == [f"recipe {jobs.recipe(8).revision} of job 8 is not signed as authored, approved"]


def test_a_box_that_starts_with_an_unsigned_recipe_is_not_ready_until_it_is_signed(jobs: Jobs, tmp_path: Path) -> None:
    store, cap = tmp_path / "store", jobs.recipe(7)
    write_signed(store, {})
    table = jobs.table()

    async def live() -> None:
        desk = JobDesk(table, tmp_path)
        why = (f"recipe {cap.revision} of job 7 is not signed as authored, approved",)
        assert desk.blockers(7, table.first.job) == why
        assert desk.blockers(8, jobs.job(8)) == ()
        desk.look(0)
        write_signed(store, {cap.digest: ["authored", "approved"]})
        for at in range(1, 2000):
            desk.look(at * LOOK_NS)
            await asyncio.sleep(0.005)
            if not desk.blockers(7, table.first.job):
                return
        raise AssertionError("READY never comes")

    asyncio.run(live())


def test_without_the_rule_no_list_is_asked_for(jobs: Jobs, tmp_path: Path) -> None:
    path = tmp_path / "okng.toml"
    path.write_text(path.read_text().replace('signatures_required = ["authored", "approved"]\n', ""))
    free = Jobs(read_settings(path), path)
    assert free.read(8).lacks() == ""
    assert free.table().first.lacks() == ""


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"version": 2, "recipes": {}}', '{"version": 1, "recipes": []}', "[" * 100_000],
    ids=["empty", "list", "version", "recipes", "deep"],
)
def test_a_list_that_does_not_read_counts_for_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(BadLedger, match=r"records writes it|expected 1"):
        read_signed(tmp_path)
    assert unsigned(tmp_path, "ab" * 32, ("approved",)).startswith("cannot be told to be signed")
    assert unsigned(tmp_path, "ab" * 32, ()) == ""


def test_what_io_reads_it_by_brings_no_ledger_with_it() -> None:
    code = "import sys; import okng.appliance.jobs; print(sorted({'apsw', 'numpy', 'cv2'} & set(sys.modules)))"
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert made.stdout.strip() == "[]"

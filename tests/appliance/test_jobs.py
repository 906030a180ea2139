"""The table of jobs: what the settings may say, what each process comes up with, what a check finds."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from okng.appliance.jobs import Jobs, JobsNow, check_jobs, checked
from okng.bus.active_job import keep_job
from okng.bus.errors import BadRecipe, BadSettings
from okng.bus.messages import Agreement
from okng.inspect.inspector import Inspector
from okng.inspect.options import InspectOptions
from okng.models.bundle import write_bundle
from okng.models.manifest import digest
from okng.settings import read_settings

from ..models.conftest import contents, fields, graph


def write_recipe(path: Path, bundle: str) -> None:
    content = {"name": path.stem, "deadline_ms": 300, "bundle": bundle, "camera": {"width": 64, "height": 48}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Settings of three jobs: a good one to begin with, a good one, and one whose bundle is damaged."""
    files = contents(graph().SerializeToString())
    for name in ("good", "torn"):
        write_bundle(tmp_path / name, files, fields())
    (tmp_path / "torn" / "model.onnx").write_bytes(b"torn")
    write_recipe(tmp_path / "cap.yaml", "good")
    write_recipe(tmp_path / "lid.yaml", "good")
    write_recipe(tmp_path / "torn.yaml", "torn")
    return write_settings(tmp_path, '[jobs]\n7 = "cap.yaml"\n8 = "lid.yaml"\n65535 = "torn.yaml"')


def write_settings(folder: Path, jobs: str) -> Path:
    path = folder / "okng.toml"
    path.write_text(
        f"""
recipe = "cap.yaml"
{jobs}
[box]
run_dir = "run"
[camera.top]
[plc]
job_number = 7
[records]
store = "store"
""",
        encoding="utf-8",
    )
    return path


def jobs_of(path: Path) -> Jobs:
    return Jobs(read_settings(path), path)


def test_without_a_table_there_is_the_start_job(box: Path) -> None:
    settings = read_settings(write_settings(box.parent, ""))
    assert settings.recipes == {7: box.parent / "cap.yaml"}


def test_io_and_inspect_mean_the_same_job_of_several_bundles(box: Path) -> None:
    folder = box.parent
    write_bundle(folder / "other", contents(graph().SerializeToString()), fields(version="2.0.0"))
    content = {
        "name": "lid",
        "deadline_ms": 300,
        "bundle": "good",
        "cameras": {name: {"width": 64, "height": 48} for name in ("top", "side")},
        "regions": [{"name": "rim"}, {"name": "body", "camera": "top", "bundle": "other"}],
        "agreements": [{"name": "rim", "regions": ["rim"], "ng_when": "all"}],
    }
    (folder / "lid.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    box.write_text(box.read_text(encoding="utf-8").replace("[plc]", "[camera.side]\n[plc]"), encoding="utf-8")
    jobs = jobs_of(box)
    job = jobs.job(8)
    assert job.model not in {digest(folder / name) for name in ("good", "other")}
    assert job.agreements == (Agreement("rim", ("top/rim", "side/rim"), 2),)
    made = Inspector(8, jobs.recipe(8), InspectOptions(), ("top", "side"), folder, job)
    assert made.job == job
    assert f"revision {job.revision}, model {job.model[:12]}" in checked(folder / "lid.yaml")
    write_bundle(folder / "other", contents(graph().SerializeToString()), fields(version="2.0.1"), replace=True)
    with pytest.raises(BadRecipe, match="it was changed meanwhile, ask again"):
        Inspector(8, jobs.recipe(8), InspectOptions(), ("top", "side"), folder, job)


def test_a_job_of_tools_alone_needs_no_bundle(box: Path) -> None:
    content = {"name": "lid", "deadline_ms": 300, "camera": {"width": 64, "height": 48}}
    (box.parent / "lid.yaml").write_text(yaml.safe_dump({**content, "tools": [{"name": "dirt", "kind": "blob"}]}))
    assert len(jobs_of(box).job(8).model) == 64
    assert checked(box.parent / "lid.yaml").endswith("model none")


def test_each_job_is_its_recipe_and_model(box: Path) -> None:
    jobs = jobs_of(box)
    assert jobs.recipes == {
        number: box.parent / f"{name}.yaml" for number, name in ((7, "cap"), (8, "lid"), (65535, "torn"))
    }
    lid = jobs.job(8)
    assert (lid.recipe, lid.model, lid.deadline_ns) == ("lid", digest(box.parent / "good"), 300_000_000)
    setup = jobs.setup(8, "top")
    assert (setup.number, setup.revision, setup.profile.width) == (8, lid.revision, 64)
    with pytest.raises(BadSettings, match=r"there is no job 9: expected one of 7, 8, 65535"):
        jobs.job(9)
    (box.parent / "lid.yaml").unlink()
    with pytest.raises(BadRecipe, match=r"lid\.yaml: cannot be read"):
        jobs.job(8)


@pytest.mark.parametrize(
    ("jobs", "why"),
    [
        ('[jobs]\n0 = "lid.yaml"', r"jobs\.0"),
        ('[jobs]\n65536 = "lid.yaml"', "65536: expected a number of 1..65535"),
        ('[jobs]\n08 = "lid.yaml"', r"jobs\.08"),
        ('[jobs]\nlid = "lid.yaml"', r"jobs\.lid"),
        ("[jobs]\n8 = 3", r"jobs\.8"),
        ('[jobs]\n7 = "lid.yaml"', r"it is the start job \(plc\.job_number\)"),
    ],
)
def test_a_wrong_table_is_refused(box: Path, jobs: str, why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        read_settings(write_settings(box.parent, jobs))


def test_who_starts_comes_up_with_what_io_keeps(box: Path) -> None:
    jobs, run_dir = jobs_of(box), box.parent / "run"
    run_dir.mkdir()
    assert jobs.active() == 7
    keep_job(run_dir, 8)
    assert jobs.active() == 8
    keep_job(run_dir, 9)
    with pytest.raises(BadSettings, match="job 9 is active and has no recipe any more"):
        jobs.active()


def test_every_job_is_checked(box: Path) -> None:
    found = check_jobs(jobs_of(box))
    assert [one.ok for one in found] == [True, True, False]
    assert "model.onnx" in found[2].words


def test_the_command_checks_one_recipe_or_all_jobs(box: Path) -> None:
    def said(*asked: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "okng", "recipe", "check", *asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        return done.returncode, done.stdout + done.stderr

    code, words = said(str(box.parent / "lid.yaml"))
    assert (code, "lid, revision" in words) == (0, True)
    code, words = said("--settings", str(box))
    assert code == 78
    assert [line[:9] for line in words.splitlines()] == ["job 7: /t", "job 8: /t", "job 65535"]


def test_the_table_brings_nothing_heavy_into_the_process_at_the_plc() -> None:
    code = "import sys, okng.appliance.jobs; print(*({'numpy', 'cv2', 'onnxruntime', 'harvesters'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.strip() == ""


def test_a_product_that_came_later_is_a_job_without_a_new_start(box: Path) -> None:
    jobs = jobs_of(box)
    assert 12 in jobs.table().numbers
    assert 0 not in jobs.table().numbers
    text = box.read_text(encoding="utf-8")
    box.write_text(text.replace("[jobs]", '[jobs]\n12 = "lid.yaml"'), encoding="utf-8")
    assert jobs.job(12) == jobs.job(8)
    box.write_text("recipe = ", encoding="utf-8")
    assert jobs.job(12) == jobs.job(8), "settings that do not read change nothing"


def test_the_jobs_there_are_follow_the_settings(box: Path) -> None:
    """A product taught since is one, a number nobody gave is none."""
    known = JobsNow(Jobs(read_settings(box), box))
    before = set(known)
    assert 8 in known
    assert 77 not in known
    text = box.read_text(encoding="utf-8")
    box.write_text(text.replace("8 = ", '77 = "lid.yaml"\n8 = ', 1), encoding="utf-8")
    assert 77 in known
    assert set(known) == before | {77}
    assert len(known) == len(before) + 1

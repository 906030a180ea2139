"""`okng fleet serve` as a small site starts it: one command, real processes, a clean end."""

import contextlib
import hashlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
import urllib3
from click.testing import CliRunner, Result

from okng.__main__ import cli
from okng.bus.errors import BadSettings, StoreLost
from okng.cloud.database import reading
from okng.cloud.deeds import broken
from okng.cloud.process import listen as listening
from okng.cloud.seaweed import seaweed
from okng.cloud.settings import read_fleet_settings
from okng.cloud.tables import Event, Part

from .engines import Postgres, end_group, free_ports
from .rig import (
    JSONL,
    Running,
    free_port,
    line,
    part_body,
    rig,
    running,
    settings_of,
    short_folder,
    start,
    wait_until_up,
    zipped,
)


def okng(*arguments: str) -> Result:
    """`okng fleet …` within this process."""
    return CliRunner().invoke(cli, ["fleet", *arguments])


def of_group(pid: int) -> list[psutil.Process]:
    return [one for one in psutil.process_iter() if _group(one) == pid]


def _group(one: psutil.Process) -> int:
    try:
        return os.getpgid(one.pid)
    except ProcessLookupError:
        return 0


def say(made: Running, pool: urllib3.PoolManager, first: int, last: int) -> Any:
    lines = [line(seq, "part", part_body(seq)) for seq in range(first, last + 1)]
    place = f"{made.url}/v1/streams/records/1/{first}"
    return pool.request("POST", place, body=zipped(lines), headers=JSONL)


@pytest.mark.timeout(180)
def test_one_command_starts_everything_for_a_small_site_and_stops_it() -> None:
    (s3,) = free_ports(1)
    with short_folder() as folder:
        port = free_port()
        listen = f"127.0.0.1:{port}"
        made = okng(
            "init", str(folder / "f"), "--url", f"https://{listen}", "--listen", listen, "--seaweed-port", str(s3)
        )
        assert made.exit_code == 0, made.output
        (folder / "f" / "pw").write_text("correct horse battery\n")
        (folder / "f" / "pw").chmod(0o600)
        settings = ("--settings", str(folder / "f" / "fleet.toml"))
        password = ("--password-file", str(folder / "f" / "pw"))
        assert okng("person", "add", "ada", "--role", "admin", *password, *settings).output == "local:ada\n"
        assert okng("person", "list", *settings).output == "local:ada\tada\tadmin\t\n"
        with running_here(folder / "f", port) as site:
            box, data = site.rig.enrol(), os.urandom(40_000)
            pool, sha256 = site.pool(box), hashlib.sha256(data).hexdigest()
            assert say(site, pool, 1, 40).json() == {"acked": 40}
            blob = {"sha256": sha256, "size": len(data), "kind": "picture", "part_seq": 1, "epoch": 1}
            (todo,) = pool.request("POST", site.url + "/v1/blobs", json={"blobs": [blob]}).json()["blobs"]
            assert todo["url"].startswith(f"http://127.0.0.1:{s3}/")
            plain = urllib3.PoolManager(retries=False, timeout=20)
            assert plain.request("PUT", todo["url"], body=data, headers=todo["headers"]).status == 200
            assert pool.request("POST", site.url + "/v1/blobs/done", json={"sha256": sha256}).status == 200
            with pytest.raises(BadSettings, match=r"is taken.*expected another port"), seaweed(site.settings):
                pass
            with pytest.raises(BadSettings, match="another program listens there"):
                listening(site.settings)

            weeds = [one for one in psutil.Process(site.process.pid).children(recursive=True) if "weed" in one.name()]
            assert weeds
            site.process.send_signal(signal.SIGTERM)
            assert site.process.wait(60) == 0
            assert of_group(site.process.pid) == []
            assert not any(one.is_running() for one in weeds)
        assert okng("check", *settings).exit_code == 0


@contextlib.contextmanager
def running_here(folder: Path, port: int) -> Iterator[Running]:
    """The service of a folder that is founded already."""
    process = start(folder, "serve", "--settings", str(folder / "fleet.toml"))
    try:
        settings = read_fleet_settings(folder / "fleet.toml")
        ca = folder / "authority" / "ca.pem"
        with rig(settings, folder) as inside:
            made = Running(f"https://127.0.0.1:{port}", folder, ca, settings, process, inside)
            wait_until_up(made)
            yield made
    finally:
        end_group(process)


@pytest.mark.timeout(180)
def test_two_instances_of_many_workers_on_one_database_are_one_service(postgres: Postgres) -> None:
    name = postgres.fresh()
    with short_folder() as folder, running(folder / "a", postgres.settings_url(name)) as one:
        port = free_port()
        second = (one.folder / "fleet.toml").read_text()
        second = second.replace(one.url.rpartition(":")[2], str(port))
        (one.folder / "second.toml").write_text(second)
        process = start(one.folder, "serve", "--settings", str(one.folder / "second.toml"))
        two = Running(f"https://127.0.0.1:{port}", one.folder, one.ca, one.settings, process, one.rig)
        try:
            wait_until_up(two)
            boxes = [one.rig.enrol(f"box{n}") for n in range(3)]
            pools = {(box.id, made.url): made.pool(box) for box in boxes for made in (one, two)}

            def act(turn: int) -> set[int]:
                box, made = boxes[turn % 3], (one, two)[turn % 2]
                return {say(made, pools[box.id, made.url], first, first + 49).status for first in range(1, 251, 50)}

            with ThreadPoolExecutor(6) as threads:
                seen = set().union(*threads.map(act, range(12)))
            assert seen <= {200, 409}
            for box in boxes:
                for first in range(1, 251, 50):
                    assert say(two, pools[box.id, two.url], first, first + 49).status == 200
            with reading(one.rig.service.engine) as db:
                for kind in (Event, Part):
                    assert db.execute(sa.select(sa.func.count()).select_from(kind)).scalar_one() == 750
                assert broken(db) is None
        finally:
            end_group(process)
    postgres.drop(name)


@pytest.mark.timeout(180)
def test_what_was_acked_outlives_kill_nine_of_everything(postgres: Postgres) -> None:
    name = postgres.fresh()
    with short_folder() as folder, running(folder / "a", postgres.settings_url(name)) as made:
        box = made.rig.enrol()
        pool, acked, last = made.pool(box), 0, 0
        for turn in range(4):
            if turn == 2:
                os.killpg(made.process.pid, signal.SIGKILL)
                made.process.wait()
                made.process = start(folder / "a", "serve", "--settings", str(folder / "a" / "fleet.toml"))
                wait_until_up(made)
                pool = made.pool(box)
            answer = say(made, pool, last + 1, last + 100)
            assert answer.status == 200
            acked, last = answer.json()["acked"], last + 100
        with reading(made.rig.service.engine) as db:
            assert db.execute(sa.select(sa.func.count()).select_from(Part)).scalar_one() == acked == 400
    postgres.drop(name)


@pytest.mark.timeout(180)
def test_a_worker_that_dies_is_replaced(postgres: Postgres) -> None:
    name = postgres.fresh()
    with short_folder() as folder, running(folder / "a", postgres.settings_url(name)) as made:
        workers = psutil.Process(made.process.pid).children()
        assert len(workers) == 2
        for one in workers:
            one.kill()
        end, pool = time.monotonic() + 40, made.pool()
        while True:
            try:
                if pool.request("GET", made.url + "/healthz").status == 200:
                    break
            except urllib3.exceptions.HTTPError:
                assert time.monotonic() < end
                time.sleep(0.2)
    postgres.drop(name)


@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_a_place_that_is_taken_is_one_sentence(where: str) -> None:
    with short_folder() as folder, socket.socket(socket.AF_INET if where == "tcp" else socket.AF_UNIX) as other:
        other.bind(("127.0.0.1", 0) if where == "tcp" else f"{folder}/s")
        other.listen(4)
        listen = f"127.0.0.1:{other.getsockname()[1]}" if where == "tcp" else f"unix:{folder}/s"
        with pytest.raises(BadSettings, match="another program listens there"):
            listening(settings_of(folder / "f", listen=listen))


def test_a_socket_that_a_dead_service_left_is_taken_over(tmp_path: Path) -> None:
    with short_folder() as folder:
        settings = settings_of(folder / "f", listen=f"unix:{folder}/s")
        listening(settings).close()
        assert (folder / "s").exists()
        listening(settings).close()


def test_a_database_that_is_away_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hunter2hunter2")
    (tmp_path / "pw").chmod(0o600)

    def change(text: str) -> str:
        return text.replace("[blobs]", f'password_file = "{tmp_path}/pw"\n\n[blobs]')

    settings_of(tmp_path / "f", f"postgresql://okng@127.0.0.1:{free_port()}/fleet", change=change)
    said = okng("person", "list", "--settings", str(tmp_path / "f" / "fleet.toml"))
    assert isinstance(said.exception, StoreLost)
    assert "database.url" in str(said.exception)
    assert "hunter2" not in str(said.exception)
    assert len(str(said.exception).splitlines()) == 1

"""A plant: one fleet service on PostgreSQL and S3, a signed channel, and boxes with simulated lines, each a process."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import urllib3

from okng.bus.asks import Ask, new_id
from okng.bus.channel import ask_once
from okng.cloud import tokens
from okng.cloud.database import reading
from okng.cloud.rights import RIGHTS
from okng.cloud.tables import Cursor, Event, Part
from okng.tests.cloud.engines import Seaweed, end_group, postgres_server, seaweed_server
from okng.tests.cloud.rig import Running, running
from okng.tests.fleet.signers import Signing

from .station import Order

PACKAGE = Path(__file__).parents[2]
PASSPHRASE = secrets.token_hex(12)
LINE, RECIPE = "line1", "rendered-parts"
PATIENCE_S = 240.0


class Lost(AssertionError):
    """What should have come did not come."""


@dataclass
class Box:
    """One station as the plant sees it."""

    name: str
    folder: Path
    process: "subprocess.Popen[str]"
    said: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    end: dict[str, Any] | None = None

    def hear(self, key: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next line with that key."""
        assert self.process.stdout is not None
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            line = self.process.stdout.readline()
            if not line:
                break
            words: dict[str, Any] = json.loads(line)
            self.said |= words
            if key in words:
                return words
        raise Lost(f"{self.name} did not say {key!r}: {(self.folder / 'log').read_text(errors='replace')[-3000:]}")

    def tell(self, word: str) -> None:
        """An order."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    @property
    def settings(self) -> str:
        """File of the box's settings."""
        return str(self.said["settings"])


@dataclass
class Plant:
    """What the acts work with."""

    folder: Path
    service: Running
    store: Path
    """Where the channel lies."""
    keys: Path
    online: Path
    signer: Signing
    authority: Signing
    token: str
    boxes: list[Box] = field(default_factory=list)
    tell: Callable[[str], None] = print

    # -- doors of the product, as people use them --------------------------------------------------------------------

    def okng(self, *words: str | Path, expect: int | None = 0, more: dict[str, str] | None = None) -> str:
        """One command of the product; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "okng", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **(more or {})},
        )
        said = done.stdout + done.stderr
        if expect is not None and done.returncode != expect:
            raise Lost(f"okng {' '.join(map(str, words))}: exit {done.returncode}: {said[-2000:]}")
        return done.stdout if expect == 0 else said

    def api(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        """One request of a person's program."""
        answer = self._pool.request(
            method,
            self.service.url + path,
            body=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        if answer.status != expect:
            raise Lost(f"{method} {path}: {answer.status}: {answer.data[:500]!r}")
        return json.loads(answer.data) if answer.data else None

    @property
    def _pool(self) -> urllib3.PoolManager:
        return self.service.pool()

    def until(self, found: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
        """Wait until it is so and return it."""
        end = time.monotonic() + patience_s
        last: object = None
        while time.monotonic() < end:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if last := found():
                    return last
            for box in self.boxes:
                if box.end is None and box.process.poll() is not None:
                    raise Lost(f"{box.name} ended: {(box.folder / 'log').read_text(errors='replace')[-3000:]}")
            time.sleep(0.5)
        raise Lost(f"not within {patience_s:.0f} s: {what}; {last!r}")

    # -- boxes -------------------------------------------------------------------------------------------------------

    def box(self, name: str, rate: float, model_of: "Box | None" = None) -> Box:
        """Let a station begin; model_of: whose taught model it takes, so that it is taught once."""
        folder = self.folder / name
        folder.mkdir()
        if model_of is not None:
            (folder / "box").mkdir()
            for part in ("model", "goods"):
                shutil.copytree(model_of.folder / "box" / part, folder / "box" / part)
            (folder / "box" / ".okng-demo").touch()
        fleet = {
            "service": self.service.url,
            "ca": str(self.service.ca),
            "line": LINE,
            "leaves": "pictures",
            "plain_blobs": True,
            "ok_sample_percent": 100.0,
            "roots": str(self.keys / "root.json"),
            "authorities": [str(self.authority.certificate)],
            "every_s": 2,
            "state_s": 5,
        }
        order = folder / "order.json"
        order.write_text(json.dumps(asdict(Order(name, str(folder / "box"), rate, fleet))))
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "okng.tests.scenario.station", str(order)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
                start_new_session=True,
            )
        made = Box(name, folder, process)
        self.boxes.append(made)
        return made

    def shown(self, box: Box) -> dict[str, Any]:
        """What `okng ladder show --json` prints, from the door that it asks: a command for each look costs a core."""
        return self._asked(box, "sync", Ask(new_id(), "ladder.show", "console", "model.activate", ""))

    def enrolment(self, box: Box) -> dict[str, Any]:
        """What `okng fleet status --json` prints of the enrolment, from the same kind of door."""
        found: dict[str, Any] = self._asked(box, "uplink", Ask(new_id(), "fleet.look", "console", ""))["enrolment"]
        return found

    def _asked(self, box: Box, door: str, ask: Ask) -> dict[str, Any]:
        answer = ask_once(Path(box.said["run_dir"]), door, ask, 20_000)
        if answer is None or not answer.done:
            raise Lost(f"{box.name}: {ask.name}: {answer}")
        return answer.body

    def ladder(self, box: Box) -> dict[str, tuple[str, str]]:
        """Rung and reason of each bundle on a box, by digest, as its own door tells."""
        recipes = self.shown(box)["recipes"]
        return {one["bundle"]: (one["rung"], one["reason"]) for recipe in recipes for one in recipe["bundles"]}

    def rung(self, box: Box, bundle: str) -> str:
        """Where a bundle stands on a box; empty: it does not know it."""
        return self.ladder(box).get(bundle, ("", ""))[0]

    # -- channel -----------------------------------------------------------------------------------------------------

    def signed(self, bundle: Path) -> Path:
        """Sign a bundle as the signing station does."""
        self.okng("bundle", "sign", bundle, "--key", self.signer.key, "--certificate", self.signer.certificate)
        return bundle

    def publish(self, bundle: Path, rings: Sequence[str], rules: Sequence[str] = (), role: str = "challenger") -> int:
        """Offer a signed bundle to the line; its number."""
        asked: list[str | Path] = ["channel", "publish", bundle, "--store", self.store]
        asked += ["--root", self.keys / "root.json", "--key", self.keys / "targets.pem"]
        asked += ["--passphrase-file", self.keys / "passphrase", "--ca", self.authority.certificate]
        asked += ["--line", LINE, "--recipe", RECIPE, "--role", role, "--by", "Ann", "--online", self.online]
        for ring in rings:
            asked += ["--ring", ring]
        for rule in rules:
            asked += ["--rule", rule]
        said = self.okng(*asked)
        return int(said.partition(": number ")[2].partition(",")[0])

    def plan(self, seq: int) -> dict[str, Any] | None:
        """The signed plan of that number, as the service knows it; None: not yet."""
        found = self.api("GET", f"/v1/rollouts?line={LINE}&over=1")["rollouts"]
        return next((one for one in found if one["seq"] == seq), None)

    def open_ring(self, seq: int, ring: str, role: str = "challenger", reason: str = "scenario") -> None:
        """A person opens a ring."""
        self.until(lambda: self.plan(seq), f"the service takes up plan {seq}")
        self.api("POST", f"/v1/rollouts/{LINE}/{RECIPE}/{role}/{seq}/open", {"ring": ring, "reason": reason})

    # -- account -----------------------------------------------------------------------------------------------------

    def account(self, box: Box) -> dict[str, int]:
        """What the service has of a box: parts, and events that are missing or twice."""
        with reading(self.service.rig.service.engine) as db:
            parts = db.execute(sa.select(sa.func.count()).select_from(Part).where(Part.box == box.id)).scalar_one()
            gaps = 0
            for stream, epoch, acked in db.execute(
                sa.select(Cursor.stream, Cursor.epoch, Cursor.acked).where(Cursor.box == box.id)
            ).all():
                have = db.execute(
                    sa.select(sa.func.count())
                    .select_from(Event)
                    .where(Event.box == box.id, Event.stream == stream, Event.epoch == epoch)
                ).scalar_one()
                gaps += abs(int(acked) - int(have))
        return {"parts": int(parts), "gaps": gaps}


@contextlib.contextmanager
def plant(folder: Path, tell: Callable[[str], None] = print) -> Iterator[Plant]:
    """All of it, without boxes yet; everything is ended at the end."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        seaweed: Seaweed = stack.enter_context(seaweed_server())
        store, keys, online = folder / "channel", folder / "keys", folder / "online"
        for each in (store, keys):
            each.mkdir()
        (keys / "passphrase").touch(mode=0o600)
        (keys / "passphrase").write_text(PASSPHRASE)
        tell("a channel is begun: three offline root keys, one of targets, the service's own")
        _begin_channel(store, keys, online)

        def change(text: str) -> str:
            return text + f'\n[channel]\nfolder = "{store}"\nonline_keys = "{online}"\n'

        (folder / "service").mkdir()
        service = stack.enter_context(
            running(folder / "service", postgres.settings_url(postgres.fresh()), seaweed, change)
        )
        authority = Signing(keys, "plant-root")
        signer = Signing(keys, "plant-signer", authority)
        _, token = tokens.make(service.rig.service.engine, "cli:test", "scenario", tuple(RIGHTS), 2)
        made = Plant(folder, service, store, keys, online, signer, authority, token, tell=tell)
        try:
            yield made
        finally:
            for box in made.boxes:
                if box.process.poll() is None:
                    end_group(box.process)
                for pipe in (box.process.stdin, box.process.stdout):
                    assert pipe is not None
                    pipe.close()


def _begin_channel(store: Path, keys: Path, online: Path) -> None:
    asked = ["--store", store, "--keys", keys, "--online", online, "--passphrase-file", keys / "passphrase"]
    subprocess.run(
        [sys.executable, "-m", "okng", "channel", "init", *map(str, asked)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )

"""What happens in the plant, act by act: each says what came of it, or why it is not as promised."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from okng.bench.shadow import variant
from okng.bus.asks import Ask, new_id
from okng.bus.channel import ask_once
from okng.fleet.channel_upload import shelf_of
from okng.fleet.options import SyncOptions
from okng.fleet.rings import OnlineKeys, Rings
from okng.models.manifest import digest, read_manifest
from okng.records.outbox_read import OutboxReader

from .plant import LINE, RECIPE, Box, Lost, Plant

RATE = 2.0
QUICK = ("shadow_ng=0", "shadow_days=0")
"""Rules of a plan that is through in minutes: what stands for 200 defects and seven days is not waited for."""
ENDED = ("REFUSED", "ROLLED_BACK")


@dataclass
class Scene:
    """What acts leave for those that come after."""

    plant: Plant
    good: Path = Path()
    good_seq: int = 0
    channel_then: Path = Path()
    """The channel as it was when the good model was through, before what came later."""

    @property
    def boxes(self) -> list[Box]:
        """All stations."""
        return self.plant.boxes


Act = Callable[[Scene], dict[str, Any]]


def enrol(scene: Scene) -> dict[str, Any]:
    """Three boxes show a code each; an administrator types it and compares the key; a wrong code lets nobody in."""
    plant = scene.plant
    first = plant.box("press1", RATE)
    first.hear("begun")
    first.hear("flows")
    for name in ("press2", "press3"):  # one by one: a start takes all of a desk machine
        box = plant.box(name, RATE, first)
        box.hear("begun")
        box.hear("flows")
    plant.api("POST", "/v1/enrolments/look", {"code": "AAAA-0000"}, expect=404)
    for box in scene.boxes:
        process = _enrolling(plant, box)
        code, fingerprint = process
        seen = plant.api("POST", "/v1/enrolments/look", {"code": code})
        assert seen["fingerprint"] == fingerprint, (seen, fingerprint)
        said = {"code": code, "fingerprint": fingerprint, "name": box.name, "site": "hall", "line": LINE}
        box.id = plant.api("POST", "/v1/enrolments/approve", said)["box"]
        plant.until(partial(_is_enrolled, plant, box), f"{box.name} has its certificate")
        said = json.loads(plant.okng("fleet", "status", "--json", "--settings", box.settings, expect=None))
        assert said["enrolment"]["box"] == box.id, said
    return {"boxes": len(scene.boxes), "wrong_code": "refused"}


def _enrolling(plant: Plant, box: Box) -> tuple[str, str]:
    """Ask the running process to begin, as the screen does; the code and the key that the screen shows."""
    run_dir = Path(box.said["run_dir"])
    answer = ask_once(run_dir, "uplink", Ask(new_id(), "fleet.enrol", "ann", "fleet.enrol", "scenario"), 20_000)
    if answer is None or not answer.done:
        raise Lost(f"{box.name}: fleet.enrol: {answer}")

    def shown() -> dict[str, Any] | None:
        found = plant.enrolment(box)
        return found if found["code"] else None

    found = plant.until(shown, f"{box.name} shows a code")
    return found["code"], found["fingerprint"]


def _is_enrolled(plant: Plant, box: Box) -> bool:
    return bool(plant.enrolment(box)["state"] == "enrolled")


def upload(scene: Scene) -> dict[str, Any]:
    """Parts of all boxes arrive, each once, with pictures of rejects and samples."""
    plant = scene.plant
    plant.until(lambda: all(plant.account(box)["parts"] >= 20 for box in scene.boxes), "20 parts of each box")
    samples = plant.until(
        lambda: [one for one in plant.api("GET", f"/v1/samples?recipe={RECIPE}")["samples"] if one["pictures"]],
        "pictures of parts",
    )
    accounts = {box.name: plant.account(box) for box in scene.boxes}
    assert all(one["gaps"] == 0 for one in accounts.values()), accounts
    return {"accounts": accounts, "samples_with_pictures": len(samples)}


def train(scene: Scene) -> dict[str, Any]:
    """What the boxes sent becomes a version of a data set; a model is taught from it and registered."""
    plant, folder = scene.plant, scene.plant.folder
    token = {"OKNG_FLEET_TOKEN": plant.token}
    sets: tuple[str | Path, ...] = ("--store", folder / "sets")

    def oks() -> int:
        asked = f"/v1/samples?recipe={RECIPE}&outcome=OK&limit=200"
        return len([one for one in plant.api("GET", asked)["samples"] if one["pictures"]])

    plant.until(lambda: oks() >= 60, "60 pictures of OK parts at the service")

    def gathered() -> list[Path]:
        plant.okng(
            *("dataset", "gather", "plates", plant.service.url, "--ca", plant.service.ca, "--verdicts", *sets),
            *("--recipe", RECIPE, "--no-doubles", "--leave-out-broken"),
            expect=None,
            more=token,
        )
        return sorted((folder / "sets").glob("plates@*.json"), key=lambda path: int(path.stem.partition("@")[2]))

    def enough() -> tuple[Path, int] | None:
        if not (versions := gathered()):
            return None
        newest = versions[-1]
        shutil.rmtree(folder / "plates", ignore_errors=True)
        plant.okng("data", "export", newest, folder / "plates", "--to", "mvtec", expect=None)
        goods = len([path for path in (folder / "plates").rglob("good/*") if path.is_file()])
        return (newest, goods) if goods >= 30 else None

    newest, goods = plant.until(enough, "30 good pictures in the data set")
    registry = os.environ.get("OKNG_SCENARIO_REGISTRY") or folder / "registry"
    (folder / "registry").mkdir()
    plant.okng(
        *("teach", "--dataset", newest, "--out", folder / "taught", "--name", RECIPE, "--size", "128"),
        *("--overkill", "5", "--escape", "2"),  # so few goods alone would set the limit far above all of them
        *("--track", registry, "--register", "parts", "--alias", "challenger"),
    )
    return {
        "data_set": newest.stem,
        "goods": goods,
        "registry": "MLflow" if str(registry).startswith("http") else "folder",
    }


def promote(scene: Scene) -> dict[str, Any]:
    """The registry's challenger is checked anew, signed by a person, published with a plan of two rings."""
    plant, folder = scene.plant, scene.plant.folder
    registry = os.environ.get("OKNG_SCENARIO_REGISTRY") or folder / "registry"
    plant.okng("promote", "--registry", registry, "--name", "parts", "--out", folder / "promoted", "--changed-code")
    scene.good = plant.signed(folder / "promoted")
    members = {"canary": [scene.boxes[0].id], "all": [box.id for box in scene.boxes[1:]]}
    plant.api("PUT", f"/v1/lines/{LINE}/rings", {"members": members})
    scene.good_seq = plant.publish(scene.good, ("canary:20:20:50", "all:15:15:50"), QUICK)
    return {"bundle": digest(scene.good)[:12], "seq": scene.good_seq}


def shadow_and_canary(scene: Scene) -> dict[str, Any]:
    """The first ring climbs: shadow, canary, champion; nobody else takes it meanwhile."""
    plant, bundle, box = scene.plant, digest(scene.good), scene.boxes[0]
    plant.open_ring(scene.good_seq, "canary")
    seen = _climb(plant, box, bundle, "CHAMPION")
    others = [plant.rung(one, bundle) for one in scene.boxes[1:]]
    assert set(others) <= {"", "OFFERED"}, others
    assert [one for one in seen if one in ("SHADOW", "CANARY", "CHAMPION")] == ["SHADOW", "CANARY", "CHAMPION"], seen
    return {"rungs": seen, "others": others}


def _climb(plant: Plant, box: Box, bundle: str, to: str) -> list[str]:
    """Wait until a bundle stands there; what it went through, by the steps of the trail."""
    looked = False

    def there() -> bool:
        nonlocal looked
        rung = plant.rung(box, bundle)
        if rung == "SHADOW" and not looked:  # a person looks at the parts on which the two differ
            plant.okng("ladder", "seen", "--settings", box.settings, RECIPE, bundle)
            looked = True
        if rung in ENDED and to not in ENDED:
            raise Lost(f"{box.name}: {plant.ladder(box).get(bundle)}")
        return rung == to

    plant.until(there, f"{bundle[:12]} is {to} on {box.name}", 400)
    return _steps(plant, box, bundle)


def _steps(plant: Plant, box: Box, bundle: str) -> list[str]:
    """The ladder's events as they arrived at the service."""

    def told() -> list[str]:
        import sqlalchemy as sa

        from okng.cloud.database import reading
        from okng.cloud.tables import Event

        with reading(plant.service.rig.service.engine) as db:
            bodies = db.execute(
                sa.select(Event.body).where(Event.box == box.id, Event.stream == "ladder").order_by(Event.seq)
            ).scalars()
            rungs = [str(one["to"]) for one in bodies if one.get("bundle") == bundle and "to" in one]
            return [rung for rung, _ in groupby(rungs)]  # what is noted of a rung is not another one

    last = plant.rung(box, bundle)
    steps: list[str] = plant.until(
        lambda: found if (found := told()) and found[-1] == last else None, "the ladder's steps", 60
    )
    return steps


def group_rollout(scene: Scene) -> dict[str, Any]:
    """The second ring opens by itself once the first is through, and its boxes climb the same ladder."""
    plant, bundle = scene.plant, digest(scene.good)
    plant.api("POST", f"/v1/rollouts/{LINE}/{RECIPE}/challenger/{scene.good_seq}/automatic", {"reason": "scenario"})
    for box in scene.boxes[1:]:
        _climb(plant, box, bundle, "CHAMPION")
    rings = plant.until(
        lambda: (p := plant.plan(scene.good_seq)) and all(ring["through"] for ring in p["rings"]) and p["rings"],
        "all rings are through",
    )
    scene.channel_then = plant.folder / "channel-then"
    shutil.copytree(plant.store, scene.channel_then)
    return {"rings": {ring["ring"]: ring["by_rung"] for ring in rings}}


def bad_model(scene: Scene) -> dict[str, Any]:
    """A signed model that rejects nearly everything is let up on purpose: its own box takes it back, and locks it."""
    plant, box = scene.plant, scene.boxes[0]
    bad = plant.folder / "bad"
    limit = read_manifest(scene.good).threshold.value
    variant(scene.good, bad, limit * 0.02)
    plant.signed(bad)
    # Its plan is blind to disagreement and its canary is none, so that the last rule has to find it.
    rules = (*QUICK, "disagree_pct=100", "cusum_limit=4")
    seq = plant.publish(bad, ("canary:3:0:50", "all:3:0:50"), rules)
    plant.open_ring(seq, "canary")
    seen = _climb(plant, box, digest(bad), "ROLLED_BACK")
    reason = plant.ladder(box)[digest(bad)][1]
    assert "CHAMPION" in seen, seen
    assert plant.rung(box, digest(scene.good)) == "CHAMPION", plant.ladder(box)
    assert all(plant.rung(one, digest(bad)) in ("", "OFFERED") for one in scene.boxes[1:])
    plan = plant.until(lambda: (p := plant.plan(seq)) and p["rings"][0]["errors"] and p, "the service counts the error")
    return {"rungs": seen, "reason": reason, "ring_error_pct": plan["rings"][0]["error_pct"], "plan": plan["state"]}


def tampered(scene: Scene) -> dict[str, Any]:
    """One byte of a published model is flipped at the service: no box takes it, the one in use stays.

    Wrong bytes say something of whoever handed them out, nothing of the signed bundle: it stays offered, is asked for
    again ever more rarely, and the box says what it waits for.
    """
    plant, box = scene.plant, scene.boxes[1]
    other = plant.folder / "other"
    variant(scene.good, other, read_manifest(scene.good).threshold.value * 1.01)
    plant.signed(other)
    seq = plant.publish(other, ("canary:5:5:100", "all:5:5:100"), QUICK)
    changed = _flip(plant.store, other)
    plant.open_ring(seq, "canary")
    plant.open_ring(seq, "all", reason="for the test")

    def waits() -> str:
        return next(
            (one["waits"] for one in plant.shown(box)["recipes"] if "model.onnx: hashes to" in one["waits"]), ""
        )

    why = plant.until(waits, "the box says that the bytes are others")
    assert plant.rung(box, digest(other)) == "OFFERED", plant.ladder(box)
    assert plant.rung(box, digest(scene.good)) == "CHAMPION", plant.ladder(box)
    place = Path(box.said["store"]).parent / "bundles" / digest(other)
    assert not place.exists(), f"{place}: what was refused is kept"
    plant.api("POST", f"/v1/rollouts/{LINE}/{RECIPE}/challenger/{seq}/halt", {"reason": "wrong bytes"})
    return {"flipped": Path(changed).name, "waits": re.sub("([0-9a-f]{12})[0-9a-f]{52}", r"\1", why)}


def _flip(store: Path, bundle: Path) -> str:
    """Change one byte of the model where it is published."""
    wanted = read_manifest(bundle).files["model.onnx"].sha256
    places = [p for p in store.rglob("*") if p.is_file() and (p.name == wanted or p.name.endswith("model.onnx"))]
    mine = [p for p in places if digest(bundle) in str(p) or p.name == wanted]
    if not mine:
        raise Lost(f"the model is not found below {store}")
    data = bytearray(mine[0].read_bytes())
    data[len(data) // 2] ^= 1
    mine[0].chmod(0o644)
    mine[0].write_bytes(bytes(data))
    return str(mine[0].relative_to(store))


def replayed(scene: Scene) -> dict[str, Any]:
    """The whole channel of an hour ago is put back at the service: boxes see that it is older, and stay."""
    plant = scene.plant
    now = plant.folder / "channel-now"
    shutil.copytree(plant.store, now)
    _swap(plant.store, scene.channel_then)
    words = {}
    for box in scene.boxes:

        def why(box: Box = box) -> str:
            return str(plant.shown(box)["why"])

        plant.until(why, f"{box.name} says that the channel is an older one")
        words[box.name] = json.loads(plant.okng("ladder", "show", "--settings", box.settings, "--json"))["why"]
        assert plant.rung(box, digest(scene.good)) == "CHAMPION", plant.ladder(box)
    _swap(plant.store, now)
    return {"said": words}


def _swap(store: Path, by: Path) -> None:
    """Put other files in the place of a channel's."""
    for part in ("metadata", "targets"):
        shutil.rmtree(store / "channel" / part)
        shutil.copytree(by / "channel" / part, store / "channel" / part)


def expired(scene: Scene) -> dict[str, Any]:
    """The channel's timestamp has run out: what runs goes on, and the boxes say so."""
    plant = scene.plant
    kept = plant.folder / "channel-kept"
    shutil.copytree(plant.store, kept)
    shelf, _ = shelf_of(SyncOptions(target=str(plant.store)))
    rings = Rings(shelf, OnlineKeys.load(plant.online), lambda: datetime.now(UTC) - timedelta(days=9))
    rings.halt(LINE, "nine days ago")
    before = {box.name: plant.account(box)["parts"] for box in scene.boxes}

    def noticed() -> bool:
        return all(plant.shown(box)["expired"] for box in scene.boxes)

    plant.until(noticed, "every box says that the channel has run out", 200)
    for box in scene.boxes:
        assert plant.rung(box, digest(scene.good)) == "CHAMPION"
    plant.until(
        lambda: all(plant.account(box)["parts"] > before[box.name] + 5 for box in scene.boxes), "the lines go on"
    )
    return {"champion_stays": True}


def revoke(scene: Scene) -> dict[str, Any]:
    """A box is retired: the service hears it no more, at once; its line goes on."""
    plant, box = scene.plant, scene.boxes[2]
    plant.api("POST", f"/v1/boxes/{box.id}/retire", {"reason": "scenario"})
    at = plant.account(box)["parts"]
    time.sleep(15)
    assert plant.account(box)["parts"] == at, "a retired box was heard"
    said = json.loads(plant.okng("fleet", "status", "--json", "--settings", box.settings, expect=None))
    newest = {head.name: head.newest for head in OutboxReader(Path(box.said["store"])).streams()}["records"]
    assert newest > at, "its line stands still"
    return {"box": said["enrolment"]["state"], "trouble": said["enrolment"]["trouble"] or said["uplink"]["trouble"]}


def accounts(scene: Scene) -> dict[str, Any]:
    """All lines end: every part has one disposition, the ledgers balance, and what was to arrive did, once."""
    plant = scene.plant
    for box in scene.boxes:
        box.tell("hold")
        box.hear("did")
    heads = {}
    for box in scene.boxes[:2]:
        reader = OutboxReader(Path(box.said["store"]))

        def level(box: Box = box, reader: OutboxReader = reader) -> bool:
            newest = {head.name: head.newest for head in reader.streams()}["records"]
            heads[box.name] = newest
            return plant.account(box)["parts"] == newest

        plant.until(level, f"all parts of {box.name} are at the service")
    told = {}
    for box in scene.boxes:
        box.tell("end")
    for box in scene.boxes:
        box.end = box.hear("ended")
        box.process.wait(60)
        assert not box.end["objections"], box.end["objections"][:5]
        assert not box.end["problems"], box.end["problems"][:5]
        account = plant.account(box)
        assert account["gaps"] == 0, account
        told[box.name] = {
            "parts": box.end["parts"],
            "at_the_service": account["parts"],
            "restarts": box.end["restarts"],
        }
    return {"boxes": told, "lost": 0, "doubled": 0}


ACTS: tuple[tuple[str, Act], ...] = (
    ("enrol", enrol),
    ("upload", upload),
    ("train", train),
    ("promote", promote),
    ("shadow, canary, champion", shadow_and_canary),
    ("group rollout", group_rollout),
    ("bad model rolls itself back", bad_model),
    ("tampered bundle", tampered),
    ("replayed channel", replayed),
    ("expired metadata", expired),
    ("revoked box", revoke),
    ("accounts", accounts),
)


def words(text: str) -> str:
    """A docstring's first sentences, on one line."""
    return re.sub(r"\s+", " ", text).strip()

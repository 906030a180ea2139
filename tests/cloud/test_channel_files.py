import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from .engines import Seaweed
from .rig import Rig, rig, settings_of

DIGEST = "ab" * 32
FILES = {
    "channel/metadata/timestamp.json": b'{"signed": 1}',
    "channel/targets/line1/cap/champion.json": b'{"bundle": 2}',
    f"bundles/{DIGEST}/manifest.json": b"{}",
    f"bundles/{DIGEST}/golden/a.png": bytes(range(200)),
}


@pytest.fixture(params=["folder", "seaweed"])
def offered(request: pytest.FixtureRequest, tmp_path: Path, brought_up: Path) -> Iterator[Rig]:
    """The service with a channel of a few files, in a folder or in S3."""
    folder, root = tmp_path / "fleet", tmp_path / "channel-root"
    folder.mkdir()
    shutil.copy(brought_up, folder / "fleet.db")
    seaweed: Seaweed | None = request.getfixturevalue("seaweed") if request.param == "seaweed" else None
    for key, data in FILES.items():
        if seaweed is not None:
            seaweed.client.put_object(Bucket="okng", Key=key, Body=data)
        else:
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(data)
    (tmp_path / "secret").write_text("not of the channel")

    def change(text: str) -> str:
        return text if seaweed is not None else text + f'\n[channel]\nfolder = "{root}"\n'

    with rig(settings_of(folder, seaweed=seaweed, change=change), folder) as made:
        yield made


def test_a_box_reads_the_channel_and_nobody_else_does(offered: Rig) -> None:
    box = offered.as_box(offered.enrol())
    for key, data in FILES.items():
        place = "/v1/" + key
        assert offered.app.test_client().get(place).status_code == 401
        answer = box.get(place, buffered=True)
        if answer.status_code == 302:
            answered = urllib3.request("GET", answer.headers["Location"], retries=False)
            assert (answered.status, answered.data) == (200, data)
        else:
            assert (answer.status_code, answer.data) == (200, data)


def test_a_file_of_a_bundle_is_gone_on_with(offered: Rig) -> None:
    box, place = offered.as_box(offered.enrol()), f"/v1/bundles/{DIGEST}/golden/a.png"
    answer = box.get(place, headers={"Range": "bytes=150-"}, buffered=True)
    if answer.status_code == 302:
        wire = urllib3.request("GET", answer.headers["Location"], headers={"Range": "bytes=150-"}, retries=False)
        assert (wire.status, wire.data) == (206, bytes(range(150, 200)))
    else:
        assert (answer.status_code, answer.data) == (206, bytes(range(150, 200)))


@pytest.mark.parametrize(
    "place",
    [
        "/v1/channel/metadata/root.json",
        "/v1/channel/targets/../../../secret",
        "/v1/channel/metadata/..%2f..%2f..%2fsecret",
        "/v1/channel/metadata//timestamp.json",
        "/v1/channel/targets/",
        f"/v1/bundles/{DIGEST}/../../../secret",
        f"/v1/bundles/{DIGEST}/none",
        "/v1/bundles/ab/manifest.json",
        "/v1/channel/metadata/a%00b",
    ],
)
def test_what_is_not_of_the_channel_is_not_there(offered: Rig, place: str) -> None:
    answer = offered.as_box(offered.enrol()).get(place, buffered=True)
    assert answer.status_code in (404, 308, 301), answer.text
    assert b"not of the channel" not in answer.data

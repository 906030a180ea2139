"""Schemathesis over the document of the API: whatever comes in, what is answered is what the document says."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from okng.cloud.access import PEER
from okng.cloud.database import writing
from okng.cloud.rights import RIGHTS

from . import pages_room as room
from . import pages_scene
from .engines import Postgres
from .rig import Rig, rig


def no_crash(ctx: Any, response: Any, case: Any) -> None:
    """503 is an answer; 500 is none."""
    assert response.status_code != 500, case.as_curl_command()


PLACES: tuple[Mapping[str, Any], ...] = (
    *({"name": "press-3-0a1b2c3d", "line": "line7", "kind": kind} for kind in ("csv", "jsonl", "parquet")),
    *(
        {"line": "line7", "recipe": "cap", "role": "challenger", "seq": 1, "what": what}
        for what in ("open", "halt", "resume", "automatic")
    ),
)
"""Parts of an address that lead to something that is there."""
NEW = {
    *("/v1/confirmed", "/v1/boxes", "/v1/boxes/{name}", "/v1/boxes/{name}/unlock", "/v1/yield", "/v1/drift"),
    *("/v1/deeds", "/v1/samples", "/v1/export/parts.{kind}", "/v1/trace", "/v1/causes", "/v1/review/queue"),
    *("/v1/review", "/v1/rollouts", "/v1/rollouts/halt", "/v1/rollouts/resume", "/v1/lines/{line}/rings"),
    "/v1/rollouts/{line}/{recipe}/{role}/{seq}/{what}",
}
CHECKS = (no_crash, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def fleet_of_all_rights(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    name, folder = postgres.fresh(template), tmp_path_factory.mktemp("schema")
    with rig(pages_scene.with_channel(folder, url=postgres.settings_url(name)), folder) as made:
        for limit in ("box_requests_a_minute", "enrol_asks_a_minute", "wrong_codes_a_minute", "waiting_enrolments"):
            object.__setattr__(made.settings.limits, limit, 100_000)
        with writing(made.service.engine) as db:
            room.add_person(db, "ada", "admin")
        pages_scene.build(made)
        yield made
    postgres.drop(name)


@pytest.mark.timeout(400)
def test_every_operation_answers_as_documented(fleet_of_all_rights: Rig) -> None:
    fleet = fleet_of_all_rights
    box, bearer = fleet.enrol(), fleet.bearer(*RIGHTS)

    def asked(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environ[PEER] = box.sha256
        return fleet.app(environ, start)

    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", asked)
    answered: dict[str, set[int]] = defaultdict(set)

    def at(place: Mapping[str, Any]) -> Callable[[Any], None]:
        def look(case: Any) -> None:
            case.path_parameters = {name: place.get(name, made) for name, made in case.path_parameters.items()}
            answer = case.call_and_validate(headers=bearer, checks=CHECKS)
            answered[case.operation.path].add(answer.status_code)

        return look

    for made in schema.get_all_operations():
        assert isinstance(made, Ok), made
        operation = made.ok()
        if operation.path in ELSEWHERE:
            continue
        examples(operation, 6, at({}))
        parts = {one.name for one in operation.path_parameters}
        for place in PLACES:
            if parts and parts <= place.keys():
                examples(operation, 2, at(place))
    assert {"/v1/streams/{stream}/{epoch}/{first}", "/v1/blobs", "/v1/enrol/ask", "/v1/state"} | NEW <= answered.keys()
    assert {path for path in NEW if 200 not in answered[path]} <= NEED_SENSE
    assert all(codes & {200, 422} for path, codes in answered.items() if path in NEW)


def examples(operation: Any, most: int, look: Callable[[Any], None]) -> None:
    """Look at so many made-up requests of an operation, the same ones each time."""
    settings = hypothesis.settings(
        max_examples=most,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    settings(hypothesis.given(case=operation.as_strategy())(look))()


NEED_SENSE = {"/v1/review", "/v1/boxes/{name}/unlock"}
"""What is made up makes no sense there: they answer 422; `test_document.py` says what does."""
ELSEWHERE: frozenset[str] = frozenset()
"""Operations that other tests look at."""


def test_the_metrics_say_what_the_tables_hold(fleet: Rig, tmp_path: Path) -> None:
    box = fleet.enrol()
    fleet.as_box(box).post("/v1/state", json={"version": "1"})
    client = fleet.app.test_client()
    assert client.get("/metrics").status_code == 401
    said = client.get("/metrics", headers=fleet.bearer("look")).text
    assert 'okng_fleet_boxes{state="in"} 1.0' in said
    assert f'okng_fleet_box_silent_seconds{{box="{box.id}"}}' in said
    assert "okng_fleet_enrolments_waiting 0.0" in said
    assert client.get("/healthz").text == "ok\n"

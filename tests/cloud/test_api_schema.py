"""Schemathesis over the document of the API: whatever comes in, what is answered is what the document says."""

from collections.abc import Callable, Iterable, Iterator
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
from okng.cloud.rights import RIGHTS

from .engines import Postgres
from .rig import Rig, rig, settings_of


def no_crash(ctx: Any, response: Any, case: Any) -> None:
    """503 is an answer; 500 is none."""
    assert response.status_code != 500, case.as_curl_command()


CHECKS = (no_crash, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def fleet_of_all_rights(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    name, folder = postgres.fresh(template), tmp_path_factory.mktemp("schema") / "f"
    with rig(settings_of(folder, postgres.settings_url(name)), folder) as made:
        for limit in ("box_requests_a_minute", "enrol_asks_a_minute", "wrong_codes_a_minute", "waiting_enrolments"):
            object.__setattr__(made.settings.limits, limit, 100_000)
        yield made
    postgres.drop(name)


@pytest.mark.timeout(180)
def test_every_operation_answers_as_documented(fleet_of_all_rights: Rig) -> None:
    fleet = fleet_of_all_rights
    box, bearer = fleet.enrol(), fleet.bearer(*RIGHTS)

    def asked(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environ[PEER] = box.sha256
        return fleet.app(environ, start)

    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", asked)
    tried = set()
    for made in schema.get_all_operations():
        assert isinstance(made, Ok), made
        operation = made.ok()
        if operation.path in ELSEWHERE:
            continue
        tried.add(operation.path)

        @hypothesis.settings(
            max_examples=6,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def fuzz(case: Any) -> None:
            case.call_and_validate(headers=bearer, checks=CHECKS)

        fuzz()
    assert {"/v1/streams/{stream}/{epoch}/{first}", "/v1/blobs", "/v1/enrol/ask", "/v1/state"} <= tried


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

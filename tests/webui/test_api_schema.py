"""Schemathesis over the document of the API: whatever comes in, what is answered is what the document says."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from okng.bus.part import Outcome
from okng.bus.rights import COMMANDS, RIGHTS
from okng.records.read import LedgerReader
from okng.webui import asking
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch


def no_crash(ctx: Any, response: Any, case: Any) -> None:
    """503 is an answer: the owner is silent, and nobody says that it was done."""
    assert response.status_code != 500, case.as_curl_command()


CHECKS = (
    no_crash,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
)
ENDLESS = {"/api/v1/stream", "/api/v1/export"}


@pytest.fixture(scope="module")
def served(feed: Any) -> Iterator[tuple[Any, dict[str, str]]]:
    """An application over a made-up line with a few parts, and the header of a token with every right."""
    with tempfile.TemporaryDirectory(prefix="oka", dir="/tmp") as folder, contextlib.ExitStack() as stack:
        line = feed.Line(Path(folder), Path(folder) / "store")
        stack.callback(line.close)
        line.add_people()
        line.start()
        for outcome in (Outcome.OK, Outcome.NG, Outcome.UNJUDGED):
            line.judge(outcome)
        answer = line.ask("token.make", {"name": "all", "rights": list(RIGHTS)}, who="admin")
        watch = Watch(line.run_dir, ("top",), WebOptions())
        stack.callback(watch.close)
        watch.start()
        app = create_app(
            WebOptions(api_a_minute=100_000), "line 1", watch, LedgerReader(line.store), line.store, line.run_dir
        )
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(asking, "ANSWER_MS", 60)
        yield app, {"Authorization": f"Bearer {answer.body['token']}"}


def silent(path: str) -> bool:
    """Its owner does not run here: every answer would be waited for."""
    name = path.rpartition("/")[2]
    return name in COMMANDS and COMMANDS[name].owner != "records"


@pytest.mark.timeout(300)
def test_every_operation_answers_as_documented(served: tuple[Any, dict[str, str]]) -> None:
    app, bearer = served
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    tried = 0
    for made in schema.get_all_operations():
        assert isinstance(made, Ok), made
        operation = made.ok()
        if operation.path in ENDLESS:
            continue
        slow = silent(operation.path)
        tried += 1

        @hypothesis.settings(
            max_examples=2 if slow else 20,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def fuzz(case: Any) -> None:
            case.call_and_validate(headers=bearer, checks=CHECKS)

        fuzz()
    assert tried >= len(COMMANDS)

"""`/metrics` for Prometheus: read from the database at each scrape, so that every worker says the same."""

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from .access import needs
from .database import reading
from .service import Service
from .tables import Alarm, Blob, Box, Cursor, Enrolment


class FleetCollector(Collector):
    """What the tables say now."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Nothing: else registering it would ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield every family."""
        with reading(self._service.engine) as db:
            yield from _boxes(db)
            yield from _streams(db)
            yield from _rest(db)


def _boxes(db: Session) -> Iterable[Metric]:
    now = datetime.now(UTC)
    boxes = GaugeMetricFamily("okng_fleet_boxes", "Boxes by whether they are let in", labels=["state"])
    age = GaugeMetricFamily("okng_fleet_box_silent_seconds", "Since a box last told its state", labels=["box"])
    ends = GaugeMetricFamily("okng_fleet_box_certificate_seconds", "Until its certificate ends", labels=["box"])
    rows = db.execute(sa.select(Box.id, Box.seen_at, Box.cert_ends_at).where(Box.retired_at.is_(None))).all()
    retired = db.execute(sa.select(sa.func.count()).where(Box.retired_at.is_not(None))).scalar_one()
    boxes.add_metric(["in"], len(rows))
    boxes.add_metric(["retired"], retired)
    for row in rows:
        if row.seen_at is not None:
            age.add_metric([row.id], (now - row.seen_at).total_seconds())
        ends.add_metric([row.id], (row.cert_ends_at - now).total_seconds())
    yield from (boxes, age, ends)


def _streams(db: Session) -> Iterable[Metric]:
    events = CounterMetricFamily("okng_fleet_events", "Events that are stored", labels=["stream"])
    halted = GaugeMetricFamily("okng_fleet_streams_halted", "Streams that wait for a person", labels=["stream"])
    sums = sa.select(
        Cursor.stream, sa.func.sum(Cursor.acked), sa.func.sum(sa.case((Cursor.halted.is_not(None), 1), else_=0))
    )
    for stream, acked, waiting in db.execute(sums.group_by(Cursor.stream)):
        events.add_metric([stream], float(acked))
        halted.add_metric([stream], float(waiting))
    yield from (events, halted)


def _rest(db: Session) -> Iterable[Metric]:
    alarms = GaugeMetricFamily("okng_fleet_alarms", "Alarms that nobody has seen to", labels=["kind"])
    for kind, count in db.execute(
        sa.select(Alarm.kind, sa.func.count()).where(Alarm.ended_at.is_(None)).group_by(Alarm.kind)
    ):
        alarms.add_metric([kind], count)
    blobs = GaugeMetricFamily("okng_fleet_blobs", "Blobs by state", labels=["state"])
    size = GaugeMetricFamily("okng_fleet_blob_bytes", "Their bytes", labels=["state"])
    for state, count, total in db.execute(
        sa.select(Blob.state, sa.func.count(), sa.func.sum(Blob.size)).group_by(Blob.state)
    ):
        blobs.add_metric([state], count)
        size.add_metric([state], float(total))
    waiting = GaugeMetricFamily("okng_fleet_enrolments_waiting", "Boxes that ask to be let in")
    still = sa.and_(Enrolment.state == "waiting", Enrolment.expires_at > datetime.now(UTC))
    waiting.add_metric([], db.execute(sa.select(sa.func.count()).where(still)).scalar_one())
    yield from (alarms, blobs, size, waiting)


def metric_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("metrics", __name__)
    registry = CollectorRegistry()

    registry.register(FleetCollector(service))

    @views.get("/metrics")
    @needs("look")
    def metrics() -> Response:
        """Right: `look`; give the scraper a token of its own."""
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return views

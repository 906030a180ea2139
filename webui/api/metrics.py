"""`/metrics` for Prometheus: the line's counters, states and ages, as io, inspect and the cameras last said them."""

from collections.abc import Iterable

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...bus.clock import SECOND, now_ns
from ...bus.heartbeat import Pulse
from ..access import needs
from ..web import Web

COUNTED = ("ok", "ng", "unjudged", "challenge", "bypass")
"""Outcomes that add up, with those in flight, to the triggers."""


class LineCollector(Collector):
    """What is known when somebody scrapes; nothing is kept between two scrapes."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def collect(self) -> Iterable[Metric]:
        """Yield every family."""
        yield from self._parts()
        yield from self._cameras()
        yield from self._shift()
        yield from self._processes()

    def _parts(self) -> Iterable[Metric]:
        ready = GaugeMetricFamily("okng_ready", "1: a trigger would be accepted", labels=["station"])
        up = GaugeMetricFamily("okng_plc_alive", "1: the PLC's heartbeat moves", labels=["station"])
        parts = CounterMetricFamily("okng_parts", "Parts of this run of io by what they were", labels=["outcome"])
        triggers = CounterMetricFamily("okng_triggers", "Triggers of this run of io")
        late = CounterMetricFamily("okng_late", "Of unjudged: no verdict before the deadline")
        flight = GaugeMetricFamily("okng_in_flight", "Triggers without a disposition")
        rejects = CounterMetricFamily("okng_rejects", "Rejects by whether they were confirmed", labels=["confirmed"])
        station = self._web.watch.station
        if station is not None:
            counters = station.counters
            ready.add_metric([station.station], station.ready)
            up.add_metric([station.station], station.plc_alive)
            for outcome in COUNTED:
                parts.add_metric([outcome], getattr(counters, outcome))
            triggers.add_metric([], counters.triggers)
            late.add_metric([], counters.late)
            flight.add_metric([], counters.in_flight)
            rejects.add_metric(["yes"], counters.confirmed)
            rejects.add_metric(["no"], counters.unconfirmed)
        yield from (ready, up, parts, triggers, late, flight, rejects)

    def _cameras(self) -> Iterable[Metric]:
        frames = CounterMetricFamily("okng_frames", "Frames of a camera by their fate", labels=["camera", "fate"])
        reconnects = CounterMetricFamily("okng_camera_reconnects", "Times it was opened again", labels=["camera"])
        for name, state in sorted(self._web.watch.camera_states.items()):
            for fate in ("delivered", "incomplete", "missed", "gaps", "duplicates"):
                frames.add_metric([name, fate], getattr(state, fate))
            reconnects.add_metric([name], state.reconnects)
        yield from (frames, reconnects)

    def _shift(self) -> Iterable[Metric]:
        alarms = GaugeMetricFamily("okng_alarms", "Alarms that are not normal", labels=["state", "priority"])
        mode = GaugeMetricFamily("okng_mode", "1: parts are taken so", labels=["mode"])
        shift = self._web.watch.shift
        if shift is not None:
            counted: dict[tuple[str, str], int] = {}
            for alarm in shift.alarms:
                key = (str(alarm.state), str(alarm.priority))
                counted[key] = counted.get(key, 0) + 1
            for key, number in sorted(counted.items()):
                alarms.add_metric(list(key), number)
            mode.add_metric([str(shift.mode.mode)], 1)
        yield from (alarms, mode)

    def _processes(self) -> Iterable[Metric]:
        age = GaugeMetricFamily("okng_heartbeat_age_seconds", "Since a process last turned", labels=["process"])
        pulse = Pulse(self._web.run_dir)
        try:
            at_ns = now_ns()
            for name, beat in sorted(pulse.beats().items()):
                age.add_metric([name], (at_ns - beat.turned_ns) / SECOND)
        finally:
            pulse.close()
        yield age


def metric_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("metrics", __name__)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LineCollector(web))

    @views.get("/metrics")
    @needs("diagnostics.read")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return views

"""Sparkplug B: what the box encodes a stranger decodes, and what a stranger sends it reads or refuses."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.plc_io.part_report import part_report
from okng.plc_io.sparkplug import Kind, Metric, payload, read_payload
from okng.plc_io.sparkplug_node import ALIASES, METRICS, Message, Node

from .played_line import record_of
from .sparkplug_peer import Payload, value_of

AT = 1_764_000_000_123
STATE = {"state": "READY", "ready": True, "fault": 0, "plc_alive": True, "job": 1, "reasons": ["a", "b"]}


def decoded(data: bytes) -> Any:
    found = Payload()
    found.ParseFromString(data)
    return found


@given(
    st.one_of(
        st.tuples(st.just(Kind.INT32), st.integers(-(2**31), 2**31 - 1)),
        st.tuples(st.just(Kind.UINT32), st.integers(0, 2**32 - 1)),
        st.tuples(st.just(Kind.INT64), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just(Kind.UINT64), st.integers(0, 2**64 - 1)),
        st.tuples(st.just(Kind.DOUBLE), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just(Kind.BOOLEAN), st.booleans()),
        st.tuples(st.just(Kind.STRING), st.text(st.characters(exclude_categories=["Cs"]))),
        st.tuples(st.just(Kind.DATETIME), st.integers(0, 2**48)),
    ),
    st.booleans(),
    st.integers(0, 255),
)
def test_a_stranger_reads_what_was_said(said: tuple[Kind, Any], historical: bool, seq: int) -> None:
    kind, value = said
    found = decoded(payload([Metric("a/b", kind, value, AT, 7, historical)], AT + 1, seq))
    assert (found.timestamp, found.seq, len(found.metrics)) == (AT + 1, seq, 1)
    (metric,) = found.metrics
    assert (metric.name, metric.alias, metric.timestamp, metric.datatype) == ("a/b", 7, AT, kind)
    assert metric.is_historical is historical
    bits = {Kind.INT32: 32, Kind.INT64: 64}.get(kind)
    assert value_of(metric) == (value % 2**bits if bits else value)


@pytest.mark.parametrize("value", [None, math.inf, math.nan])
def test_what_is_no_number_is_null(value: float | None) -> None:
    (metric,) = decoded(payload([Metric("score", Kind.DOUBLE, value, AT)], AT, 0)).metrics
    assert metric.is_null
    assert value_of(metric) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Kind.UINT32, -1), (Kind.UINT32, 2**32), (Kind.BOOLEAN, 1), (Kind.STRING, 1), (Kind.UINT64, True)],
)
def test_a_value_that_is_not_of_its_kind_is_a_mistake_of_ours(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError, match="expected a value of kind"):
        payload([Metric("x", kind, value, AT)], AT, 0)


@given(st.binary(max_size=200))
def test_what_comes_from_outside_is_read_or_refused(data: bytes) -> None:
    try:
        read_payload(data)
    except ValueError:
        return


def test_a_command_is_read_among_what_the_box_does_not_know() -> None:
    asked = Payload(timestamp=AT, uuid="u")
    asked.metrics.add(name="Node Control/Next Server", boolean_value=True)
    asked.metrics.add(name="Node Control/Rebirth", boolean_value=True, datatype=11, double_value=1.5)
    asked.metrics.add(name="Node Control/Rebirth", boolean_value=True, datatype=11)
    node = Node("plant", "box1", "line1", "1.0")
    topic = "spBv1.0/plant/NCMD/box1"
    assert node.asks_rebirth(topic, asked.SerializeToString())
    del asked.metrics[2]
    assert not node.asks_rebirth(topic, asked.SerializeToString())
    assert not node.asks_rebirth("spBv1.0/plant/NCMD/box2", asked.SerializeToString())
    with pytest.raises(ValueError, match="expected at most"):
        read_payload(bytes(70_000))


def test_a_session_is_born_lives_and_dies_under_one_number() -> None:
    node = Node("plant", "box1", "line1", "1.0", bd_seq=254)
    node.stands(STATE, None, AT)
    death = decoded(node.death(AT).payload)
    born, device = node.births(AT)
    assert (born.topic, device.topic) == ("spBv1.0/plant/NBIRTH/box1", "spBv1.0/plant/DBIRTH/box1/line1")
    first, second = decoded(born.payload), decoded(device.payload)
    assert (first.seq, second.seq) == (0, 1)
    assert {one.name: value_of(one) for one in first.metrics}["bdSeq"] == value_of(death.metrics[0]) == 254
    assert not death.HasField("seq")
    told = {one.name: value_of(one) for one in second.metrics}
    assert set(told) == set(METRICS)
    assert {one.name: one.alias for one in second.metrics} == ALIASES
    assert (told["State/Ready"], told["State/Reasons"], told["Result/Id"]) == (True, "a\nb", None)
    assert node.stands(STATE, None, AT) is None
    numbers = []
    for part in range(600):
        said: Message | None = node.stands({**STATE, "fault": part + 1}, None, AT)
        assert said is not None
        numbers.append(decoded(said.payload).seq)
    assert numbers == [n % 256 for n in range(2, 602)]
    assert decoded(node.births(AT)[0].payload).seq == 0


def test_a_part_is_told_by_aliases_and_the_past_as_past() -> None:
    node = Node("plant", "box1", "line1", "1.0")
    node.births(AT)
    report = part_report(record_of(7, ok=False), "e", "box1", "LOT-1")
    now = decoded(node.result(report, AT, historical=False).payload)
    assert {one.name for one in now.metrics} == {""}
    by_alias = {alias: name for name, alias in ALIASES.items()}
    told = {by_alias[one.alias]: value_of(one) for one in now.metrics}
    assert (told["Result/Part"], told["Result/Pass"], told["Result/Lot"]) == (7, False, "LOT-1")
    assert (told["Result/Outcome"], told["Result/Score"], told["Result/Defects"]) == ("NG", 7.1, 1)
    old = decoded(node.result(part_report(record_of(8), "e", "box1"), AT, historical=True).payload)
    assert all(one.is_historical for one in old.metrics)
    assert not any(one.is_historical for one in now.metrics)
    born = decoded(node.births(AT)[1].payload)
    assert {one.name: value_of(one) for one in born.metrics}["Result/Part"] == 7  # the past is not what is now


def test_a_missed_part_has_no_verdict() -> None:
    node = Node("plant", "box1", "line1", "1.0")
    data = node.result(part_report(record_of(9, lost=True), "e", "box1"), AT, historical=False).payload
    nulls = {one.alias for one in decoded(data).metrics if one.is_null}
    assert {ALIASES["Result/Outcome"], ALIASES["Result/Score"], ALIASES["Result/Defects"]} <= nulls

"""The page for the MES names every key that there is: of the settings and of what is published."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import BaseModel

from okng.bus.messages import Counters
from okng.plc_io.mqtt_options import MqttOptions, MqttTlsOptions, SparkplugOptions
from okng.plc_io.opcua_options import OpcuaOptions
from okng.plc_io.part_report import counters_report, part_report, state_report
from okng.plc_io.sparkplug_node import METRICS

from .played_line import PlayedLine, record_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mes.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_.]+)`", PAGE))


@pytest.mark.parametrize("options", [MqttOptions, MqttTlsOptions, OpcuaOptions, SparkplugOptions])
def test_every_setting_is_on_the_page(options: type[BaseModel]) -> None:
    assert sorted(set(options.model_fields) - NAMED) == []


def test_every_key_of_a_part_is_on_the_page() -> None:
    report = part_report(record_of(1, ok=False), "0123456789abcdef", "box1")
    verdict = report["verdict"]
    assert isinstance(verdict, dict)
    assert sorted(set(report) - NAMED) == []
    assert sorted({f"verdict.{key}" for key in verdict} - NAMED) == []


def test_every_key_of_state_and_counters_is_on_the_page(run_dir: Path) -> None:
    with PlayedLine(run_dir) as line:
        state, counters = state_report(line.state, "box1"), counters_report(line.state, "box1")
    assert sorted(set(state) - NAMED) == []
    assert sorted(set(counters) - NAMED) == []
    assert set(counters) <= {one.name for one in fields(Counters)} | {"schema", "box", "station", "epoch"}


def test_every_metric_is_on_the_page() -> None:
    told = {name for name in METRICS if name.startswith("Result/")}
    assert [name for name in sorted(told) if f"`{name}`" not in PAGE] == []

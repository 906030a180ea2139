"""okng.st, run: parsed by blark, translated, fed with images. What opens the gate, and all that must not."""

from dataclasses import replace
from typing import Any

import pytest

from okng.plc_io import mapdoc
from okng.plc_io.images import OutImage
from okng.plc_io.regmap import WordOrder, pack_out, unpack_in
from okng.plc_io.signals import Command, FaultCode, Status, WireCode

from .st_machine import PUBLISHED, Instance, Machine, published
from .st_types import StError

COMMIT, OPEN, CLOSE = 4800, 4880, 5620
RESULT = Status.RESULT_VALID | Status.OK


@pytest.fixture(scope="module")
def machine() -> Machine:
    return published()


class Plc:
    """OKNG_STATION on a clock and an encoder of the test, with a box that is an image."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.station: Instance = machine.make("OKNG_STATION")
        self.image = OutImage(status=Status.READY, job=1)
        self.order = WordOrder.HIGH_FIRST
        self.patch: dict[int, int] = {}
        self.beats = True
        self.encoder = 2**32 - 3000
        self.inputs: dict[str, Any] = {"enable": True}

    def scan(self, times: int = 1, *, move: int = 0, **once: Any) -> None:
        """Scans of 10 ms; once: inputs of these scans alone."""
        for _ in range(times):
            self.machine.clock.now_ms += 10
            self.encoder = (self.encoder + move) % 2**32
            if self.beats and self.machine.clock.now_ms % 100 == 0:
                self.image = replace(self.image, heartbeat=(self.image.heartbeat + 1) % 65536)
            words = list(pack_out(self.image, self.order))
            for address, word in self.patch.items():
                words[address] = word
            always = {"commit_counts": COMMIT, "open_counts": OPEN, "close_counts": CLOSE, "part_at_eye": False}
            always |= {"reset": False, "reset_counters": False}
            self.station(from_box=words, encoder=self.encoder, **always | self.inputs | once)

    def start(self) -> None:
        """Until it is ready."""
        self.scan(30)
        assert self["ready"]
        assert not self["stop_line"]

    def part(self) -> int:
        """A part at the eye, its trigger acknowledged; its number."""
        self.scan(part_at_eye=True)
        self.image = replace(self.image, status=Status.TRIG_ACK | Status.BUSY)
        self.scan(part_at_eye=True)
        self.image = replace(self.image, status=Status.BUSY)
        self.scan()
        return int(self["part"])

    def result(self, part: int, code: WireCode = WireCode.OK, status: Status = RESULT, seq: int = 0) -> None:
        """A result in the registers, read once."""
        seq = seq or self.image.seq + 1
        self.image = replace(self.image, status=status, disposition=code, part=part, seq=seq)
        self.scan()

    def opened(self) -> bool:
        """Let the belt run until the part has left the gate; whether the gate opened for it, and in the right place."""
        start, seen = self.encoder, []
        while (self.encoder - start) % 2**32 < CLOSE + 200:
            self.scan(move=40)
            if self["gate_open"]:
                seen.append((self.encoder - start) % 2**32)
        assert not self["gate_open"]
        if seen:
            assert OPEN <= seen[0] < OPEN + 40
            assert CLOSE - 40 <= seen[-1] < CLOSE
        return bool(seen)

    def said(self, flag: Command) -> bool:
        """Whether a command bit stands in the words to the box."""
        return flag in Command(self["to_box"][0])

    def __getitem__(self, name: str) -> Any:
        return self.station[name]


@pytest.fixture
def plc(machine: Machine) -> Plc:
    made = Plc(machine)
    made.start()
    return made


def test_the_published_file_is_the_table() -> None:
    assert PUBLISHED.read_text(encoding="ascii") == mapdoc.document("st"), (
        "run: python -m okng.plc_io.regmap docs/protocol"
    )


def test_an_ok_of_the_part_opens_the_gate_also_where_the_encoder_rolls_over(plc: Plc) -> None:
    part = plc.part()
    plc.result(part)
    assert plc.opened()
    assert (plc["passed"], plc["rejected"], plc["on_the_way"]) == (1, 0, 0)
    assert plc["to_box"][6] == plc.image.seq, "the result is acknowledged by its number"


def test_the_trigger_and_the_part_number_go_out_together_and_fall_on_trig_ack(plc: Plc) -> None:
    plc.scan(part_at_eye=True)
    said = unpack_in(plc["to_box"], 0)
    assert Command.TRIGGER | Command.TRIG_ENABLE | Command.LINE_RUN in said.command
    assert said.part == plc["part"] == 1
    plc.scan(3, part_at_eye=True)
    assert plc.said(Command.TRIGGER), "it stays until TRIG_ACK"
    plc.image = replace(plc.image, status=Status.TRIG_ACK)
    plc.scan()
    assert not plc.said(Command.TRIGGER)


@pytest.mark.parametrize(
    ("now", "eye", "way"),
    [(5, 2**32 - 5, 10), (0, 2**32 - 1, 1), (7, 7, 0), (2**31 + 6, 7, 2**31 - 1), (6, 7, 0), (2**32 - 9, 3, 0)],
)
def test_the_way_from_the_eye_is_a_difference_of_counts_that_wrap(
    machine: Machine, now: int, eye: int, way: int
) -> None:
    assert machine.function("OKNG_TRAVEL", now_count=now, eye_count=eye) == way


def test_part_numbers_go_on_at_1(plc: Plc) -> None:
    plc.station.v_part = 2**32 - 2
    for number in (2**32 - 1, 1):
        plc.image = replace(plc.image, status=Status.READY)
        plc.scan(2)
        assert plc.part() == number
        plc.result(number)
        assert plc.opened()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (WireCode.NG, Status.RESULT_VALID | Status.NG),
        (WireCode.UNJUDGED, Status.RESULT_VALID | Status.UNJUDGED),
        (WireCode.LATE, Status.RESULT_VALID | Status.UNJUDGED),
        (WireCode.NONE, RESULT),
        (WireCode.NG, RESULT),
        (WireCode.OK, RESULT | Status.NG),
        (WireCode.OK, RESULT | Status.UNJUDGED),
        (WireCode.OK, Status.RESULT_VALID),
        (WireCode.OK, Status.OK),
        (WireCode.OK, RESULT | Status.FAULT),
    ],
)
def test_all_but_ok_and_nothing_else_is_a_reject(plc: Plc, code: WireCode, status: Status) -> None:
    plc.result(plc.part(), code, status)
    assert not plc.opened()
    assert (plc["passed"], plc["rejected"]) == (0, 1)


def test_no_result_is_a_reject(plc: Plc) -> None:
    plc.part()
    assert not plc.opened()
    assert plc["rejected"] == 1


def test_a_result_at_or_behind_the_commit_point_is_late(plc: Plc) -> None:
    part = plc.part()
    plc.scan(move=COMMIT)
    plc.result(part)
    assert plc["late"] == 1
    plc.scan(move=OPEN - COMMIT)
    assert plc["rejected"] == plc["on_the_way"] == 1
    assert not plc["gate_open"]


def test_the_last_count_before_the_commit_point_is_in_time(plc: Plc) -> None:
    part = plc.part()
    plc.scan(move=COMMIT - 1)
    plc.result(part)
    plc.scan(move=OPEN - COMMIT + 1)
    assert plc["gate_open"]


def test_a_result_of_another_part_opens_nothing(plc: Plc) -> None:
    plc.result(plc.part() + 1)
    assert plc["foreign"] == 1
    assert not plc.opened()


def test_a_number_already_seen_is_not_a_result(plc: Plc) -> None:
    first = plc.part()
    plc.result(first)
    assert plc.opened()
    seq = plc.image.seq
    plc.image = replace(plc.image, status=Status.READY)
    plc.scan(2)
    plc.result(plc.part(), seq=seq)
    assert not plc.opened()


def test_a_torn_block_is_not_a_result(plc: Plc) -> None:
    part = plc.part()
    plc.patch = {15: 77}
    plc.result(part)
    assert plc["to_box"][6] == 0
    assert not plc.opened()


def test_a_silent_box_rejects_what_is_not_final_until_a_reset(plc: Plc) -> None:
    plc.result(plc.part())
    plc.beats = False
    plc.scan(45)
    assert plc["lost"]
    assert plc["stop_line"]
    assert not plc["ready"]
    assert not plc.said(Command.TRIG_ENABLE)
    plc.beats = True
    plc.image = replace(plc.image, status=Status.READY)
    assert not plc.opened()
    assert plc["stop_line"], "a box that beats again is not enough"
    plc.scan(reset=True)
    plc.scan(2)
    assert plc["ready"]


def test_three_beats_are_300_ms(plc: Plc) -> None:
    while plc.machine.clock.now_ms % 100:
        plc.scan()
    plc.beats = False
    plc.scan(29)
    assert plc["alive"]
    plc.scan(3)
    assert not plc["alive"]


def test_what_is_final_stays_when_the_box_falls_silent(plc: Plc) -> None:
    plc.result(plc.part())
    plc.scan(2, move=COMMIT // 2)
    plc.beats = False
    plc.scan(45)
    plc.scan(move=OPEN - COMMIT)
    assert plc["lost"]
    assert plc["gate_open"]


def test_our_heartbeat_counts_every_100_ms_and_wraps(plc: Plc) -> None:
    plc.station.v_plc.v_plc_hb = 65534
    seen = []
    for _ in range(40):
        plc.scan()
        seen.append(plc["to_box"][1])
    assert [beat for at, beat in enumerate(seen) if not at or beat != seen[at - 1]][-4:] == [65535, 0, 1, 2]


def test_a_trigger_without_acknowledge_can_never_pass(plc: Plc) -> None:
    plc.scan(part_at_eye=True)
    plc.scan(7)
    assert plc["unanswered"] == 1
    assert not plc.said(Command.TRIGGER)
    plc.result(plc["part"])
    assert not plc.opened()


def test_a_part_that_comes_while_the_box_is_not_ready_is_rejected(plc: Plc) -> None:
    plc.image = replace(plc.image, status=Status.BUSY)
    plc.scan()
    plc.scan(part_at_eye=True)
    assert plc["missed"] == 1
    assert not plc.said(Command.TRIGGER)
    plc.result(plc["part"] - 1)
    assert not plc.opened()


def test_parts_too_close_for_the_gate_pass_together_or_not_at_all(plc: Plc) -> None:
    """Three in a row: the first and the third are too far apart, but the one between joins them."""
    for codes, passed in (("OK OK OK", 3), ("OK OK NG", 0), ("NG OK OK", 0), ("OK NG OK", 0)):
        before = plc["passed"]
        for code in codes.split():
            plc.image = replace(plc.image, status=Status.READY)
            plc.scan(2, move=200)
            flag = Status.OK if code == "OK" else Status.NG
            plc.result(plc.part(), WireCode[code], Status.RESULT_VALID | flag)
        seen = set()
        for _ in range(160):
            plc.scan(move=40)
            seen.add(plc["gate_open"])
        assert plc["on_the_way"] == 0
        assert plc["passed"] - before == passed
        assert (True in seen) is bool(passed)


def test_a_neighbour_rejected_after_the_first_was_final_shuts_the_gate_for_both(plc: Plc) -> None:
    first = plc.encoder
    for _ in range(2):
        plc.image = replace(plc.image, status=Status.READY)
        plc.result(plc.part())
        plc.scan(2, move=150)
    plc.scan(move=COMMIT - 600 + 10)
    assert plc["passed"] == 1
    plc.beats = False
    plc.scan(45)  # the box falls silent: the second is rejected, the first is final
    assert plc["lost"]
    opened = set()
    while plc["on_the_way"]:
        plc.scan(move=10)
        if plc["gate_open"]:
            opened.add((plc.encoder - first) % 2**32)
    assert min(opened) == OPEN
    assert max(opened) < OPEN + 300
    assert plc["rejected"] == 1


def test_neighbours_far_enough_apart_are_told_apart(plc: Plc) -> None:
    for code in ("NG", "OK", "NG"):
        plc.image = replace(plc.image, status=Status.READY)
        plc.scan(2, move=(CLOSE - OPEN) // 2)
        flag = Status.OK if code == "OK" else Status.NG
        plc.result(plc.part(), WireCode[code], Status.RESULT_VALID | flag)
    opened = 0
    for _ in range(200):
        plc.scan(move=40)
        opened += plc["gate_open"]
    assert (plc["passed"], plc["rejected"]) == (1, 2)
    assert opened == pytest.approx((CLOSE - OPEN) / 40, abs=1.01)


def test_a_belt_that_runs_back_holds_the_part(plc: Plc) -> None:
    part = plc.part()
    plc.scan(move=1000)
    plc.scan(move=-1500)
    plc.result(part)
    assert plc["on_the_way"] == 1
    plc.scan(move=500)
    assert plc.opened()


def test_too_many_parts_on_the_way_shut_the_gate_until_a_reset(plc: Plc) -> None:
    plc.result(plc.part())
    for _ in range(32):
        plc.scan(part_at_eye=True)
        plc.scan()
    assert plc["stop_line"]
    assert not plc.opened()
    plc.image = replace(plc.image, status=Status.READY)
    plc.scan(reset=True)
    plc.scan(25)
    assert plc["ready"]


@pytest.mark.parametrize(
    "counts",
    [{"commit_counts": OPEN}, {"open_counts": CLOSE}, {"close_counts": 2**31}],
    ids=["commit", "open", "close"],
)
def test_distances_out_of_order_allow_no_trigger(plc: Plc, counts: dict[str, int]) -> None:
    plc.inputs |= counts
    plc.scan(2)
    assert not plc.said(Command.TRIG_ENABLE)
    assert plc["stop_line"]


def test_swapped_words_are_seen_and_nothing_is_believed(plc: Plc) -> None:
    plc.order = WordOrder.LOW_FIRST
    plc.scan()
    assert (plc["word_order_wrong"], plc["map_ok"], plc["ready"]) == (True, False, False)
    plc.inputs["low_first"] = True
    plc.scan(2)
    assert (plc["word_order_wrong"], plc["map_ok"], plc["ready"]) == (False, True, True)
    plc.scan(part_at_eye=True)
    assert unpack_in(plc["to_box"], 0, order=WordOrder.LOW_FIRST).part == plc["part"]


@pytest.mark.parametrize(("version", "runs"), [(0x0101, True), (0x0200, False), (0, False)])
def test_another_major_version_does_not_run(plc: Plc, version: int, runs: bool) -> None:
    plc.patch = {1: version}
    plc.scan(2)
    assert plc["ready"] is runs
    assert plc.said(Command.TRIG_ENABLE) is runs


@pytest.mark.parametrize("address", [30, 31, 32, 33])
def test_a_wrong_canary_is_another_map(plc: Plc, address: int) -> None:
    plc.patch = {address: 0}
    plc.scan(2)
    assert not plc["map_ok"]
    assert not plc.said(Command.TRIG_ENABLE)


def test_job_change_over_waits_for_the_answer_to_its_own_token(plc: Plc) -> None:
    plc.image = replace(plc.image, job=1, job_token=9, status=Status.JOB_DONE)  # an old answer still stands
    plc.inputs |= {"change_job": True, "job": 3}
    plc.scan()
    assert not plc.said(Command.JOB_EXEC), "the number first"
    plc.scan(3)
    said = unpack_in(plc["to_box"], 0)
    assert (said.job_request, said.job_token) == (3, 10)
    assert plc.said(Command.JOB_EXEC)
    assert not plc["ready"]
    plc.image = replace(plc.image, job=3, job_token=10)
    plc.scan()
    assert plc["job_ok"]
    assert not plc.said(Command.JOB_EXEC)
    assert plc["job_busy"]
    plc.image = replace(plc.image, status=Status.READY)
    plc.scan(2)
    assert not plc["job_busy"]
    assert plc["ready"]


@pytest.mark.parametrize(
    "answer",
    [{"status": Status.JOB_FAIL, "job": 1}, {"status": Status.JOB_DONE, "job": 1}, {"status": Status.JOB_BUSY}],
    ids=["refused", "another job", "no answer"],
)
def test_a_job_that_is_not_the_active_one_is_no_success(plc: Plc, answer: dict[str, Any]) -> None:
    plc.inputs |= {"change_job": True, "job": 3, "job_limit": 500}
    plc.scan(3)
    plc.image = replace(plc.image, job_token=1, **answer)
    plc.scan(60)
    assert not plc["job_ok"]
    assert not plc.said(Command.JOB_EXEC)


def test_a_fault_is_reset_by_a_pulse_long_enough_to_be_written(plc: Plc) -> None:
    plc.image = replace(plc.image, status=Status.FAULT, fault=FaultCode.ACK_MISSING)
    plc.scan()
    assert plc["fault_code"] == 2
    assert not plc["ready"]
    plc.scan(5, reset=True, reset_counters=True)
    assert plc.said(Command.FAULT_RESET | Command.COUNTER_RESET)
    plc.scan(30, reset=True, reset_counters=True)
    assert not plc.said(Command.FAULT_RESET)
    assert not plc.said(Command.COUNTER_RESET)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("a := b;", "WORD is given UINT"),
        ("b := b + a;", "UINT meets WORD"),
        ("b := d;", "UINT is given UDINT"),
        ("IF b THEN b := 1; END_IF;", "a condition is BOOL"),
        ("x := b;", "no such variable"),
        ("WHILE TRUE DO b := 1; END_WHILE;", "not in the subset"),
    ],
)
def test_the_machine_takes_no_silent_conversion(code: str, words: str) -> None:
    text = f"FUNCTION_BLOCK F\nVAR a : WORD; b : UINT; d : UDINT; END_VAR\n{code}\nEND_FUNCTION_BLOCK"
    with pytest.raises(StError, match=words):
        Machine(text)


def test_the_machine_takes_no_overflow() -> None:
    machine = Machine("FUNCTION_BLOCK F\nVAR_OUTPUT b : UINT; END_VAR\nb := b - UINT#1;\nEND_FUNCTION_BLOCK")
    with pytest.raises(StError, match="-1 is outside UINT"):
        machine.make("F")()

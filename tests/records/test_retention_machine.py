"""Any order of parts, labels, uploads, other people's files and kills: what is owed and what was said of stays."""

import json
import os
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from okng.records import retention as module
from okng.records.check import check
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import WATER_ORDER, Disk
from okng.records.schema_keep import OK, THUMB

from .shelf import Store

BEGUN = datetime(2026, 6, 1, tzinfo=UTC)
KIB = 1024
STEPS = ("clear", "drop", "make_thumb")


class _Killed(Exception):
    pass


class Keeping(RuleBasedStateMachine):
    """The real retention over a real ledger and real files, on a disk and a clock of our own."""

    @initialize(
        quota=st.sampled_from([0, 40]),
        days=st.sampled_from([0, 20]),
        disk_kib=st.sampled_from([150, 400]),
        clouded=st.booleans(),
    )
    def begin(self, quota: int, days: int, disk_kib: int, clouded: bool) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="okr"))
        self.store = Store(self.root / "store", sys.modules["records_maker"])
        self.options = RetentionOptions(
            reject_gb=quota * KIB / 1e9,
            ok_days=days or 30,
            uncertain_days=days,
            reject_days=days,
            challenge_days=0,
            thumb_days=0,
        )
        self.total, self.other = disk_kib * KIB, 0
        self.now = BEGUN
        self.cloud = self.root / "sync" if clouded else None
        self.acked = 0
        self.parts: dict[int, tuple[str, datetime]] = {}
        self.labelled: set[int] = set()
        self.looks()

    def looks(self) -> None:
        self.retention = Retention(
            self.store.folder, self.options, self.store.write, self.cloud, self.disk, lambda: self.now
        )

    def disk(self) -> Disk:
        used = self.other + sum((self.store.folder / name).stat().st_size for name in self.store.files())
        return Disk(self.total, max(0, self.total - used))

    @rule(
        kinds=st.lists(
            st.sampled_from(["ok", "ok", "uncertain", "reject", "reject", "challenge"]), min_size=3, max_size=8
        ),
        kib=st.integers(4, 20),
    )
    def come(self, kinds: list[str], kib: int) -> None:
        for kind in kinds:
            self.now += timedelta(hours=1)
            self.parts[self.store.add(kind, self.now, kib * KIB)] = kind, self.now

    @rule(days=st.integers(1, 15))
    def time_goes_by(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(seed=st.integers(0, 2**16))
    def label(self, seed: int) -> None:
        if self.parts:
            seq = random.Random(seed).choice(sorted(self.parts))
            self.store.label(seq)
            self.labelled.add(seq)

    @rule(more=st.integers(1, 4))
    def upload(self, more: int) -> None:
        if self.cloud is not None:
            (row,) = self.store.rows("select coalesce(max(seq), 0) as seq from outbox")
            self.acked = min(self.acked + more, row["seq"])
            self.cloud.mkdir(exist_ok=True)
            said = {"box": "b", "lineage": 1, "acked": self.acked, "planned": self.acked}
            (self.cloud / "push-rejects.json").write_text(json.dumps(said))

    @rule(percent=st.sampled_from([0, 0, 10, 40, 60]))
    def others_use_the_disk(self, percent: int) -> None:
        self.other = self.total * percent // 100

    @rule()
    def look_after(self) -> None:
        before, owed, full = self.kept(), self.owed(), self.disk().used_percent
        kinds = self.kinds()
        self.settle()
        gone = before - self.kept()
        assert not gone & self.labelled
        (given_up,) = self.store.rows("select coalesce(sum(unsent), 0) as n from given_up")
        if gone & owed:
            assert full > self.options.hard_cap_percent, "owed pictures went though there was room"
            assert given_up["n"] >= len(gone & owed)
            left = {kinds[seq] for seq in self.kept() - owed if seq not in self.labelled}
            assert not left & set(WATER_ORDER), "owed pictures went before those that are not"
        self.order(gone, kinds, owed)
        self.rest(owed)

    @rule(at=st.sampled_from(STEPS))
    def killed(self, at: str) -> None:
        """The process dies at that step, wherever it is, and is started again."""
        whole = getattr(module, at)

        def die(*_: object) -> None:
            raise _Killed

        setattr(module, at, die)
        try:
            self.settle()
        except _Killed:
            pass
        finally:
            setattr(module, at, whole)
        self.store.ledger.close()
        maker: Any = sys.modules["records_maker"]
        number = self.store._number
        self.store = Store(self.store.folder, maker)
        self.store._number = number
        self.looks()

    @invariant()
    def rows_and_files_agree(self) -> None:
        if not hasattr(self, "store"):
            return
        named = {row["picture"] for row in self.store.rows("select picture from part where picture_kept")}
        assert named <= self.store.files(), "a row promises a file that is not there"
        (sums,) = self.store.rows("select coalesce(sum(pictures), 0) as n from picture_sum")
        (held,) = self.store.rows("select count(*) as n from picture")
        assert sums == held
        kept = self.store.rows("select count(*) as n from picture where class != ?", THUMB)
        assert kept[0]["n"] == len(named)

    def order(self, gone: set[int], kinds: dict[int, str], owed: set[int]) -> None:
        """While a passed part's picture is left, no full disk took another's that had its days and its quota."""
        taken = {kinds[seq] for seq in gone if not self.has_had_its_days(seq, kinds[seq])}
        left_ok = [seq for seq in self.kept() if kinds[seq] == OK]
        over_quota = self.options.quota_of("reject")
        if left_ok and not over_quota:
            assert taken <= {OK}

    def rest(self, owed: set[int]) -> None:
        """At rest: quotas hold, and the disk has come down, or nothing more may go."""
        kinds = self.kinds()
        free = [seq for seq in self.kept() if seq not in owed and kinds[seq] in WATER_ORDER]
        quota = self.options.quota_of("reject")
        if quota and any(kinds[seq] == "reject" for seq in free):
            (held,) = self.store.rows("select bytes from picture_sum where class = 'reject'")
            assert held["bytes"] <= quota
        used = self.disk().used_percent
        assert used <= self.options.high_percent or not free
        cap = [seq for seq in self.kept() if kinds[seq] in WATER_ORDER]
        assert used <= self.options.hard_cap_percent or not cap
        for seq in free:
            assert not self.has_had_its_days(seq, kinds[seq])

    def has_had_its_days(self, seq: int, kind: str) -> bool:
        days = self.options.days_of(kind)
        return bool(days) and self.parts[seq][1] < self.now - timedelta(days=days)

    def settle(self) -> None:
        for _ in range(2000):
            if not self.retention.step():
                return
        raise AssertionError("it never comes to rest")

    def kept(self) -> set[int]:
        return {row["seq"] for row in self.store.rows("select seq from part where picture_kept")}

    def kinds(self) -> dict[int, str]:
        said = self.store.rows("select seq, class from picture where class != ?", THUMB)
        return {seq: "golden" if seq in self.labelled else kind for seq, (kind, _) in self.parts.items()} | {
            row["seq"]: row["class"] for row in said
        }

    def owed(self) -> set[int]:
        """Parts whose event the cloud has not taken."""
        if self.cloud is None:
            return set()
        sql = "select json_extract(cast(body as text), '$.seq') as seq from outbox where seq > ?"
        return {row["seq"] for row in self.store.rows(sql, self.acked)}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            # What a kill left goes once it is old enough to be told from what waits for its row.
            for file in self.store.files():
                os.utime(self.store.folder / file, ((BEGUN - timedelta(days=1)).timestamp(),) * 2)
            self.now += timedelta(days=2)
            self.looks()
            self.settle()
            kept = {row["picture"] for row in self.store.rows("select picture from part where picture_kept")}
            thumbs = self.store.rows("select count(*) as n from picture where class = ?", THUMB)
            assert len(self.store.files() - kept) == thumbs[0]["n"]
            assert check(self.store.folder, full=True).problems == []
            self.store.ledger.close()
            shutil.rmtree(self.root, ignore_errors=True)


Keeping.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to make a failing one smaller takes minutes
)


def test_retention_in_any_order(maker: Any) -> None:
    """The machine needs what conftest loads first."""
    assert maker.__name__ == "records_maker"
    Keeping.TestCase("runTest").runTest()

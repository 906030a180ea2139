"""The bad cable by itself, and what it does to every part between a real io process and a fast PLC."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from okng.simline.fault_proxy import FaultProxy
from okng.simline.faults import Fault, Faults, read_faults

from .conftest import free_port
from .proxy_box import truth
from .proxy_judge import Account, Book, Told, judge_account, judge_safety
from .proxy_proof import Proof, prove

# -- the cable ---------------------------------------------------------------------------------------------------------


@dataclass
class Far:
    """The server behind the cable: it answers each read with the same bytes, and remembers."""

    came: list[bytes] = field(default_factory=list)
    open: int = 0
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.open += 1
        try:
            while data := await reader.read(4096):
                self.came.append(data)
                writer.write(data)
            self.ended += 1
        except ConnectionError:
            self.ended += 1
        finally:
            self.open -= 1
            writer.close()


Play = Callable[[FaultProxy, int, Far], Awaitable[None]]


def through(faults: Faults, play: Play) -> FaultProxy:
    """Play with a server behind a cable; play gets the proxy, its port and the far end."""

    async def main() -> FaultProxy:
        far, front = Far(), free_port()
        server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
        proxy = FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1], faults)
        await proxy.open(front)
        proxy.active = True
        try:
            await play(proxy, front, far)
        finally:
            await proxy.close()
            await proxy.close()
            server.close()
            await asyncio.sleep(0.05)
        return proxy

    return asyncio.run(main())


async def ask(port: int, message: bytes, wait_s: float = 3.0) -> bytes:
    """Send a message on a new connection and return what came back until it ended or the time was over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        writer.write(message)
        async with asyncio.timeout(wait_s):
            while len(found) < len(message):
                if not (data := await reader.read(4096)):
                    break
                found += data
    except TimeoutError:
        pass
    finally:
        writer.close()
    return found


MESSAGE = bytes(range(41))


@pytest.mark.parametrize("more", [{}, {"delay": 1.0}, {"slice": 1.0}, {"stall": 1.0, "stall_ms": (20.0, 40.0)}])
def test_all_bytes_arrive_in_order(more: dict[str, object]) -> None:
    async def play(proxy: FaultProxy, port: int, far: Far) -> None:
        answers = await asyncio.gather(*(ask(port, MESSAGE + bytes((n,))) for n in range(10)))
        assert answers == [MESSAGE + bytes((n,)) for n in range(10)]
        if "slice" in more:
            assert len(far.came) > 10, "more pieces than messages"

    proxy = through(Faults(**more), play)  # type: ignore[arg-type]
    assert proxy.accepted == 10
    assert set(proxy.counts) == {Fault(name) for name in more if name in list(Fault)}
    assert not proxy.lines, "no connection is left behind"


def test_a_header_is_changed_in_its_first_six_bytes_and_a_spot_in_no_other() -> None:
    def differences(answer: bytes) -> set[int]:
        return {at for at in range(len(MESSAGE)) if answer[at] != MESSAGE[at]}

    async def header(proxy: FaultProxy, port: int, far: Far) -> None:
        places = [differences(await ask(port, MESSAGE)) for _ in range(40)]
        assert {1, 2} >= {len(found) for found in places}  # once on each way
        assert set().union(*places) == set(range(6))

    async def spot(proxy: FaultProxy, port: int, far: Far) -> None:
        places = [differences(await ask(port, MESSAGE)) for _ in range(20)]
        assert set().union(*places) == {15, 40}
        assert all(data == MESSAGE for data in far.came), "only what comes from the server"
        assert await ask(port, MESSAGE[:-1]) == MESSAGE[:-1]

    through(Faults(header=1.0), header)
    assert through(Faults(spot=1.0, spots=((41, 15), (41, 40))), spot).counts[Fault.SPOT] == 20


def test_ends_of_every_kind() -> None:
    async def reset(proxy: FaultProxy, port: int, far: Far) -> None:
        with pytest.raises(ConnectionResetError):
            await ask(port, MESSAGE)
        await asyncio.sleep(0.05)
        assert (far.came, far.open) == ([], 0)

    async def half_close(proxy: FaultProxy, port: int, far: Far) -> None:
        assert await ask(port, MESSAGE) == b""
        assert (far.came, far.ended) == ([], 1)

    async def orphan(proxy: FaultProxy, port: int, far: Far) -> None:
        assert await ask(port, MESSAGE) == b""
        await asyncio.sleep(0.1)
        assert far.open == 1, "the server has been told nothing"
        await asyncio.sleep(0.4)
        assert far.open == 0

    async def swallow(proxy: FaultProxy, port: int, far: Far) -> None:
        assert await ask(port, MESSAGE, 0.1) == b""
        assert far.came == []

    through(Faults(reset=1.0), reset)
    through(Faults(half_close=1.0), half_close)
    through(Faults(orphan=1.0, orphan_ms=300.0), orphan)
    through(Faults(swallow=1.0), swallow)


def test_a_server_that_is_not_there_and_a_cable_that_is_off() -> None:
    async def main() -> None:
        front = free_port()
        proxy = FaultProxy("127.0.0.1", free_port(), Faults(reset=1.0))
        await proxy.open(front)
        with pytest.raises(ConnectionResetError):
            await ask(front, MESSAGE)
        assert (proxy.unreachable, proxy.report()["accepted"]) == (1, 1)
        await proxy.close()

    asyncio.run(main())
    cable = FaultProxy("127.0.0.1", 1, Faults(reset=1.0))
    assert [cable.draw() for _ in range(5)] == [None] * 5


def test_the_same_seed_gives_the_same_faults() -> None:
    def drawn(seed: int) -> list[Fault | None]:
        proxy = FaultProxy("127.0.0.1", 1, Faults(seed=seed, reset=0.1, delay=0.2, anywhere=0.1))
        proxy.active = True
        return [proxy.draw() for _ in range(2000)]

    assert drawn(3) == drawn(3) != drawn(4)
    found = Counter(drawn(3))
    assert 130 < found[Fault.RESET] < 270
    assert 300 < found[Fault.DELAY] < 500


def test_what_nobody_can_mean_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a sum of 1\.2"):
        Faults(reset=0.6, delay=0.6)
    with pytest.raises(ValueError, match="unknown rests"):
        read_faults('{"rests": 0.1}')
    assert read_faults('{"reset": 0.1, "spots": [[41, 15]]}') == Faults(reset=0.1, spots=((41, 15),))


# -- the judge is shown to object --------------------------------------------------------------------------------------


def sound() -> tuple[dict[int, str], Book]:
    """Accounts of four parts that agree."""
    kinds = {kind: next(part for part in range(1, 10**6) if truth(part) == kind) for kind in ("OK", "NG", "UNJUDGED")}
    lost = next(part for part in range(1, 10**6) if truth(part) == "OK" and part != kinds["OK"])
    book = Book(Counter({part: 1 for part in (*kinds.values(), lost)}))
    book.records = {
        kinds["OK"]: [Told("PASS", "ok", "delivered", "OK")],
        kinds["NG"]: [Told("REJECT", "ng", "delivered", "NG")],
        kinds["UNJUDGED"]: [Told("REJECT", "lost", "delivered", "UNJUDGED")],
        lost: [Told("PASS", "ok", "unconfirmed", "OK")],
    }
    book.numbers = Counter({number: 1 for number in range(1, 10)})
    book.counters = (4, 2, 1, 1, 0, 0, 0, 2, 0, 1)
    return {kinds["OK"]: "pass", kinds["NG"]: "2", kinds["UNJUDGED"]: "3", lost: "lost"}, book


def judged(outcomes: dict[int, str], book: Book) -> list[str]:
    account = Account()
    judge_safety(outcomes, book, account)
    judge_account(outcomes, book, account)
    return account.objections


def test_the_judge_objects() -> None:
    assert judged(*sound()) == []
    ok, ng, unjudged, lost = sound()[0]

    def broken(change: Callable[[dict[int, str], Book], object]) -> str:
        outcomes, book = sound()
        change(outcomes, book)
        return " | ".join(judged(outcomes, book))

    assert "passed and is NG" in broken(lambda plc, book: plc.update({ng: "pass"}))
    assert "the ledger says PASS, it is NG" in broken(
        lambda plc, book: book.records.update({ng: [Told("PASS", "ok", "delivered", "OK")]})
    )
    assert "has the verdict OK of another" in broken(
        lambda plc, book: book.records.update({unjudged: [Told("REJECT", "lost", "delivered", "OK")]})
    )
    assert "1 triggers, 2 records" in broken(lambda plc, book: book.records[ok].append(book.records[ok][0]))
    assert "1 triggers, 0 records" in broken(lambda plc, book: book.records.pop(ok))
    assert "doubled [3]" in broken(lambda plc, book: book.numbers.update({3: 1}))
    assert "some are missing" in broken(lambda plc, book: book.numbers.update({30: 1}))
    assert "the PLC never triggered it" in broken(lambda plc, book: plc.pop(unjudged))
    assert "the ledger does not know it" in broken(lambda plc, book: plc.update({10**7: "pass"}))
    assert "lost at the PLC, PASS ok delivered" in broken(
        lambda plc, book: book.records.update({lost: [Told("PASS", "ok", "delivered", "OK")]})
    )
    assert "pass at the PLC, REJECT fault unconfirmed" in broken(
        lambda plc, book: book.records.update({ok: [Told("REJECT", "fault", "unconfirmed", "-")]})
    )
    assert "2 at the PLC, REJECT lost" in broken(lambda plc, book: plc.update({unjudged: "2"}))
    for at, name in enumerate(("triggers", "ok", "ng", "unjudged", "late", "missed", "in flight", "confirmed")):

        def counted(plc: dict[int, str], book: Book, at: int = at) -> None:
            book.counters = (*book.counters[:at], book.counters[at] + 1, *book.counters[at + 1 :])

        assert f"{name}: " in broken(counted)


# -- every part --------------------------------------------------------------------------------------------------------


def shown(proof: Proof) -> str:
    """All figures, for a failure."""
    return json.dumps([proof.account.objections, proof.account.figures, proof.plc.losses, proof.proxy], indent=1)


def test_every_part_has_its_own_verdict_or_is_rejected_and_counted() -> None:
    """The short form of `proxy_proof.py`, which says what is claimed."""
    parts = 1500
    proof = prove(parts, seed=11, rate=3.0)
    assert proof.account.objections == [], shown(proof)
    assert proof.io_status == 0
    figures = proof.account.figures
    assert figures["pass"] > parts * 0.5, shown(proof)
    assert figures["lost"] > 5, "the cable has to cost something, else nothing is shown"
    assert sum(proof.plc.losses.values()) > 10
    assert {"reset", "half_close", "header", "spot", "slice", "delay"} <= set(proof.proxy), shown(proof)


def test_one_changed_byte_anywhere_opens_for_no_bad_part() -> None:
    proof = prove(800, seed=5, kind="anywhere", rate=4.0)
    assert proof.account.objections == [], shown(proof)
    assert proof.proxy["anywhere"] > 30, shown(proof)
    assert proof.account.figures["pass"] > 100, shown(proof)

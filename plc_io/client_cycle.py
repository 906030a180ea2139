"""The cycle of the client role: the PLC is the slave, the box writes its result block and reads the PLC's answer.

It is a `Link` over any `Wire` that can ask a slave (TCP, RTU), and it is the only caller of that wire: one request at
a time. A published image goes out as soon as the request under way has ended. What is asked is idempotent, so a
request without an answer is asked again until the patience ends; then the link is lost.

    connect -> coils off, empty block -> ( write, read -> on_image ) every cycle -> lost -> on_lost -> wait -> connect

Each connection is an epoch of its own: the first thing written is an empty block, and a result that was published
before the connection stood is never shown on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import LinkLost
from .client_block import ANSWER_WORDS, pack_result, unpack_answer
from .client_coils import RESULT_BITS, Coils
from .images import OutImage
from .link import LinkHealth, OnImage, OnLost
from .regmap import WordOrder
from .signals import Status, WireCode

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
FIRST_WAIT_NS = 50 * MS
"""Before the first new connection after a loss; doubled each time up to the plan's `longest_wait_ns`."""
_WINDOW_NS = 30 * SECOND


class NoAnswer(LinkLost):
    """Nothing came in time, but the wire stands: ask again; a late answer will not be taken for the next one's."""


class Wire(Protocol):
    """A line to one slave. Each call ends within the wire's own time-out.

    All raise LinkLost when the line has to be opened afresh, and NoAnswer when it is enough to ask again.
    """

    @property
    def place(self) -> str:
        """Where the slave is, in words."""

    async def connect(self) -> None:
        """Open the line afresh: bytes of an earlier one are gone."""

    async def close(self) -> None:
        """Let go at once. Never raises; a second call does nothing."""

    async def write_registers(self, address: int, words: Sequence[int]) -> None:
        """FC16, confirmed by the slave."""

    async def write_coil(self, address: int, on: bool) -> None:
        """FC05, confirmed by the slave. Never FC15: some slaves round it to whole bytes."""

    async def read_registers(self, address: int, count: int) -> tuple[int, ...]:
        """FC03, exactly count words."""


@dataclass(frozen=True, slots=True)
class CyclePlan:
    """What is moved, where to and how often."""

    result_at: int
    """First register of the block that the box writes."""
    answer_at: int
    """First register of the block that the box reads."""
    coils: tuple[tuple[Status, int], ...] = ()
    """Single status bits and the coil each is copied to, by FC05."""
    order: WordOrder = WordOrder.HIGH_FIRST
    cycle_ns: int = 10 * MS
    patience_ns: int = 200 * MS
    """A request is repeated this long before the link counts as lost."""
    longest_wait_ns: int = SECOND
    """Between two attempts to connect, at most."""


class ClientCycle:
    """The link to the PLC in the role of a client, over one wire."""

    def __init__(
        self,
        wire: Wire,
        plan: CyclePlan,
        *,
        on_image: OnImage,
        on_lost: OnLost,
        health: LinkHealth | None = None,
    ) -> None:
        """health: given where the wire counts in it too (refused, broken, stale)."""
        self.health = LinkHealth() if health is None else health
        self._wire, self._plan = wire, plan
        self._on_image, self._on_lost = on_image, on_lost
        self._image = OutImage()
        self._old_seq = 0  # seq that stood when this connection began: not to be shown on it
        self._seen_seq = 0
        self._coils = Coils(plan.coils)
        self._up = False
        self._told = False
        self._worst = [0, 0]  # this half minute and the one before
        self._window_ns = 0
        self._wake, self._end = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def place(self) -> str:
        """Where, in words."""
        return self._wire.place

    @property
    def connected(self) -> bool:
        """The PLC has answered on this connection. An error of ours that ended the cycle is raised here."""
        task = self._task
        if task is not None and task.done() and not task.cancelled():
            task.result()
        return self._up

    async def open(self) -> None:
        """Start the cycle. A PLC that is not there is no error: it is looked for."""
        self._task = asyncio.create_task(self._run(), name=f"cycle with {self.place}")

    async def close(self) -> None:
        """Write the newest image once more where that is possible, and let go. Never raises."""
        task, self._task = self._task, None
        if task is None:
            return
        self._end.set()
        self._wake.set()
        await asyncio.wait({task}, timeout=self._plan.patience_ns / SECOND)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("the cycle with %s had ended by an error", self.place, exc_info=error)
        await self._wire.close()

    def publish(self, image: OutImage) -> None:
        """Show an image from now on. Never waits; one that was not sent yet is replaced whole."""
        if image.seq != self._old_seq:
            self._old_seq = 0
        self._image = image
        self._wake.set()

    # -- one connection after another --------------------------------------------------------------------------------

    async def _run(self) -> None:
        wait_ns = 0
        try:
            while not self._end.is_set():
                try:
                    await self._wire.connect()
                    await self._serve()
                    return
                except LinkLost as error:
                    first = self._up or wait_ns == 0
                    wait_ns = FIRST_WAIT_NS if first else min(2 * wait_ns, self._plan.longest_wait_ns)
                    self._lose(str(error))
                await self._wire.close()
                await self._rest(wait_ns)
        finally:
            self._up = False
            self.health.connections = 0
            await self._wire.close()

    async def _rest(self, wait_ns: int) -> None:
        try:
            await asyncio.wait_for(self._end.wait(), wait_ns / SECOND)
        except TimeoutError:
            return

    def _lose(self, reason: str) -> None:
        self.health.connections = 0
        if self._up:
            self._up = False
            self._on_lost(reason)
        elif not self._told:
            _LOG.warning("no PLC on %s yet: %s", self.place, reason)
        self._told = True

    async def _serve(self) -> None:
        """One connection: until LinkLost, or until `close` asks for the end."""
        self._old_seq, self._seen_seq = self._image.seq, 0
        self.health.accepted += 1
        self.health.connections = 1
        for address in self._coils.addresses:
            await self._coil(address, False)
        await self._ask(lambda: self._write(OutImage(heartbeat=self._image.heartbeat)))
        due_ns = now_ns()
        while not self._end.is_set():
            self._wake.clear()
            await self._show()
            if now_ns() >= due_ns:
                due_ns = max(due_ns + self._plan.cycle_ns, now_ns())
                await self._hear()
                await self._refresh_coil()
            await self._pause(due_ns)
        await self._show()

    async def _pause(self, due_ns: int) -> None:
        """Until the cycle is due or an image is published."""
        rest_ns = due_ns - now_ns()
        if rest_ns <= 0:
            return
        try:
            async with asyncio.timeout(rest_ns / SECOND):
                await self._wake.wait()
        except TimeoutError:
            return

    # -- what is asked -----------------------------------------------------------------------------------------------

    async def _show(self) -> None:
        """Coils that fall, the block, coils that rise, all of one image."""
        image = self._current()
        for address in self._coils.falling(image, self._seen_seq):
            await self._coil(address, False)
        await self._ask(lambda: self._write(image))
        for flag, address in self._coils.rising(image):
            await self._coil(address, True, flag)

    async def _hear(self) -> None:
        words = await self._ask(lambda: self._wire.read_registers(self._plan.answer_at, ANSWER_WORDS))
        image = unpack_answer(words, now_ns(), self._seen_seq, self._plan.order)
        self._up, self._told = True, False
        self._on_image(image)

    async def _refresh_coil(self) -> None:
        """One coil each cycle is written anew: a PLC that began with an empty memory gets them back."""
        again = None if self._wake.is_set() else self._coils.again()
        if again is not None:
            await self._coil(*again)

    def _current(self) -> OutImage:
        """The image as this connection may show it."""
        image = self._image
        if image.seq == 0 or image.seq != self._old_seq:
            return image
        status = image.status & ~RESULT_BITS
        return replace(image, status=status, seq=0, part=0, disposition=WireCode.NONE, defect=0)

    async def _write(self, image: OutImage) -> None:
        await self._wire.write_registers(self._plan.result_at, pack_result(image, self._plan.order))
        self._seen_seq = image.seq

    async def _coil(self, address: int, on: bool, flag: Status | None = None) -> None:
        """Switch a coil; with a flag it goes on only while the newest image still says this bit of this result."""

        async def write() -> bool:
            newest = self._current()
            now_on = on and (flag is None or (flag in newest.status and newest.seq == self._seen_seq))
            await self._wire.write_coil(address, now_on)
            return now_on

        self._coils.confirmed(address, await self._ask(write))

    async def _ask(self, request: Callable[[], Awaitable[_T]]) -> _T:
        """One request, repeated while it is only unanswered."""
        began_ns = now_ns()
        while True:
            try:
                answer = await request()
            except NoAnswer as error:
                self.health.timeouts += 1
                waited_ns = now_ns() - began_ns
                if waited_ns >= self._plan.patience_ns:
                    raise LinkLost(f"{error}; asked again for {waited_ns // MS} ms") from error
                continue
            self._count(now_ns(), began_ns)
            return answer

    def _count(self, now: int, began_ns: int) -> None:
        health = self.health
        if now - self._window_ns >= _WINDOW_NS:
            self._worst = [0, self._worst[0] if now - self._window_ns < 2 * _WINDOW_NS else 0]
            self._window_ns = now
        self._worst[0] = max(self._worst[0], now - began_ns)
        health.requests += 1
        health.last_ok_ns = now
        health.worst_ns = max(self._worst)

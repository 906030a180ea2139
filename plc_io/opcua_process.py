"""The process `opcua`: the line for the MES, after OPC 40100-1. It hears io on the bus and shows what it hears.

One event loop. It is never on the way of a reject: io does not wait for it, and what it asks (a job, a hold) io answers
by its own rules. A hold that this process leaves behind when it dies stays, until it is back or a person resets.
"""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

from asyncua.server.internal_session import InternalSession
from asyncua.server.server import Server

from ..bus.channel import Publisher, Subscriber, io_address, opcua_address, shift_address
from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, Hold, JobAnswer, JobOrder, JobPhase, StationState
from ..bus.part import Record, Trigger
from ..bus.shift import ShiftState
from .lots import Lots
from .opcua_door import secure
from .opcua_jobs import JobDesk
from .opcua_line import NOTHING, WHO, view_of
from .opcua_machine import EXECUTING, Machine, Vision
from .opcua_methods import Methods
from .opcua_options import OpcuaOptions
from .opcua_results import ResultMethods
from .opcua_shelf import Result, Shelf, result_of
from .opcua_space import Space
from .opcua_types import configuration_id, recipe_id, result_data

_LOG = logging.getLogger(__name__)
TURN_S = 0.05
SILENT_NS = 2 * SECOND
"""io repeats its state four times a second; silent for this long, the line is in Error."""
HOLD_NS = SECOND
"""A hold is repeated as often."""
ASK_NS = SECOND // 2
SHOWN_A_TURN = 20
"""Results shown between two looks at the bus; those over it are on the shelf all the same."""
EXIT_REFUSED = 78
"""Exit status for settings that a person has to change (EX_CONFIG)."""
_PRD, _SBY, _ENG, _SDT, _UDT, _NST = 1, 2, 3, 4, 5, 6


class _Opcua:
    """All that the process holds."""

    def __init__(self, options: OpcuaOptions, box: str, station: str, jobs: dict[int, str], run_dir: Path) -> None:
        self._options, self._box, self._station = options, box, station
        self._machine = Machine(holds=options.holds)
        self._shelf = Shelf(options.results)
        self._desk = JobDesk(jobs)
        self.state: StationState | None = None
        self._state_ns = 0
        self._changing = False
        self._new: list[Result] = []
        self._prepared: list[JobAnswer] = []
        self._held: str | None = None
        self._held_ns = self._asked_ns = 0
        self._shown: tuple[object, ...] = ()
        self._moving = asyncio.Lock()
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        run_dir.mkdir(parents=True, exist_ok=True)
        self._heart = Heartbeat(run_dir, WHO)
        self._speaker = Publisher(opcua_address(run_dir))
        kinds = (StationState, Trigger, Record, JobOrder, JobAnswer, ShiftState)
        self._ear = Subscriber([io_address(run_dir), shift_address(run_dir)], kinds)
        self._lots = Lots()
        self._server = Server()
        self._space = Space(self._server)

    async def serve(self) -> None:
        """Run until a signal asks for the end. BadSettings: certificates or address cannot be had."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        beating = self._loop.create_task(self._beat_while_starting())
        try:
            await self._build()
        finally:
            beating.cancel()
        try:
            await self._server.start()
        except OSError as error:
            where = f"{self._options.host} port {self._options.port}"
            raise BadSettings(f"opcua: cannot listen on {where}: {error}") from error
        try:
            self._loop.add_reader(self._ear.socket.fileno(), self._hear)
            self._heart.health = Health.READY
            _LOG.info("OPC UA listens on %s", self._server.endpoint.geturl())
            while not self._stop.is_set():
                self._hear()
                await self._turn(now_ns())
                self._heart.turn()
                try:
                    await asyncio.wait_for(self._stop.wait(), TURN_S)
                except TimeoutError:
                    continue
        finally:
            self._loop.remove_reader(self._ear.socket.fileno())
            await self._server.stop()

    async def _beat_while_starting(self) -> None:
        while True:
            self._heart.turn()
            await asyncio.sleep(TURN_S)

    async def _build(self) -> None:
        server, options = self._server, self._options
        InternalSession.max_connections = options.sessions
        await server.init()
        host = options.name or options.host
        server.set_endpoint(f"opc.tcp://{host}:{options.port}/okng")
        server.socket_address = (options.host, options.port)
        server.set_server_name(f"okng {self._box} {self._station}")
        await server.set_application_uri(f"urn:{host}:okng:{self._box}:{self._station}")
        await secure(server, options)
        await self._space.build(self._desk.names)
        may_change, change_s = options.jobs, options.change_s
        methods = Methods(self._machine, self._desk, self, may_change=may_change, change_s=change_s)
        ResultMethods(self._shelf).link(server, self._space)
        methods.link(server, self._space)
        await self._space.show_vision(self._machine.vision)
        await self._space.show_auto(None)

    # -- the bus -----------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        for message in self._ear.drain():
            self._take(message)

    def _take(self, message: Any) -> None:
        if isinstance(message, ShiftState):
            self._lots.take(message)
        elif isinstance(message, StationState):
            if self.state is not None and message.epoch != self.state.epoch:
                self._desk.drop()
            self.state, self._state_ns = message, now_ns()
        elif isinstance(message, JobOrder):
            self._changing = message.phase is not JobPhase.STEADY
        elif isinstance(message, JobAnswer):
            self._desk.take(message)
            if message.done:
                self._prepared.append(message)
        elif isinstance(message, Trigger):
            self._machine.trigger(message.part, missed=message.missed)
            self._hold(now_ns())  # a single job has its part: no other one may come
        elif self.state is not None:
            lot = self._lots.at(message.taken_at)
            result = result_of(message, self.state, self._box, self._machine.job_id, self._machine.meas_id, lot)
            self._shelf.add(result)
            self._new.append(result)
            del self._new[:-SHOWN_A_TURN]
            self._machine.record(message.trigger.part)

    def ask(self, number: int) -> "asyncio.Future[JobAnswer]":
        """Ask io for a job; said again until it has answered. TooManyError."""
        ask, answer = self._desk.ask(number)
        self._speaker.send(ask)
        return answer

    # -- time --------------------------------------------------------------------------------------------------------

    async def _turn(self, at: int) -> None:
        if self.state is None or at - self._state_ns >= SILENT_NS:
            view = NOTHING
        else:
            view = view_of(self.state, changing=self._changing)
        self._machine.look(view, at)
        if at - self._asked_ns >= ASK_NS:
            self._asked_ns = at
            for ask in self._desk.again():
                self._speaker.send(ask)
        await self.moved()
        await self._show()

    def _hold(self, at: int) -> None:
        """Say our hold to io when it has changed, and once a second while it stands."""
        wanted = self._machine.hold
        # io may not have heard that we let go, or still knows a hold of the process before this one.
        stands = wanted is not None or self._machine.view.held
        if wanted == self._held and not (stands and at - self._held_ns >= HOLD_NS):
            return
        if wanted is None and self._held is not None:
            _LOG.info("the line is let go")
        elif wanted is not None and self._held is None:
            _LOG.info("the line is held: %s", wanted)
        self._held, self._held_ns = wanted, at
        self._speaker.send(Hold(WHO, wanted is not None, wanted or ""))

    async def moved(self) -> None:
        """The machine may have moved: tell io first, then the clients, each transition in its order."""
        self._hold(now_ns())
        async with self._moving:
            for change in self._machine.changes():
                _LOG.info("%s", change.transition or f"automatic mode: {change.new or 'not active'}")
                if isinstance(change.new, Vision):
                    await self._space.show_vision(change.new)
                else:
                    await self._space.show_auto(change.new)
                if change.transition:
                    await self._space.tell_change(change)

    async def _show(self) -> None:
        """Say what has changed since the last turn."""
        new, self._new = self._new, []
        for result in new:
            await self._space.show_result(result_data(result))
        prepared, self._prepared = self._prepared, []
        for answer in prepared:
            await self._space.tell_prepared(recipe_id(self._desk.name_of(answer.number)))
        system = self._system()
        model = self.state.job.model if self.state else ""
        if (system, model) != self._shown:
            self._shown = system, model
            await self._space.show_system(*system)
            if model:
                await self._space.show_configuration(configuration_id(model))

    def _system(self) -> tuple[int, str]:
        """SystemState, and why."""
        state, machine = self.state, self._machine
        why = state.reasons[0] if state and state.reasons else ""
        if machine.vision is Vision.ERROR:
            return _UDT, why or ("FAULT" if machine.view.fault else "io says nothing")
        if machine.vision is Vision.HALTED:
            return _SDT, why
        if machine.vision is Vision.PREOPERATIONAL:
            return _NST, why
        if self._changing:
            return _ENG, why
        return (_PRD, "") if machine.auto in EXECUTING else (_SBY, why)

    def close(self) -> None:
        """Let go of the bus. The hold, where there is one, is not let go: only a start releases the line."""
        for socket in (self._speaker, self._ear):
            socket.close()
        self._heart.close()


def run(options: OpcuaOptions, box: str, station: str, jobs: dict[int, str], run_dir: Path) -> int:
    """Run the opcua process until SIGTERM or SIGINT. Return 0, 78 for settings to be changed, 1 for anything else.

    jobs: name of the recipe by job number.
    """

    async def main() -> None:
        opcua = _Opcua(options, box, station, jobs, run_dir)
        try:
            await opcua.serve()
        finally:
            opcua.close()

    logging.getLogger("asyncua").setLevel(logging.ERROR)  # it tells of every request
    try:
        asyncio.run(main())
    except BadSettings as error:
        _LOG.error("%s", error)
        return EXIT_REFUSED
    except Exception:  # noqa: BLE001 - outermost frame: clients see their connection end
        _LOG.exception("opcua ended by an error")
        return 1
    return 0

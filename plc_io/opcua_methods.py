"""What the methods of the state machine, of recipes and of the model do here; results have a file of their own.

A method that is not allowed now, or not here, says so by its status code.

Output `Error` is 0 throughout: what fails, fails by the status code, and so cannot be overlooked.
"""

import asyncio
import uuid
from typing import Any, Protocol

from asyncua.server.server import Server

from ..bus.messages import JobAnswer, StationState
from .opcua_answer import Answer, Method, Refusal, answering, no_error, variant
from .opcua_jobs import JobDesk, TooManyError
from .opcua_machine import Auto, Machine
from .opcua_space import Space
from .opcua_types import configuration_id, recipe_id, text_of, ua

_DONT_CARE = 2
_LOOKS, _LOOK_S = 20, 0.025
_AUTO = "VisionStateMachine/AutomaticModeStateMachine"


class Line(Protocol):
    """What the methods need of the process."""

    @property
    def state(self) -> StationState | None:
        """The last state of io; None: it has said none yet."""

    async def moved(self) -> None:
        """The machine may have moved: tell io and the clients."""

    def ask(self, number: int) -> "asyncio.Future[JobAnswer]":
        """Ask io for a job. TooManyError."""


class Methods:
    """The methods of one server."""

    def __init__(self, machine: Machine, desk: JobDesk, line: Line, *, may_change: bool, change_s: float) -> None:
        self._machine, self._desk, self._line = machine, desk, line
        self._may_change, self._change_s = may_change, change_s

    def link(self, server: Server, space: Space) -> None:
        """Put each behind its node."""
        vision = "VisionStateMachine"
        linked: dict[str, Method] = {
            f"{vision}/SelectModeAutomatic": self._select_automatic,
            f"{vision}/Halt": self._halt,
            f"{vision}/Reset": self._reset,
            f"{vision}/ConfirmAll": self._confirm_all,
            f"{_AUTO}/StartSingleJob": self._start_single,
            f"{_AUTO}/StartContinuous": self._start_continuous,
            f"{_AUTO}/Stop": self._stop,
            f"{_AUTO}/Abort": self._abort,
            f"{_AUTO}/SimulationMode": self._simulation_mode,
            "RecipeManagement/PrepareRecipe": self._prepare_recipe,
            "RecipeManagement/PrepareProduct": self._prepare_product,
            "RecipeManagement/UnprepareRecipe": self._not_supported,
            "RecipeManagement/GetRecipeListFiltered": self._get_recipes,
            "ConfigurationManagement/ActivateConfiguration": self._not_supported,
            "ConfigurationManagement/GetConfigurationById": self._get_configuration,
            "ConfigurationManagement/GetConfigurationList": self._get_configurations,
        }
        for path, method in linked.items():
            server.link_method(space.node(path), answering(path, method))

    # -- the state machine -------------------------------------------------------------------------------------------

    async def _select_automatic(self) -> Answer:
        self._machine.select_automatic()
        return await self._done()

    async def _halt(self, cause: int, words: str | None) -> Answer:
        self._machine.halt()
        return await self._done()

    async def _reset(self, cause: int, words: str | None) -> Answer:
        self._machine.reset()
        return await self._done()

    async def _confirm_all(self, comment: Any) -> Answer:
        # No condition of the line is held back for a confirmation: what stands is in the state, what is over is gone.
        return []

    async def _stop(self, cause: int, words: str | None) -> Answer:
        self._machine.stop()
        return await self._done()

    async def _abort(self, cause: int, words: str | None) -> Answer:
        self._machine.abort()
        return await self._done()

    async def _start_single(self, meas: Any, part: Any, recipe: Any, product: Any, more: Any) -> Answer:
        return await self._start(Auto.SINGLE, meas, recipe, product)

    async def _start_continuous(self, meas: Any, part: Any, recipe: Any, product: Any, more: Any) -> Answer:
        return await self._start(Auto.CONTINUOUS, meas, recipe, product)

    async def _start(self, mode: Auto, meas: Any, recipe: Any, product: Any) -> Answer:
        state = self._line.state
        for asked in (text_of(recipe), text_of(product)):
            if asked and (state is None or self._desk.number_of(asked) != state.job_number):
                raise Refusal("BadInvalidArgument", f"{asked!r} is not the active recipe: prepare it first")
        job_id = uuid.uuid4().hex[:16]
        self._machine.start(mode, job_id, text_of(meas)[:64])
        await self._line.moved()
        return [variant(ua.JobIdDataType(Id=job_id)), no_error()]

    async def _simulation_mode(self, activate: bool, cause: int, words: str | None) -> Answer:
        self._machine.allow_simulation()
        if activate:
            raise Refusal("BadNotSupported", "a line that is in production cannot be simulated")
        return [no_error()]

    async def _done(self) -> Answer:
        await self._line.moved()
        return [no_error()]

    # -- recipes and the model ---------------------------------------------------------------------------------------

    async def _prepare_recipe(self, external: Any, internal: Any) -> Answer:
        recipe, completed = await self._prepare(text_of(external) or text_of(internal))
        return [variant(recipe), variant(completed, ua.VariantType.Boolean), no_error()]

    async def _prepare_product(self, product: Any) -> Answer:
        recipe, completed = await self._prepare(text_of(product))
        if not completed:
            raise Refusal("BadTimeout", "the change-over is still under way; an event tells of its end")
        return [variant(recipe), no_error()]

    async def _prepare(self, asked: str) -> tuple[Any, bool]:
        if not self._may_change:
            raise Refusal("BadNotSupported", "opcua.jobs = false: OPC UA asks for no job")
        number = self._desk.number_of(asked)
        if number is None:
            raise Refusal("BadNotFound", f"there is no recipe {asked!r}: expected one of {', '.join(self._desk.names)}")
        self._machine.allow_preparing()
        try:
            answer = await asyncio.wait_for(asyncio.shield(self._line.ask(number)), self._change_s)
        except TooManyError as error:
            raise Refusal("BadTooManyOperations", str(error)) from error
        except TimeoutError:
            return recipe_id(self._desk.name_of(number)), False
        if not answer.done:
            raise Refusal("BadInvalidState", answer.detail)
        return recipe_id(self._desk.name_of(number), await self._revision(number)), True

    async def _revision(self, number: int) -> str:
        """Revision of the job just made the active one (io says its state after its answer); empty: it is not."""
        for _ in range(_LOOKS):
            state = self._line.state
            if state is not None and state.job_number == number:
                return state.job.revision
            await asyncio.sleep(_LOOK_S)
        return ""

    async def _get_recipes(
        self, external: Any, product: Any, prepared: Any, most: int, start: int, _wait_ms: int
    ) -> Answer:
        state = self._line.state
        active = state.job_number if state else 0
        asked = text_of(external) or text_of(product)
        found = []
        for name in self._desk.names:
            number = self._desk.number_of(name)
            is_active = number == active
            if asked and self._desk.number_of(asked) != number:
                continue
            if int(prepared) == _DONT_CARE or bool(int(prepared)) is is_active:
                found.append(recipe_id(name, state.job.revision if state and is_active else ""))
        page = found[start : start + most] if most else found[start:]
        complete = start + len(page) >= len(found)
        return [
            variant(complete, ua.VariantType.Boolean),
            variant(len(page), ua.VariantType.UInt32),
            variant(0, ua.VariantType.UInt32),
            ua.Variant(page, ua.VariantType.ExtensionObject, is_array=True),
            no_error(),
        ]

    def _configuration(self) -> Any:
        state = self._line.state
        if state is None:
            raise Refusal("BadNoData", "io has said nothing yet")
        return ua.ConfigurationDataType(InternalId=configuration_id(state.job.model))

    async def _get_configuration(self, internal: Any, _wait_ms: int) -> Answer:
        found = self._configuration()
        if text_of(internal) != found.InternalId.Id:
            raise Refusal("BadNotFound", f"configuration {text_of(internal)!r} is not the active one")
        return [variant(0, ua.VariantType.UInt32), variant(found), no_error()]

    async def _get_configurations(self, most: int, start: int, _wait_ms: int) -> Answer:
        page = [self._configuration()] if start == 0 else []
        return [
            variant(True, ua.VariantType.Boolean),
            variant(len(page), ua.VariantType.UInt32),
            variant(0, ua.VariantType.UInt32),
            ua.Variant(page, ua.VariantType.ExtensionObject, is_array=True),
            no_error(),
        ]

    async def _not_supported(self, *arguments: Any) -> Answer:
        raise Refusal("BadNotSupported", "one recipe and one model are active, always")

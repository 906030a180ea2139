"""What each method of OPC 40100-1 does here. A method that is not allowed now, or not here, says so by its status code.

Output `Error` is 0 throughout: what fails, fails by the status code, and so cannot be overlooked.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from asyncua.server.server import Server

from ..bus.messages import JobAnswer, StationState
from .opcua_jobs import JobDesk, TooManyError
from .opcua_machine import Auto, Machine, OnlyMirrorsError, WrongStateError
from .opcua_shelf import Result, Shelf, Wanted
from .opcua_space import Space
from .opcua_types import configuration_id, recipe_id, result_data, text_of, ua

_LOG = logging.getLogger(__name__)
MOST = 100
"""Results in one answer; a client that wants more asks with a StartIndex."""
_DONT_CARE = 2
_LOOKS, _LOOK_S = 20, 0.025
_AUTO = "VisionStateMachine/AutomaticModeStateMachine"
Answer = Any
Method = Callable[..., Awaitable[Answer]]


class Line(Protocol):
    """What the methods need of the process."""

    @property
    def state(self) -> StationState | None:
        """The last state of io; None: it has said none yet."""

    async def moved(self) -> None:
        """The machine may have moved: tell io and the clients."""

    def ask(self, number: int) -> "asyncio.Future[JobAnswer]":
        """Ask io for a job. TooManyError."""


class Refusal(Exception):
    """The method's answer is this status code."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.code = ua.StatusCode(getattr(ua.StatusCodes, name))


def _variant(value: Any, kind: Any = None) -> Any:
    return ua.Variant(value, kind) if kind is not None else ua.Variant(value)


def _no_error() -> Any:
    return ua.Variant(0, ua.VariantType.Int32)


class Methods:
    """The methods of one server."""

    def __init__(
        self, machine: Machine, shelf: Shelf, desk: JobDesk, line: Line, *, may_change: bool, change_s: float
    ) -> None:
        self._machine, self._shelf, self._desk, self._line = machine, shelf, desk, line
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
            "ResultManagement/GetResultById": self._get_result,
            "ResultManagement/GetResultComponentsById": self._get_components,
            "ResultManagement/GetResultListFiltered": self._get_results,
            "ResultManagement/ReleaseResultHandle": self._release,
        }
        for path, method in linked.items():
            server.link_method(space.node(path), _answering(path, method))

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
        return [_variant(ua.JobIdDataType(Id=job_id)), _no_error()]

    async def _simulation_mode(self, activate: bool, cause: int, words: str | None) -> Answer:
        self._machine.allow_simulation()
        if activate:
            raise Refusal("BadNotSupported", "a line that is in production cannot be simulated")
        return [_no_error()]

    async def _done(self) -> Answer:
        await self._line.moved()
        return [_no_error()]

    # -- recipes and the model ---------------------------------------------------------------------------------------

    async def _prepare_recipe(self, external: Any, internal: Any) -> Answer:
        recipe, completed = await self._prepare(text_of(external) or text_of(internal))
        return [_variant(recipe), _variant(completed, ua.VariantType.Boolean), _no_error()]

    async def _prepare_product(self, product: Any) -> Answer:
        recipe, completed = await self._prepare(text_of(product))
        if not completed:
            raise Refusal("BadTimeout", "the change-over is still under way; an event tells of its end")
        return [_variant(recipe), _no_error()]

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
            _variant(complete, ua.VariantType.Boolean),
            _variant(len(page), ua.VariantType.UInt32),
            _variant(0, ua.VariantType.UInt32),
            ua.Variant(page, ua.VariantType.ExtensionObject, is_array=True),
            _no_error(),
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
        return [_variant(0, ua.VariantType.UInt32), _variant(found), _no_error()]

    async def _get_configurations(self, most: int, start: int, _wait_ms: int) -> Answer:
        page = [self._configuration()] if start == 0 else []
        return [
            _variant(True, ua.VariantType.Boolean),
            _variant(len(page), ua.VariantType.UInt32),
            _variant(0, ua.VariantType.UInt32),
            ua.Variant(page, ua.VariantType.ExtensionObject, is_array=True),
            _no_error(),
        ]

    async def _not_supported(self, *arguments: Any) -> Answer:
        raise Refusal("BadNotSupported", "one recipe and one model are active, always")

    # -- results -----------------------------------------------------------------------------------------------------

    def _result(self, wanted: Any) -> Result:
        found = self._shelf.get(text_of(wanted))
        if found is None:
            raise Refusal("BadNotFound", f"there is no result {text_of(wanted)!r} (any more)")
        return found

    async def _get_result(self, wanted: Any, _wait_ms: int) -> Answer:
        found = self._result(wanted)
        return [_variant(self._shelf.open(), ua.VariantType.UInt32), _variant(result_data(found)), _no_error()]

    async def _get_components(self, wanted: Any, _wait_ms: int) -> Answer:
        data = result_data(self._result(wanted))
        kind = ua.VariantType
        return [
            _variant(False, kind.Boolean),
            _variant(self._shelf.open(), kind.UInt32),
            _variant(data.IsPartial, kind.Boolean),
            _variant(data.IsSimulated, kind.Boolean),
            _variant(data.ResultState, kind.Int32),
            _variant(data.MeasId or ua.MeasIdDataType(Id="")),
            _variant(data.PartId),
            _variant(ua.RecipeIdExternalDataType(Id="")),
            _variant(data.InternalRecipeId),
            _variant(ua.ProductIdDataType(Id="")),
            _variant(ua.ConfigurationIdDataType(Id="")),
            _variant(data.InternalConfigurationId),
            _variant(data.JobId),
            _variant(data.CreationTime, kind.DateTime),
            _variant(data.ProcessingTimes),
            ua.Variant(data.ResultContent, kind.Variant, is_array=True),
            _no_error(),
        ]

    async def _get_results(self, *arguments: Any) -> Answer:
        state, meas, part, external, internal, _external, model, product, job, most, start, _wait_ms = arguments
        wanted = Wanted(
            state=int(state),
            meas_id=text_of(meas),
            part_id=text_of(part),
            recipe=text_of(internal) or text_of(external) or text_of(product),
            model="",
            job_id=text_of(job),
        )
        if text_of(model):
            wanted = Wanted(wanted.state, wanted.meas_id, wanted.part_id, wanted.recipe, text_of(model), wanted.job_id)
        page, complete = self._shelf.find(wanted, start, min(most or MOST, MOST))
        return [
            _variant(complete, ua.VariantType.Boolean),
            _variant(len(page), ua.VariantType.UInt32),
            _variant(self._shelf.open() if page else 0, ua.VariantType.UInt32),
            ua.Variant([result_data(result) for result in page], ua.VariantType.ExtensionObject, is_array=True),
            _no_error(),
        ]

    async def _release(self, handle: int) -> Answer:
        if not self._shelf.release(handle):
            raise Refusal("BadNotFound", f"handle {handle} is not open")
        return [_no_error()]


def _answering(path: str, method: Method) -> Callable[..., Awaitable[Answer]]:
    """The method as asyncua calls it: unwrapped arguments in, variants or a status code out."""

    async def call(_parent: Any, *arguments: Any) -> Answer:
        try:
            return await method(*(argument.Value for argument in arguments))
        except WrongStateError as error:
            code = ua.StatusCode(ua.StatusCodes.BadInvalidState)
            _LOG.warning("%s refused: %s", path, error)
        except OnlyMirrorsError as error:
            code = ua.StatusCode(ua.StatusCodes.BadNotSupported)
            _LOG.warning("%s refused: %s", path, error)
        except Refusal as refusal:
            code = refusal.code
            _LOG.warning("%s refused: %s", path, refusal)
        except (TypeError, ValueError) as error:  # number or kind of the arguments
            code = ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
            _LOG.warning("%s refused: %s", path, error)
        return code

    return call

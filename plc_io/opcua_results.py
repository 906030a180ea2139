"""The methods of ResultManagement: results by id, in parts, and page by page."""

from typing import Any

from asyncua.server.server import Server

from .opcua_answer import Answer, Method, Refusal, answering, no_error, variant
from .opcua_shelf import Result, Shelf, Wanted
from .opcua_space import Space
from .opcua_types import result_data, text_of, ua

MOST = 100
"""Results in one answer; a client that wants more asks with a StartIndex."""


class ResultMethods:
    """The methods of one server."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def link(self, server: Server, space: Space) -> None:
        """Put each behind its node."""
        linked: dict[str, Method] = {
            "GetResultById": self._get_result,
            "GetResultComponentsById": self._get_components,
            "GetResultListFiltered": self._get_results,
            "ReleaseResultHandle": self._release,
        }
        for name, method in linked.items():
            path = f"ResultManagement/{name}"
            server.link_method(space.node(path), answering(path, method))

    def _result(self, wanted: Any) -> Result:
        found = self._shelf.get(text_of(wanted))
        if found is None:
            raise Refusal("BadNotFound", f"there is no result {text_of(wanted)!r} (any more)")
        return found

    async def _get_result(self, wanted: Any, _wait_ms: int) -> Answer:
        found = self._result(wanted)
        return [variant(self._shelf.open(), ua.VariantType.UInt32), variant(result_data(found)), no_error()]

    async def _get_components(self, wanted: Any, _wait_ms: int) -> Answer:
        data = result_data(self._result(wanted))
        kind = ua.VariantType
        return [
            variant(False, kind.Boolean),
            variant(self._shelf.open(), kind.UInt32),
            variant(data.IsPartial, kind.Boolean),
            variant(data.IsSimulated, kind.Boolean),
            variant(data.ResultState, kind.Int32),
            variant(data.MeasId or ua.MeasIdDataType(Id="")),
            variant(data.PartId),
            variant(ua.RecipeIdExternalDataType(Id="")),
            variant(data.InternalRecipeId),
            variant(ua.ProductIdDataType(Id="")),
            variant(ua.ConfigurationIdDataType(Id="")),
            variant(data.InternalConfigurationId),
            variant(data.JobId),
            variant(data.CreationTime, kind.DateTime),
            variant(data.ProcessingTimes),
            ua.Variant(data.ResultContent, kind.Variant, is_array=True),
            no_error(),
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
            variant(complete, ua.VariantType.Boolean),
            variant(len(page), ua.VariantType.UInt32),
            variant(self._shelf.open() if page else 0, ua.VariantType.UInt32),
            ua.Variant([result_data(result) for result in page], ua.VariantType.ExtensionObject, is_array=True),
            no_error(),
        ]

    async def _release(self, handle: int) -> Answer:
        if not self._shelf.release(handle):
            raise Refusal("BadNotFound", f"handle {handle} is not open")
        return [no_error()]

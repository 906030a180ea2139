"""The address space: the nodeset of OPC 40100-1, one VisionSystem in it, and the values that are kept true there.

Optional parts that this box does not have are taken out again, so that a client sees what there is: files to transfer,
recipes to add or remove, safety, steps.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncua.common.instantiate_util import instantiate
from asyncua.common.manage_nodes import delete_nodes
from asyncua.common.node import Node
from asyncua.server.event_generator import EventGenerator
from asyncua.server.server import Server

from .opcua_machine import Auto, Changed, Vision
from .opcua_subtypes import tell_apart
from .opcua_types import ua

_LOG = logging.getLogger(__name__)
NODESET = Path(__file__).parent / "nodeset" / "Opc.Ua.MachineVision.NodeSet2.xml"
NAMESPACE = "http://opcfoundation.org/UA/MachineVision"
OURS = "urn:okng:vision"
SYSTEM = "VisionSystem"
_AUTO = "VisionStateMachine/AutomaticModeStateMachine"
_ABSENT = (
    "ConfigurationManagement/AddConfiguration",
    "ConfigurationManagement/ConfigurationTransfer",
    "ConfigurationManagement/Configurations",
    "ConfigurationManagement/ReleaseConfigurationHandle",
    "ConfigurationManagement/RemoveConfiguration",
    "DiagnosticLevel",
    "RecipeManagement/AddRecipe",
    "RecipeManagement/RecipeTransfer",
    "RecipeManagement/Recipes",
    "RecipeManagement/ReleaseRecipeHandle",
    "RecipeManagement/RemoveRecipe",
    "RecipeManagement/UnlinkProduct",
    "RecipeManagement/UnprepareProduct",
    "ResultManagement/ResultTransfer",
    "SafetyStateManagement",
    "VisionStateMachine/PreoperationalStepModel",
    "VisionStateMachine/HaltedStepModel",
    "VisionStateMachine/ErrorStepModel",
    f"{_AUTO}/InitializedStepModel",
    f"{_AUTO}/ReadyStepModel",
    f"{_AUTO}/SingleExecutionStepModel",
    f"{_AUTO}/ContinuousExecutionStepModel",
)
_PLACEHOLDER = "RecipeManagement/Products/<Product>"
"""asyncua makes a node of the placeholder itself."""


class Space:
    """The nodes of one server. Values and events are written here and nowhere else."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._nodes: dict[str, Node] = {}
        self._states: dict[str, Any] = {}
        self._types: dict[str, Node] = {}
        self._ours = self._spec = 0
        self._events: dict[str, EventGenerator] = {}
        self._last: dict[str, Node] = {}

    async def build(self, products: tuple[str, ...]) -> None:
        """Load the nodeset and make the system. Takes seconds. products: names that recipes can be asked for by."""
        server = self._server
        await server.import_xml(str(NODESET))
        await server.load_data_type_definitions()
        self._spec = await server.get_namespace_index(NAMESPACE)
        await tell_apart(server, self._spec)
        self._ours = await server.register_namespace(OURS)
        self._types = await self._find_types()
        # Names as node ids: they are the same after each start, whatever is made before them.
        await instantiate(
            server.nodes.objects,
            self._types["VisionSystemType"],
            nodeid=ua.NodeId(SYSTEM, self._ours),
            bname=ua.QualifiedName(SYSTEM, self._ours),
            dname=ua.LocalizedText("okng vision system"),
            instantiate_optional=True,
        )
        for path in (*_ABSENT, _PLACEHOLDER):
            await delete_nodes(server.iserver.isession, [self.node(path)], recursive=True)
        await self._find_states()
        for name in products:
            value = ua.ProductDataType(ExternalId=ua.ProductIdDataType(Id=name))
            await self._variable("RecipeManagement/Products", name, value, "ProductDataType")
        await self._make_last()
        for kind in ("StateChangedEventType", "ResultReadyEventType", "RecipePreparedEventType"):
            self._events[kind] = await server.get_event_generator(self._types[kind].nodeid, self.node("").nodeid)

    def node(self, path: str) -> Node:
        """The node of the system at that path, for example `ResultManagement/Results`."""
        name = ".".join((SYSTEM, *path.split("/"))) if path else SYSTEM
        return self._server.get_node(ua.NodeId(name, self._ours))

    async def _find_types(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        roots = (self._server.nodes.base_object_type, self._server.nodes.base_data_type)
        waiting = [*roots, self._server.get_node(ua.ObjectIds.BaseVariableType)]
        while waiting:
            node = waiting.pop()
            if node.nodeid.NamespaceIndex == self._spec:
                found[(await node.read_browse_name()).Name] = node
            waiting += await node.get_children(refs=ua.ObjectIds.HasSubtype)
        return found

    async def _find_states(self) -> None:
        """Ids of the states, as CurrentState.Id tells them: those of the type, which are there for every instance."""
        for kind in ("VisionStateMachineType", "VisionAutomaticModeStateMachineType"):
            for child in await self._types[kind].get_children():
                name = (await child.read_browse_name()).Name
                self._states.setdefault(name, child.nodeid)

    async def _variable(self, folder: str, name: str, value: Any, kind: str) -> Node:
        return await self.node(folder).add_variable(
            ua.NodeId(".".join((SYSTEM, *folder.split("/"), name)), self._ours),
            ua.QualifiedName(name, self._ours),
            value,
            datatype=self._types[kind].nodeid,
        )

    async def _make_last(self) -> None:
        """The variable with the newest result, and a part of it in each of its children."""
        await instantiate(
            self.node("ResultManagement/Results"),
            self._types["ResultType"],
            nodeid=ua.NodeId(f"{SYSTEM}.ResultManagement.Results.LastResult", self._ours),
            bname=ua.QualifiedName("LastResult", self._ours),
            dname=ua.LocalizedText("LastResult"),
            instantiate_optional=True,
        )
        last = self.node("ResultManagement/Results/LastResult")
        self._last = {(await child.read_browse_name()).Name: child for child in await last.get_children()}
        await delete_nodes(self._server.iserver.isession, [self._last.pop("HasTransferableDataOnFile")])
        # The nodeset gives the content no data type, and asyncua would then refuse every value.
        content = ua.DataValue(ua.Variant(ua.NodeId(ua.ObjectIds.BaseDataType), ua.VariantType.NodeId))
        await self._last["ResultContent"].write_attribute(ua.AttributeIds.DataType, content)
        self._last[""] = last
        for node in self._last.values():
            await node.write_value(_nothing())  # until the first part

    # -- values ------------------------------------------------------------------------------------------------------

    async def show_vision(self, state: Vision) -> None:
        """Say the state of the vision state machine."""
        await self._show_state("VisionStateMachine", state.value)

    async def show_auto(self, state: Auto | None) -> None:
        """Say the state of the automatic mode; None: it is not active, and CurrentState has no good value."""
        await self._show_state(_AUTO, state.value if state else None)

    async def _show_state(self, machine: str, name: str | None) -> None:
        current, number = self.node(f"{machine}/CurrentState"), self.node(f"{machine}/CurrentState/Id")
        if name is None:
            status = ua.StatusCode(ua.StatusCodes.BadStateNotActive)
            await current.write_value(ua.DataValue(ua.Variant(None, ua.VariantType.Null), StatusCode=status))
            await number.write_value(ua.DataValue(ua.Variant(None, ua.VariantType.Null), StatusCode=status))
        else:
            await current.write_value(ua.LocalizedText(name, "en"), ua.VariantType.LocalizedText)
            await number.write_value(self._states[name], ua.VariantType.NodeId)

    async def show_system(self, state: int, words: str) -> None:
        """Say the SystemState, 1..6 (PRD SBY ENG SDT UDT NST)."""
        value = ua.SystemStateDescriptionDataType(State=ua.SystemStateDataType(state), StateDescription=words or None)
        await self.node("SystemState").write_value(value)

    async def show_configuration(self, configuration: Any) -> None:
        """Say the active configuration: the model."""
        value = ua.ConfigurationDataType(InternalId=configuration, LastModified=datetime.now(UTC))
        await self.node("ConfigurationManagement/ActiveConfiguration").write_value(value)

    async def show_result(self, data: Any) -> None:
        """Say the newest result, whole and in parts, and that it is there."""
        await self._last[""].write_value(data)
        event = self._events["ResultReadyEventType"].event
        for name, node in self._last.items():
            if not name:
                continue
            value = getattr(data, name)
            await node.write_value(_part(name, value))
            if hasattr(event, name):
                event.add_property(name, value, _kind(name))  # None too: the event before may have had one
        await self._emit("ResultReadyEventType", f"result {data.ResultId.Id}", 100)

    # -- events ------------------------------------------------------------------------------------------------------

    async def tell_change(self, change: Changed) -> None:
        """Say one transition."""
        event = self._events["StateChangedEventType"].event
        for name, value in (("FromState", change.old), ("ToState", change.new), ("Transition", change.transition)):
            if hasattr(event, name):
                event.add_property(name, ua.LocalizedText(str(value or ""), "en"), ua.VariantType.LocalizedText)
        severity = 700 if change.new is Vision.ERROR else 200
        await self._emit("StateChangedEventType", change.transition, severity)

    async def tell_prepared(self, recipe: Any) -> None:
        """Say that a recipe is the active one now."""
        event = self._events["RecipePreparedEventType"].event
        event.add_property("InternalId", recipe, ua.VariantType.ExtensionObject)
        await self._emit("RecipePreparedEventType", f"recipe {recipe.Id} is prepared", 200)

    async def _emit(self, kind: str, message: str, severity: int) -> None:
        """Send it from the system, and from the server object, where most clients listen."""
        generator = self._events[kind]
        system = generator.event.emitting_node
        generator.event.Severity = severity
        await generator.trigger(message=message)
        generator.event.emitting_node = ua.NodeId(ua.ObjectIds.Server)
        await self._server.iserver.isession.subscription_service.trigger_event(generator.event)
        generator.event.emitting_node = system


def _kind(name: str) -> Any:
    """Type of one part of a result on the wire; the nodeset's own types are structures but for these."""
    kinds = {
        "IsPartial": ua.VariantType.Boolean,
        "IsSimulated": ua.VariantType.Boolean,
        "ResultState": ua.VariantType.Int32,
        "CreationTime": ua.VariantType.DateTime,
        "ResultContent": ua.VariantType.Variant,
    }
    return kinds.get(name, ua.VariantType.ExtensionObject)


def _part(name: str, value: Any) -> Any:
    """One part of a result as the type of its node asks for it; what is absent has no value and says so."""
    if value is None:
        return _nothing()
    return ua.DataValue(ua.Variant(value, _kind(name), is_array=isinstance(value, list)))


def _nothing() -> Any:
    return ua.DataValue(ua.Variant(None, ua.VariantType.Null), ua.StatusCode(ua.StatusCodes.BadNoData))

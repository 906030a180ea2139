"""Ids of recipes and configurations as types of their own.

The nodeset derives them from BinaryIdBaseDataType and adds no field, and asyncua makes one class of all of them: sent
by itself, a recipe's id would bear the name of the abstract type, and one that a client hands in would not be decoded.
"""

from typing import Any

from asyncua import ua as _ua
from asyncua.server.server import Server

ua: Any = _ua
"""The base class is put here by the import of the nodeset, so no checker can know it."""
SUBTYPES = {"RecipeIdExternalDataType": 3002, "RecipeIdInternalDataType": 3013, "ConfigurationIdDataType": 3008}
"""By their number in the nodeset."""


async def tell_apart(server: Server, namespace: int) -> None:
    """Make and register a class for each. Call it once, after the nodeset is imported, before a value is made.

    namespace: index of the nodeset in this server.
    """
    base = ua.BinaryIdBaseDataType
    for name, number in SUBTYPES.items():
        data_type = ua.NodeId(number, namespace)
        encodings = await server.get_node(data_type).get_referenced_nodes(ua.ObjectIds.HasEncoding)
        for encoding in encodings:
            if (await encoding.read_browse_name()).Name == "Default Binary":
                made = type(name, (base,), {"data_type": data_type, "__module__": base.__module__})
                ua.register_extension_object(name, encoding.nodeid, made, data_type)

"""The nodeset that is shipped is the OPC Foundation's, unchanged, with its licence."""

import hashlib
import json
from pathlib import Path

NODESET = Path(__file__).resolve().parents[2] / "plc_io" / "nodeset"


def test_the_nodeset_is_as_it_came_and_has_its_licence() -> None:
    listed = json.loads((NODESET / "vendor.json").read_text(encoding="utf-8"))
    assert set(listed) == {file.name for file in NODESET.glob("*.xml")} == {"Opc.Ua.MachineVision.NodeSet2.xml"}
    for name, entry in listed.items():
        content = (NODESET / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], name
        licence = (NODESET / entry["licence_file"]).read_text(encoding="utf-8")
        assert "OPC Foundation MIT License 1.00" in licence
        assert "Permission is hereby granted" in licence
        notice = "Copyright (c) 2005-2020 The OPC Foundation, Inc. All rights reserved."
        assert notice in licence
        assert notice in content[:2000].decode()

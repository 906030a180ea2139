"""An io that breaks the promise: it shows the PLC an OK for every result. The judge has to see it.

python -m okng.tests.faults.liar io --settings okng.toml
"""

import sys
from dataclasses import replace

from okng.plc_io.images import OutImage
from okng.plc_io.modbus_server import ModbusServer
from okng.plc_io.signals import Status, WireCode

HONEST = ModbusServer.publish


def publish(link: ModbusServer, image: OutImage) -> None:
    """Show it as an OK where there is any result."""
    if image.status & Status.RESULT_VALID:
        status = image.status & ~(Status.NG | Status.UNJUDGED) | Status.OK
        image = replace(image, status=status, disposition=WireCode.OK)
    HONEST(link, image)


if __name__ == "__main__":
    ModbusServer.publish = publish  # type: ignore[assignment, method-assign]
    from okng.__main__ import main

    sys.exit(main())  # type: ignore[func-returns-value]

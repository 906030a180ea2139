"""Which wire the settings ask for. Drivers are imported on demand: a library that is missing hurts only its user."""

from .link import Link, OnImage, OnLost
from .options import PlcOptions


def open_link(options: PlcOptions, on_image: OnImage, on_lost: OnLost) -> Link:
    """Return the link of the settings, not yet opened."""
    from .modbus_server import ModbusServer

    return ModbusServer(
        options.host,
        options.port,
        on_image=on_image,
        on_lost=on_lost,
        unit=options.unit,
        order=options.word_order,
        peer=options.peer,
    )

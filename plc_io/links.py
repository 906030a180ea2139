"""Which wire the settings ask for. Drivers are imported on demand: a library that is missing hurts only its user."""

from .link import Link, OnImage, OnLost
from .options import PlcOptions


def open_link(options: PlcOptions, on_image: OnImage, on_lost: OnLost) -> Link:
    """Return the link of the settings, not yet opened. BadSettings: a certificate or key cannot be used."""
    if options.role == "modbus_client":
        from .modbus_client import modbus_client

        return modbus_client(options.client, options.word_order, on_image=on_image, on_lost=on_lost)
    if options.role == "ascii":
        from .ascii_link import open_ascii_link

        return open_ascii_link(options.ascii, on_image, on_lost)
    from .modbus_server import ModbusServer

    return ModbusServer(
        options.host,
        options.port,
        on_image=on_image,
        on_lost=on_lost,
        unit=options.unit,
        order=options.word_order,
        peer=options.peer,
        tls=options.tls,
    )

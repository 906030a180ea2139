"""Which wire the settings ask for. Drivers are imported on demand: a library that is missing hurts only its user."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..bus.errors import BadSettings
from ..bus.messages import Job
from .belt_options import BeltOptions
from .belt_station import BeltStation
from .link import Link, OnImage, OnLost
from .options import PlcOptions

if TYPE_CHECKING:
    from .gates_link import GatesLink


def open_link(options: PlcOptions, on_image: OnImage, on_lost: OnLost) -> Link:
    """Return the link of the settings, not yet opened. BadSettings: a certificate or key cannot be used."""
    if options.role == "modbus_client":
        from .modbus_client import modbus_client

        return modbus_client(options.client, options.word_order, on_image=on_image, on_lost=on_lost)
    if options.role == "rtu_client":
        from .rtu_client import rtu_client

        return rtu_client(options.serial, options.rtu, options.word_order, on_image=on_image, on_lost=on_lost)
    if options.role == "rtu_server":
        from .rtu_server import RtuServer

        return RtuServer(options.serial, options.unit, options.word_order, on_image=on_image, on_lost=on_lost)
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


def _belt(options: PlcOptions) -> BeltOptions:
    if options.belt is None:
        raise BadSettings('plc.belt: missing; role = "gates" needs the belt, its eyes and its gates')
    return options.belt


def belt_station(
    name: str,
    job: Job,
    options: PlcOptions,
    *,
    job_number: int,
    jobs: frozenset[int],
    participants: frozenset[str],
    views: tuple[str, ...],
    awaits: tuple[str, ...] = (),
) -> BeltStation:
    """Return the core for role = "gates". BadSettings: belt and pins do not fit together."""
    belt = _belt(options)
    try:
        belt.check_wiring(options.pins)
        return BeltStation(
            name,
            job,
            options.limits(),
            belt,
            options.pins.counter_bits,
            edge_ms=belt.edge_ms(options.pins),
            job_number=job_number,
            jobs=jobs,
            participants=participants,
            views=views,
            awaits=awaits,
        )
    except ValueError as error:
        raise BadSettings(str(error)) from error


def open_gates(options: PlcOptions, core: BeltStation, flush: Callable[[int], None], on_lost: OnLost) -> "GatesLink":
    """Return the machine's side for role = "gates", not yet opened."""
    from .field import open_field
    from .gates_link import GatesLink

    pins = options.pins
    return GatesLink(
        core, lambda edge, lost: open_field(pins, edge, lost), f"the pins of {pins.chip}", flush=flush, on_lost=on_lost
    )

"""What is taken out of the box by a USB stick: papers, rejects, a support bundle, a back-up, the ledger as a file."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..bus.clock import utc_now
from ..bus.errors import Refused
from ..records.export import Chosen
from ..records.export_files import export_parts
from ..records.parcel import MOST_BYTES, parcel, picked, picture_path
from ..records.read import PartRow, ViewRow
from .jobs import Bench
from .stick import PIECE, Saved, choose, room_for, save
from .support import support_bundle
from .trail import note

PAPERS, BACKUPS = "papers", "backups"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing to be taken out."""

    name: str
    """Of the file on the stick."""
    size: int
    """Bytes it will have; 0: not known before."""
    write: Callable[[BinaryIO], object]


def save_to_stick(bench: Bench) -> dict[str, Any]:
    """Write it to the stick that was chosen. Refused, StoreLost, BadLedger."""
    box, order = bench.box, bench.order
    most = box.options.stick_most_mb << 20
    stick = choose(box.options.sticks, str(order["stick"]))
    bench.tell(0.02, "being put together")
    made = _MADE[str(order["kind"])](bench)
    room_for(stick, made.size, most)

    def tell(done: int, again: bool) -> None:
        share = min(1.0, done / made.size) if made.size else 0.5
        bench.tell(0.7 + 0.25 * share if again else 0.1 + 0.6 * share, "read back" if again else "written")

    def before_named(saved: Saved) -> None:
        about = {"kind": order["kind"], "stick": stick.name, **asdict(saved)}
        note(box, str(order["who"]), "written to a USB stick", about, str(order["reason"]))

    saved = save(stick, made.name, made.write, most, before_named, tell)
    return {"stick": stick.name, **asdict(saved)}


def _paper(bench: Bench) -> Parcel:
    name = f"{bench.order['name']}.pdf"
    path = _inside(bench.box.run_dir / PAPERS, name, "the PDF is not there any more: make it again")
    return _file(path, path.name)


def _rejects(bench: Bench) -> Parcel:
    store = bench.box.store
    rows, told = picked(store, bench.order["seqs"])
    if not rows:
        raise Refused("none of these parts is in the ledger")
    every: list[PartRow | ViewRow] = []
    for row in rows:
        every += [row]
        every += row.views
    held = [picture_path(store, one) for one in every]
    size = min(MOST_BYTES, sum(path.stat().st_size for path in held if path is not None))
    name = f"okng-parts-{bench.box.station}-{rows[0].seq}-{rows[-1].seq}.zip"
    return Parcel(name, size, lambda out: _all(out, parcel(rows, lambda one: picture_path(store, one), told)))


def _support(bench: Bench) -> Parcel:
    made = support_bundle(bench)
    return _file(bench.folder / str(made["file"]), f"okng-support-{bench.box.name}-{_stamp()}.zip")


def _backup(bench: Bench) -> Parcel:
    folder = bench.box.store / BACKUPS
    name = str(bench.order["file"])
    if not name:
        kept = sorted(folder.glob("ledger-*.db"))
        if not kept:
            raise Refused("no back-up was made yet: make one first")
        name = kept[-1].name
    path = _inside(folder, name, "there is no such back-up")
    return _file(path, f"okng-{bench.box.name}-{path.name}")


def _export(bench: Bench) -> Parcel:
    order, store = bench.order, bench.box.store
    chosen = Chosen(str(order["since"]), str(order["until"]), str(order["lot"]))
    name = f"okng-{bench.box.station}-{_stamp()}.{order['format']}"
    return Parcel(name, 0, lambda out: export_parts(store, out, order["format"], chosen))


_MADE: dict[str, Callable[[Bench], Parcel]] = {
    "paper": _paper,
    "rejects": _rejects,
    "support": _support,
    "backup": _backup,
    "export": _export,
}
"""By what is asked for; a further kind is one line here, one in `stick_desk`, one in `bus.rights`."""


def _inside(folder: Path, name: str, missing: str) -> Path:
    path = folder / name
    if Path(name).name != name or path.is_symlink() or not path.is_file():
        raise Refused(missing)
    return path


def _file(path: Path, name: str) -> Parcel:
    def write(out: BinaryIO) -> None:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                out.write(piece)

    return Parcel(name, path.stat().st_size, write)


def _all(out: BinaryIO, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        out.write(piece)


def _stamp() -> str:
    """The moment, as a file may be called."""
    return utc_now()[:19].replace("-", "").replace(":", "")

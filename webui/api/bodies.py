"""What each command takes, by its name in `bus.rights.COMMANDS`. The owner checks all of it again."""

from typing import Any, Literal

from pydantic import Field

from .spec import Shape

Word = Field(min_length=1, max_length=64)


class Said(Shape):
    """What every command may carry."""

    id: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_-]*$", description="Asked again, not done twice.")
    reason: str = Field(default="", max_length=500, description="For the audit trail.")


class Keys(Said):
    """Alarms by their keys."""

    keys: list[str] = Field(min_length=1, max_length=200)


class Key(Said):
    """One alarm by its key."""

    key: str = Word


class Shelve(Key):
    """Put an alarm aside for a while."""

    minutes: int = Field(ge=1, le=30)


class Service(Key):
    """Take an alarm out of service, or put it back."""

    out: bool


class Seq(Said):
    """One part of the ledger."""

    seq: int = Field(ge=1, le=2**53)


class Seqs(Said):
    """Parts of the ledger."""

    seqs: list[int] = Field(min_length=1, max_length=1000)


class Label(Seq):
    """What a person says of a part. It changes nothing that was sent."""

    truth: Literal["defect", "good", "unsure"]
    kind: str = Field(default="", max_length=64)
    second: bool = Field(default=False, description="Of the sample that a second person judges.")


class Number(Said):
    """A label by its number."""

    n: int = Field(ge=1, le=2**53)


class Escape(Said):
    """A defect that was found downstream."""

    seq: int | None = Field(default=None, ge=1, le=2**53)
    serial: str = Field(default="", max_length=256)
    found_at: str = Field(default="", max_length=64)
    what: str = Field(default="", max_length=200)


class Golden(Seq):
    """A part that stays. `reason` has to be given."""


class Drawing(Seq):
    """Masks and boxes drawn on a picture, in sensor pixels."""

    body: dict[str, Any]


class Begun(Said):
    """The inspection goes on."""

    maintenance: bool = Field(default=False, description="Something was mended meanwhile.")


class Removed(Said):
    """Whether a challenge part was removed, where no sensor says so."""

    removed: bool
    part: int = Field(ge=1, le=2**53, description="`challenge.waiting`: another part may wait by now.")


class Signature(Said):
    """A signature under a run of the challenge test."""

    run: int = Field(ge=1, le=2**53)


class Samples(Said):
    """The challenge parts of a recipe."""

    recipe: str = Word
    samples: list[dict[str, Any]] = Field(max_length=50)


class Bypass(Said):
    """A key at the PLC lets the parts by; the box grants nothing."""

    minutes: int = Field(ge=1, le=120)


class Lot(Said):
    """A lot."""

    lot: str = Field(max_length=64)


class Begin(Said):
    """The product to change to, by job number or by its code."""

    number: int | None = Field(default=None, ge=1, le=65535)
    code: str | None = Field(default=None, min_length=1, max_length=256)


class Step(Said):
    """The step of a change-over to go to."""

    step: int = Field(ge=1, le=6)
    lot: str = Field(default="", max_length=64)


class Force(Said):
    """An output, for a while."""

    output: str = Word
    on: bool
    seconds: int | None = Field(default=None, ge=1, le=60, description="Where it is held on.")


class Pulse(Said):
    """A test pulse, for as long as it is asked for again."""

    gate: str = Word
    hold_ms: int = Field(default=300, ge=50, le=500)


class OfCamera(Said):
    """One camera."""

    camera: str = Word


class Features(OfCamera):
    """Features to read; none: the usual ones."""

    names: list[str] = Field(default_factory=list, max_length=100)


class Values(OfCamera):
    """Features to write."""

    values: dict[str, float | int | str | bool] = Field(max_length=50)
    confirmed: bool = False


class FreeRun(OfCamera):
    """Pictures without parts, for a while."""

    on: bool
    seconds: int = Field(default=60, ge=1, le=600)
    confirmed: bool = False


class Account(Said):
    """A person."""

    name: str = Field(min_length=1, max_length=32)
    full_name: str = Field(default="", max_length=64)
    role: str = Field(default="", max_length=32)
    pin: str = Field(default="", max_length=8)
    password: str = Field(default="", max_length=128)
    badge: str = Field(default="", max_length=128)
    disabled: bool | None = None
    language: str = Field(default="", max_length=16)
    without: list[Literal["pin", "password", "badge"]] = Field(default_factory=list, max_length=3)


class Person(Said):
    """A person by name."""

    name: str = Field(min_length=1, max_length=32)


class Role(Said):
    """A role and its rights."""

    name: str = Field(min_length=1, max_length=32)
    rights: list[str] = Field(default_factory=list, max_length=100)
    drop: bool = Field(default=False, description="Take the role away; nobody may have it.")


class Setting(Said):
    """A setting that the ledger keeps, for example the millimetre of the screen."""

    name: str = Word
    body: Any


class Token(Said):
    """A new token: its rights are not more than its maker's."""

    name: str = Word
    rights: list[str] = Field(min_length=1, max_length=100)


class OfId(Said):
    """A token or webhook by its id."""

    token: str = Word


class Webhook(Said):
    """An address that is told; an empty url ends it."""

    webhook: str = Field(default="", max_length=64)
    url: str = Field(default="", max_length=500)
    events: list[str] = Field(
        default_factory=list, max_length=20, description="Streams of the journal, STREAM.EVENT, `part`, `part.reject`."
    )
    secret: str = Field(default="", max_length=200, description="Signs what is sent; empty: one is made, or stays.")


class OnStick(Said):
    """What goes onto the USB stick at the panel."""

    stick: str = Field(default="", max_length=64, description="Its name, where there may be several.")


class Paper(OnStick):
    """A PDF that the screens have made."""

    name: str = Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._-]+$")


class Parcel(OnStick):
    """Pictures of parts and a table, as a ZIP."""

    seqs: list[int] = Field(min_length=1, max_length=200)


class Bundle(OnStick):
    """A support bundle, made for the stick."""

    pictures: bool = False
    most: int = Field(default=20, ge=1, le=200, description="Pictures of rejects, the newest.")


class Backup(OnStick):
    """A back-up of the ledger; the newest, where no name is given."""

    file: str = Field(default="", max_length=120)


class Export(OnStick):
    """The parts as a file."""

    format: Literal["jsonl", "csv", "parquet"] = "csv"
    since: str = Field(default="", max_length=40, pattern=r"^[0-9TZ:.+-]*$", description="UTC, inclusive")
    until: str = Field(default="", max_length=40, pattern=r"^[0-9TZ:.+-]*$", description="UTC, exclusive")
    lot: str = Field(default="", max_length=64)


class Back(Said):
    """A job's model, or one region's. Where a second person has to confirm, only the screen can do this."""

    job: int | None = Field(default=None, ge=1, le=65535, description="None: the active one.")
    region: str = Field(default="", max_length=64)


class Activate(Back):
    """A model of the box by its digest. Where a second person has to confirm, only the screen can do this."""

    bundle: str = Word


class Free(Said):
    """A command whose fields its owner checks."""

    body: dict[str, Any] = Field(default_factory=dict)


BODIES: dict[str, type[Said]] = {
    "alarm.ack": Keys,
    "alarm.reset": Key,
    "alarm.shelve": Shelve,
    "alarm.unshelve": Key,
    "alarm.service": Service,
    "label.set": Label,
    "label.undo": Number,
    "part.reviewed": Seqs,
    "escape.set": Escape,
    "drawing.set": Drawing,
    "golden.set": Golden,
    "golden.end": Golden,
    "inspection.stop": Said,
    "inspection.start": Begun,
    "challenge.start": Said,
    "challenge.confirm": Removed,
    "challenge.abort": Said,
    "challenge.sign": Signature,
    "challenge.samples": Samples,
    "hold.release": Said,
    "bypass.set": Bypass,
    "bypass.end": Said,
    "lot.set": Lot,
    "change.begin": Begin,
    "change.step": Step,
    "change.abort": Said,
    "force.set": Force,
    "pulse.hold": Pulse,
    "feature.read": Features,
    "feature.write": Values,
    "camera.free_run": FreeRun,
    "account.create": Account,
    "account.change": Account,
    "account.sign_out_all": Person,
    "role.change": Role,
    "setting.set": Setting,
    "token.make": Token,
    "token.end": OfId,
    "webhook.set": Webhook,
    "backup.make": Said,
    "model.activate": Activate,
    "model.back": Back,
    "stick.look": Said,
    "stick.paper": Paper,
    "stick.rejects": Parcel,
    "stick.support": Bundle,
    "stick.backup": Backup,
    "stick.export": Export,
}
"""Those with fields of their own; any other takes `Free`."""
INSIDE = frozenset(
    (
        *("account.sign_in", "account.sign_out", "account.first", "account.own_secret", "audit.add"),
        *("journal.add", "journal.state", "webhook.reached", "webhook.dead", "ladder.step", "ladder.floor"),
    )
)
"""Not for other programs: people sign in on the screen, and processes speak among themselves."""

"""The settings of one box: one TOML file, one frozen Settings. Unknown keys are refused, all mistakes shown at once.

Rooms own their options; this file only composes them, and no room imports it. Relative paths are relative to the file.
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .bus.complaint import complain
from .bus.errors import BadSettings
from .bus.form import FIRST, other_form
from .bus.last_good import hint
from .bus.outside import read_bounded
from .camera.options import CameraOptions
from .fleet.fleet_options import FleetOptions
from .fleet.options import SyncOptions
from .inspect.options import InspectOptions
from .plc_io.mqtt_options import MqttOptions
from .plc_io.opcua_options import OpcuaOptions
from .plc_io.options import PlcOptions
from .records.options import RecordsOptions
from .shift.options import ShiftOptions
from .webui.options import WebOptions
from .workshop.options import WorkshopOptions

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")]
JobNumber = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}$")]
LAST_JOB = 65535
MOST_SETTINGS = 256 << 10
"""Bytes of the file. Reading TOML takes time by the square of some lengths."""
VERSION = 1
"""Of the settings' form: the only one that is read. Older files are brought up to it: `appliance/migrations.py`."""
CAMERA_TOOLS = frozenset({"run", "list", "show", "set", "snap", "stream", "tune"})
"""Words of `okng camera`: no camera can have such a name."""


class BoxOptions(BaseModel):
    """`[box]`: what this box is and where it keeps things."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = "okng"
    """Name of the box, unique in the fleet."""
    station: Name = "line1"
    """Name of the station it stands at."""
    run_dir: Path = Path("/run/okng")
    """Sockets, rings and heartbeats; must lie on a tmpfs. Its path must be short (a socket's name has 107 bytes)."""

    @model_validator(mode="after")
    def _short(self) -> "BoxOptions":
        if len(str(self.run_dir)) > 70:
            raise ValueError("run_dir: expected a path of at most 70 characters (socket names are limited)")
        return self


class Settings(BaseModel):
    """All of one box."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(default=FIRST, ge=FIRST, le=VERSION, strict=True)
    """Of the settings' form; counts up where a key changes its name or meaning. A file without it has the first."""
    box: BoxOptions = BoxOptions()
    recipe: Path
    """The recipe of the start job, `plc.job_number`."""
    jobs: dict[JobNumber, Path] = Field(default_factory=dict, max_length=256)
    """`[jobs]`: recipe by job number, 1..65535, for the PLC to change to. The start job may be listed again."""
    camera: dict[Name, CameraOptions] = Field(min_length=1, max_length=16)
    plc: PlcOptions = PlcOptions()
    inspect: InspectOptions = InspectOptions()
    records: RecordsOptions
    web: WebOptions = WebOptions()
    shift: ShiftOptions = ShiftOptions()
    """`[shift]`: alarms, challenge tests, codes of products, shifts."""
    workshop: WorkshopOptions = WorkshopOptions()
    """`[workshop]`: where new products are taught, and what a model needs before it is put in place."""
    sync: SyncOptions | None = None
    """`[sync]`: rejects go to a folder or a bucket; None: they do not."""
    fleet: FleetOptions | None = None
    """`[fleet]`: the fleet service; None: this box stands alone."""
    opcua: OpcuaOptions | None = None
    """`[opcua]`: results, states and jobs for the MES; None: no OPC UA."""
    mqtt: MqttOptions | None = None
    """`[mqtt]`: results and states for a broker; None: no MQTT."""

    @model_validator(mode="after")
    def _names_are_free(self) -> "Settings":
        taken = sorted(CAMERA_TOOLS & set(self.camera))
        if taken:
            raise ValueError(f"camera.{taken[0]}: the name is a tool of `okng camera`, expected another")
        return self

    @model_validator(mode="after")
    def _one_way_out(self) -> "Settings":
        if self.sync is not None and self.fleet is not None:
            raise ValueError("sync and fleet: expected one of the two sections: the same records would leave twice")
        return self

    @model_validator(mode="after")
    def _jobs_fit(self) -> "Settings":
        start = self.plc.job_number
        for number, path in self.jobs.items():
            if int(number) > LAST_JOB:
                raise ValueError(f"jobs: {number}: expected a number of 1..{LAST_JOB}")
            if int(number) == start and path != self.recipe:
                raise ValueError(
                    f"jobs: {number} = {str(path)!r}: it is the start job (plc.job_number), "
                    f"expected its recipe, {str(self.recipe)!r}"
                )
        return self

    @property
    def recipes(self) -> dict[int, Path]:
        """Recipe by job number, the start job first."""
        return {self.plc.job_number: self.recipe, **{int(number): path for number, path in self.jobs.items()}}

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in the order of the file."""
        return tuple(self.camera)


def read_settings(path: Path) -> Settings:
    """Read and check the box's settings. BadSettings names the file, each key, its value and what was expected."""
    try:
        content = tomllib.loads(read_bounded(path, MOST_SETTINGS).decode("utf-8"))
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}{hint(path)}") from error
    except ValueError as error:  # that of TOML, that of UTF-8, a number of thousands of digits
        raise BadSettings(f"{path}: not TOML: {error}{hint(path)}") from error
    except RecursionError:
        raise BadSettings(f"{path}: not TOML: nested too deeply{hint(path)}") from None
    if (other := other_form(path, content, VERSION)) is not None:
        raise BadSettings(other)
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise BadSettings(f"{complain(path, error)}{hint(path)}") from error
    return _rooted(settings, path.resolve().parent)


def _rooted(settings: Settings, folder: Path) -> Settings:
    """The same settings with every path made absolute, relative ones counted from the file's folder."""
    cameras = {name: camera.rooted(folder) for name, camera in settings.camera.items()}
    return settings.model_copy(
        update={
            "box": settings.box.model_copy(update={"run_dir": folder / settings.box.run_dir}),
            "recipe": folder / settings.recipe,
            "jobs": {number: folder / path for number, path in settings.jobs.items()},
            "camera": cameras,
            "inspect": settings.inspect.rooted(folder),
            "plc": settings.plc.rooted(folder),
            "web": settings.web.rooted(folder),
            "workshop": settings.workshop.rooted(folder),
            "fleet": settings.fleet and settings.fleet.rooted(folder),
            "opcua": settings.opcua and settings.opcua.rooted(folder),
            "mqtt": settings.mqtt and settings.mqtt.rooted(folder),
            "records": settings.records.model_copy(update={"store": folder / settings.records.store}),
        }
    )

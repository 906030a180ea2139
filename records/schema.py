"""The ledger's tables, and how an older file is brought up to date. `pragma user_version` counts the migrations.

A migration is never edited once released: a change is one more string at the end.
"""

from .schema_figures import FIGURES
from .schema_gallery import GALLERY
from .schema_keep import KEEP
from .schema_letters import LETTERS
from .schema_outgoing import OUTGOING
from .schema_people import PEOPLE
from .schema_seal import SEAL
from .schema_second import SECOND

FILE = "ledger.db"
"""Name of the ledger inside the store; SQLite puts `-wal` and `-shm` beside it."""

_FIRST = """
create table meta (
    box text not null,                -- random name of this box, the same after a fresh file
    lineage integer not null,         -- + 1 with each new or restored file: outbox numbers are unique within one
    made_at text not null,
    after_damage integer not null     -- 1: an earlier file was found damaged and put aside
);
create table epoch (                  -- one run of io
    n integer primary key,            -- in order of arrival
    name text not null unique,
    first_at text not null,
    closed integer not null default 0 -- 1: nothing is open any more, or what was has been closed by `recover`
);
create table trigger (
    epoch integer not null references epoch (n),
    number integer not null,          -- of the entry in its epoch: a resend changes nothing
    part integer not null,
    station text not null,
    at_ns integer not null,
    encoder integer,
    deadline_ns integer not null,
    recipe text not null,
    missed integer not null,
    boot_id text not null,
    stored_at text not null,
    primary key (epoch, number)
) without rowid;
create index trigger_part on trigger (epoch, part, at_ns);
create table part (
    seq integer primary key autoincrement,
    epoch integer not null references epoch (n),
    number integer not null,          -- below 0: closed by `recover`, minus the number of its trigger
    part integer not null,
    station text not null,
    taken_at text not null,           -- UTC of the trigger, for people
    outcome text not null,            -- OK, NG, UNJUDGED: what is counted, by the ground of the disposition
    verdict text,                     -- what inspect said; null: nothing in time
    action text not null,
    why text not null,
    reasons text not null,            -- JSON list
    defects text not null,            -- JSON list
    score real not null,
    threshold real not null,
    recipe text not null,
    revision text not null,
    model text not null,
    camera text not null,
    missed integer not null,
    encoder integer,
    triggered_ns integer not null,    -- all _ns: CLOCK_MONOTONIC of the boot in trigger.boot_id
    deadline_ns integer not null,
    exposed_ns integer,
    received_ns integer,
    ready_ns integer,
    started_ns integer,
    done_ns integer,
    committed_ns integer,
    published_ns integer,
    acked_ns integer,
    sequence integer not null,        -- result number on the wire, 0: never published
    delivery text not null,
    confirmed integer,                -- confirm eye; null: none
    width integer not null,
    height integer not null,
    picture text,                     -- path relative to the store
    picture_sha256 text,
    picture_kept integer not null,    -- 1: the file is there, synced before this row was
    heat blob,                        -- JSON list of heat maps
    recovered integer not null default 0,
    stored_at text not null,
    unique (epoch, number)
);
create index part_trigger on part (epoch, part, triggered_ns);
create index part_rejected on part (seq) where action = 'REJECT';
create table counter_snapshot (       -- the newest of each epoch: what io counted itself
    epoch integer primary key references epoch (n),
    number integer not null,
    last integer not null,
    triggers integer not null,
    ok integer not null,
    ng integer not null,
    unjudged integer not null,
    late integer not null,
    missed integer not null,
    in_flight integer not null,
    ordered integer not null,
    confirmed integer not null,
    unconfirmed integer not null,
    stale_verdicts integer not null
);
create table outbox (
    stream text not null,
    seq integer not null,
    body blob not null,
    sha256 text not null,
    primary key (stream, seq)
) without rowid;
create table counter (stream text primary key, next integer not null) without rowid;
create table audit (n integer primary key, body text not null, hash text not null);
create trigger audit_no_update before update on audit begin select raise(abort, 'audit is append-only'); end;
create trigger audit_no_delete before delete on audit begin select raise(abort, 'audit is append-only'); end;
"""

_VIEWS = """
alter table part add column serial text not null default '';      -- number read on the part itself; empty: none
alter table part add column serial_before integer;                -- seq of an earlier part with that number; null: none
alter table part add column codes text not null default '[]';     -- JSON list
alter table part add column placements text not null default '[]';-- JSON list
create index part_serial on part (serial) where serial != '';
create index part_number on part (part);
create table view (                   -- pictures of the other cameras; that of the deciding one is in the part's row
    seq integer not null references part (seq) on delete cascade,
    camera text not null,
    exposed_ns integer not null,
    received_ns integer not null,
    ready_ns integer not null,
    width integer not null,
    height integer not null,
    picture text,
    picture_sha256 text,
    picture_kept integer not null,
    primary key (seq, camera)
) without rowid;
create table image_health (           -- what the pictures were like; a figure that is null could not be measured
    seq integer not null references part (seq) on delete cascade,
    camera text not null,
    focus real,
    brightness real,
    contrast real,
    saturation real,
    darkness real,
    uniformity real,
    noise real,
    shift_x_px real,
    shift_y_px real,
    angle_deg real,
    alarms text not null,             -- JSON list of causes, as of this part
    primary key (seq, camera)
) without rowid;
"""
"""Several pictures of one part, what they were like, where the part lay and what was written on it."""

_MEASURES = """
alter table part add column measures text not null default '[]';  -- JSON list
"""
"""What was measured on each part, with its limits."""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _VIEWS,
    _MEASURES,
    PEOPLE,
    GALLERY,
    FIGURES,
    KEEP,
    SEAL,
    SECOND,
    OUTGOING,
    LETTERS,
)
"""SQL that takes a file from user_version n to n + 1, for n = 0, 1, ..."""
VERSION = len(MIGRATIONS)
"""What this okng writes and reads."""

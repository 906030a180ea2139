"""Tables of what leaves the box: numbered lines that point at rows, so that no content is there twice."""

OUTGOING = """
create table sending (                -- streams to the fleet service, and the number that comes next
    stream text primary key,
    epoch integer not null,           -- lineage of the ledger; numbers begin at 1 in each
    next integer not null,
    wanted integer not null           -- 0: what happens now does not leave, and gets no number
) without rowid;
create table outgoing (               -- one event each: what it says is read from the row that it points at
    stream text not null,
    epoch integer not null,
    seq integer not null,
    kind text not null,               -- part, alarm, audit, ladder, label, head, dropped
    ref integer not null,             -- part.seq, journal.n, audit.n; 0: the body is its own
    named integer not null,           -- 1: of a part, it names its pictures, which leave as they are
    body text,                        -- JSON, of what can change later; null: read from the row
    primary key (stream, epoch, seq)
) without rowid;
create index outgoing_part on outgoing (ref) where stream = 'records';
create table floor (                  -- the newest that was trusted in a channel of models: never an older one
    channel text primary key,
    seq integer not null,
    at text not null
) without rowid;
"""

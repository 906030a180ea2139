"""Tables of the second factor: what phone and box share, codes for when the phone is lost, who needs it."""

SECOND = """
create table second_factor (
    person text primary key references person (name),
    secret text not null,             -- AES-256-GCM under a key derived of the box's, base64
    key text not null,                -- fingerprint of the box's key it was locked with
    step integer not null,            -- of the last code that was taken: none is taken twice
    since text not null
) without rowid;
create table recovery_code (          -- each good once, in place of a code
    person text not null references person (name),
    hash text not null,               -- SHA-256 of person and code; the code itself, 80 bits, is nowhere
    used_at text,
    primary key (person, hash)
) without rowid;
create table second_demand (          -- roles that do not get in from elsewhere without one
    role text primary key references role (name) on delete cascade
) without rowid;
"""

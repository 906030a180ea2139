"""Tables of the seal: the chain over rows that never change, its signed heads, and what persons signed."""

SEAL = """
create table seal (                   -- one chain over all rows that never change, in the order they were committed
    n integer primary key,            -- of the link, from 1 without a gap
    kind integer not null,            -- as in seal.py
    a integer not null,               -- what it seals: seq of a part, epoch of a trigger, ...
    b integer not null,               -- number of a trigger in its epoch, else 0
    hash blob not null,               -- SHA-256 of the hash before, kind, a, b and what is sealed
    body text                         -- JSON, of a link that seals no row but says what happened
);
create index seal_told on seal (n) where body is not null;
create table seal_floor (n integer not null);
create trigger seal_no_update before update on seal begin select raise(abort, 'the seal is append-only'); end;
create trigger seal_no_delete before delete on seal when old.n > coalesce((select max(n) from seal_floor), 0)
begin select raise(abort, 'the seal is append-only'); end;
create table head (                   -- what the box signed: how far trail and seal had come
    n integer primary key,
    body text not null,               -- canonical JSON
    signature text not null,          -- Ed25519 over the body, base64
    key text not null                 -- the public key, base64 of its DER
);
create trigger head_no_update before update on head begin select raise(abort, 'heads are append-only'); end;
create trigger head_no_delete before delete on head begin select raise(abort, 'heads are append-only'); end;
create table signature (              -- what persons signed; sealed like a part
    n integer primary key autoincrement,
    at text not null,
    who text not null,
    full_name text not null,          -- as it was then
    meaning text not null,            -- authored, reviewed, approved, released
    kind text not null,               -- model, recipe, report
    name text not null,               -- of the record, for people
    digest text not null,             -- SHA-256 of what was signed
    reason text not null,
    place text not null,              -- panel, or remote
    secret text not null,             -- pin, password: what was given again
    box text not null                 -- Ed25519 of the box over all of it, base64; empty: it has no key
);
create index signature_digest on signature (digest);
create trigger signature_no_update before update on signature
begin select raise(abort, 'signatures are append-only'); end;
create trigger signature_no_delete before delete on signature
begin select raise(abort, 'signatures are append-only'); end;
"""

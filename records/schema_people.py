"""Tables of the people: who they are and may do, what they said of parts, what happened, and what they were told.

`part` is never touched: what a person says of a part is a row of its own.
"""

PEOPLE = """
alter table counter_snapshot add column challenge integer not null default 0;
alter table counter_snapshot add column bypass integer not null default 0;
create index part_taken on part (taken_at);
create table role (
    name text primary key,
    rights text not null              -- JSON list of keys of bus.rights.RIGHTS
) without rowid;
create table person (
    name text primary key,            -- what they sign in by
    full_name text not null,
    role text not null references role (name),
    pin_hash text,                    -- argon2id; null: none
    password_hash text,               -- argon2id; null: none
    badge_hash text unique,           -- HMAC-SHA256 under pepper; null: none
    disabled integer not null default 0,
    generation integer not null default 1,  -- a session of an older one is void
    language text not null default '',
    made_at text not null
) without rowid;
create index person_role on person (role);
create table pepper (n integer primary key check (n = 1), secret blob not null);
create table attempt (                -- tries to sign in since the last that succeeded; written before the try
    kind text not null,               -- person, panel
    name text not null,               -- of a person: HMAC of what was typed, which may be a PIN
    fails integer not null,
    last_ns integer not null,         -- CLOCK_MONOTONIC of the boot in boot_id
    boot_id text not null,
    last_at text not null,
    primary key (kind, name)
) without rowid;
create table asked (                  -- what was answered, so that a repeat does nothing twice, also after a restart
    id text primary key,              -- SHA-256 of id, name and who of the ask
    n integer not null,
    done integer not null,
    detail text not null,
    body text not null                -- JSON; without what is told only once
) without rowid;
create index asked_n on asked (n);
create table label (
    n integer primary key autoincrement,
    seq integer not null,             -- of the part
    truth text not null,              -- defect, good, unsure
    kind text not null default '',    -- class of the defect; empty: none was said
    second integer not null default 0,-- 1: a second person's, for the agreement; never the label of the part
    who text not null,
    at text not null,
    undone_at text,
    undone_by text
);
create index label_seq on label (seq);
create index label_at on label (at);
create index label_who on label (who, n);
create table review (
    seq integer primary key,          -- of the part
    who text not null,
    at text not null
);
create table "escape" (                 -- a defect that was found downstream
    n integer primary key autoincrement,
    seq integer,                      -- of the part, where it is known
    serial text not null default '',
    found_at text not null,           -- where: a place, a customer
    what text not null,
    who text not null,
    at text not null
);
create index escape_seq on "escape" (seq) where seq is not null;
create index escape_at on "escape" (at);
create table drawing (
    seq integer primary key,          -- of the part
    who text not null,
    at text not null,
    body text not null                -- JSON: width, height, camera, masks, boxes
);
create table journal (
    n integer primary key autoincrement,
    at text not null,
    stream text not null,             -- alarm, challenge, change, bypass, lot, escape, ...
    key text not null,
    event text not null,
    who text not null,                -- empty: nobody, it happened
    body text not null                -- JSON
);
create index journal_stream on journal (stream, n);
create index journal_key on journal (stream, key, n);
create index journal_at on journal (stream, at);
create trigger journal_no_update before update on journal begin select raise(abort, 'journal is append-only'); end;
create trigger journal_no_delete before delete on journal begin select raise(abort, 'journal is append-only'); end;
create table keep (                   -- what a process wants to find again after a restart
    name text primary key,
    body text not null,               -- JSON
    at text not null
) without rowid;
create table study (                  -- persons look at the same parts again and again: do they agree?
    id integer primary key autoincrement,
    name text not null,
    body text not null,               -- JSON: operators, seqs, repeats, reference
    who text not null,
    at text not null,
    closed_at text
);
create table study_answer (
    study integer not null references study (id),
    seq integer not null,
    operator text not null,
    round integer not null,           -- from 1
    truth text not null,
    at text not null,
    took_ms integer,
    primary key (study, operator, round, seq)
) without rowid;
create table setting (
    name text primary key,
    body text not null,               -- JSON
    who text not null,
    at text not null
) without rowid;
create table token (
    id integer primary key autoincrement,
    name text not null,
    hash text not null unique,        -- SHA-256 of the token, which itself is nowhere
    rights text not null,             -- JSON list
    made_by text not null,
    made_at text not null,
    ended_at text,
    used_at text
);
create table webhook (
    id integer primary key autoincrement,
    url text not null,
    events text not null,             -- JSON list of journal streams or STREAM.EVENT; empty: all
    secret text not null,             -- signs what is sent
    made_by text not null,
    made_at text not null,
    ended_at text,
    reached integer not null,         -- journal number up to which it was delivered
    reached_part integer not null default 0 -- the same for parts, by seq
);
"""
"""Persons, roles, labels, journal, studies, settings, tokens, and the two counts of parts outside production."""

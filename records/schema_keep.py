"""Tables of what is kept and given up: pictures by class, sums of them, what was deleted, and what made the parts.

Triggers keep them: whoever writes a part, a label or a study need not know of them. A part of a recipe, model or lot is
found by the runs of parts that follow each other with the same of all three: runs are few where parts are millions.
"""

from .schema_gallery import NEARNESS

OK, UNCERTAIN, REJECT, CHALLENGE, GOLDEN, THUMB = "ok", "uncertain", "reject", "challenge", "golden", "thumb"
CLASSES = (OK, UNCERTAIN, REJECT, CHALLENGE, GOLDEN, THUMB)
"""Of a kept picture. `golden`: a person said or drew something of the part, or a study holds it. `thumb`: the small
picture that stays of a reject."""
LOOKED_AT = (
    "(exists (select 1 from label l where l.seq = {seq} and l.undone_at is null)"
    " or exists (select 1 from drawing d where d.seq = {seq})"
    ' or exists (select 1 from "escape" e where e.seq = {seq})'
    " or exists (select 1 from marked m where m.seq = {seq}))"
)
_NEAR = NEARNESS.replace("threshold", "{p}threshold").replace("score", "{p}score")
CLASS_OF = (
    f"case when {LOOKED_AT} then '{GOLDEN}' when {{p}}why = 'challenge' then '{CHALLENGE}'"
    f" when {{p}}outcome = 'UNJUDGED' or ({_NEAR}) = 'near' then '{UNCERTAIN}'"
    f" when {{p}}outcome = 'NG' then '{REJECT}' else '{OK}' end"
)
"""The class of a part's pictures. `{p}`: what stands before the columns of `part`; `{seq}`: its number."""


def _class(p: str) -> str:
    return CLASS_OF.format(p=p, seq=f"{p}seq")


def _again(seq: str) -> str:
    """Statement that gives the pictures of a part the class they have now."""
    made = CLASS_OF.format(p="p.", seq="p.seq")
    return (
        f"update or replace picture set class = (select {made} from part p where p.seq = picture.seq)"
        f" where seq = {seq} and class != '{THUMB}'"
        " and exists (select 1 from part p where p.seq = picture.seq);"
    )


_MARKS = "".join(
    f'create trigger {name}_keeps after {event} on "{table}" begin {_again(seq)} end;\n'
    for name, event, table, seq in (
        ("label", "insert", "label", "new.seq"),
        ("label_undone", "update of undone_at, seq", "label", "new.seq"),
        ("drawing", "insert", "drawing", "new.seq"),
        ("drawing_moved", "update of seq", "drawing", "new.seq"),
        ("drawing_gone", "delete", "drawing", "old.seq"),
        ("escape", "insert", "escape", "new.seq"),
        ("escape_moved", "update of seq", "escape", "new.seq"),
        ("marked", "insert", "marked", "new.seq"),
        ("marked_gone", "delete", "marked", "old.seq"),
    )
)

_SUMS = """
create trigger picture_more after insert on picture begin
    insert into picture_sum values (new.class, 1, new.bytes, new.bytes is null)
        on conflict (class) do update set pictures = pictures + 1, bytes = bytes + coalesce(new.bytes, 0),
        unmeasured = unmeasured + (new.bytes is null);
end;
create trigger picture_less after delete on picture begin
    update picture_sum set pictures = pictures - 1, bytes = bytes - coalesce(old.bytes, 0),
        unmeasured = unmeasured - (old.bytes is null) where class = old.class;
end;
create trigger picture_other after update on picture begin
    update picture_sum set pictures = pictures - 1, bytes = bytes - coalesce(old.bytes, 0),
        unmeasured = unmeasured - (old.bytes is null) where class = old.class;
    insert into picture_sum values (new.class, 1, coalesce(new.bytes, 0), new.bytes is null)
        on conflict (class) do update set pictures = pictures + 1, bytes = bytes + coalesce(new.bytes, 0),
        unmeasured = unmeasured + (new.bytes is null);
end;
""".replace("(new.class, 1, new.bytes, ", "(new.class, 1, coalesce(new.bytes, 0), ")

_SAME = (
    "recipe = new.recipe and lot = new.lot and (new.revision = '' or (revision = new.revision and model = new.model))"
)
_KEY = "recipe || char(10) || revision || char(10) || model || char(10) || lot"
_OF_RUN = "case when p.revision = '' and a.recipe = p.recipe and a.lot = p.lot then a.{0} else p.{0} end as {0}"
RUNS = f"""insert into run
    (recipe, revision, model, lot, first_seq, last_seq, first_at, last_at, ok, ng, unjudged, bare)
    select recipe, revision, model, lot, min(seq), max(seq), min(taken_at), max(taken_at),
        sum(outcome = 'OK'), sum(outcome = 'NG'), sum(outcome = 'UNJUDGED'), sum(is_bare)
    from (select *, sum(begins) over (order by seq) as island from (
        select *, {_KEY} is not lag({_KEY}) over (order by seq) as begins from (
            select p.seq, p.taken_at, p.outcome, p.recipe, p.lot, p.revision = '' as is_bare,
                {_OF_RUN.format("revision")}, {_OF_RUN.format("model")}
            from (select seq, taken_at, outcome, recipe, revision, model, lot,
                max(case when revision != '' then seq end) over (order by seq) as said from part where not recovered) p
            left join part a on a.seq = p.said)))
    group by island order by island"""
"""The runs of parts that are there already. As for the triggers, a part that no model said anything of breaks none."""

KEEP = f"""
create table marked (                 -- parts that a person wants kept
    seq integer primary key references part (seq) on delete cascade,
    who text not null,
    at text not null,
    why text not null default ''
);
create table picture (                -- files that are there; the oldest of a class first
    class text not null,
    seq integer not null references part (seq) on delete cascade,
    camera text not null,             -- empty: the deciding view, named by the part's row
    bytes integer,                    -- null: not looked up yet
    primary key (class, seq, camera)
) without rowid;
create index picture_seq on picture (seq);
create index picture_unmeasured on picture (seq) where bytes is null;
create table picture_sum (
    class text primary key,
    pictures integer not null,
    bytes integer not null,           -- of those that were measured
    unmeasured integer not null
) without rowid;
{_SUMS}
create trigger part_keeps after insert on part when new.picture_kept begin
    insert or ignore into picture values ({_class("new.")}, new.seq, '', null);
end;
create trigger view_keeps after insert on view when new.picture_kept begin
    insert or ignore into picture
        select {_class("p.")}, new.seq, new.camera, null from part p where p.seq = new.seq;
end;
{_MARKS}
create trigger study_keeps after insert on study begin
    insert or ignore into marked
        select p.seq, new.who, new.at, 'study ' || new.name from part p
        where p.seq in (select value from json_each(new.body, '$.seqs'));
end;
insert or ignore into marked
    select p.seq, s.who, s.at, 'study ' || s.name from study s, json_each(s.body, '$.seqs') j
    join part p on p.seq = j.value;
insert or ignore into picture select {_class("p.")}, p.seq, '', null from part p where p.picture_kept;
insert or ignore into picture
    select {_class("p.")}, v.seq, v.camera, null from view v join part p on p.seq = v.seq where v.picture_kept;
create table given_up (               -- what retention deleted, by class and day
    day text not null,                -- UTC
    class text not null,              -- of pictures; `row`: rows of parts; `stray`: files that no row named
    pictures integer not null,
    bytes integer not null,
    unsent integer not null,          -- of pictures: the cloud had not taken them
    primary key (day, class)
) without rowid;
create table rows_gone (              -- one line for each time that rows were deleted: sums before it stay as they are
    until text primary key,           -- rows of parts taken before this went; UTC, a whole hour
    at text not null
) without rowid;
create table epoch_gone (             -- what the deleted rows of a run of io came to, so that its sums balance
    epoch integer primary key,
    triggers integer not null,
    ok integer not null,
    ng integer not null,
    unjudged integer not null,
    challenge integer not null,
    bypass integer not null,
    late integer not null,
    missed integer not null,
    ordered integer not null,
    confirmed integer not null,
    unconfirmed integer not null,
    recovered integer not null
);
create table ledger_since (           -- when this lineage was first looked after: a stray file is given time from there
    lineage integer primary key,
    at text not null
);
create table known (                  -- what a digest stood for, written once: recipes, models, cameras
    kind text not null,
    digest text not null,
    name text not null,
    body text not null,
    at text not null,
    primary key (kind, digest)
) without rowid;
create index known_name on known (kind, name, at);
create table run (                    -- parts in a row of the same recipe, revision, model and lot
    n integer primary key,
    recipe text not null,
    revision text not null,
    model text not null,
    lot text not null,
    first_seq integer not null,
    last_seq integer not null,
    first_at text not null,
    last_at text not null,
    ok integer not null,
    ng integer not null,
    unjudged integer not null,        -- with challenge and bypass
    bare integer not null             -- of these: no model said anything of them
);
create index run_model on run (model);
create index run_recipe on run (recipe, revision);
create index run_lot on run (lot) where lot != '';
create trigger part_runs after insert on part when not new.recovered begin
    update run set last_seq = new.seq, last_at = new.taken_at, ok = ok + (new.outcome = 'OK'),
        ng = ng + (new.outcome = 'NG'), unjudged = unjudged + (new.outcome = 'UNJUDGED'),
        bare = bare + (new.revision = '')
        where n = (select max(n) from run) and {_SAME};
    insert into run (recipe, revision, model, lot, first_seq, last_seq, first_at, last_at, ok, ng, unjudged, bare)
        select new.recipe, new.revision, new.model, new.lot, new.seq, new.seq, new.taken_at, new.taken_at,
        new.outcome = 'OK', new.outcome = 'NG', new.outcome = 'UNJUDGED', new.revision = ''
        where coalesce((select last_seq from run order by n desc limit 1), 0) != new.seq;
end;
{RUNS};
create index part_camera on part (camera) where camera != '';
create index view_camera on view (camera, seq);
create table camera_sum (camera text primary key, parts integer not null) without rowid;
create trigger part_camera_sum after insert on part when new.camera != '' begin
    insert into camera_sum values (new.camera, 1) on conflict (camera) do update set parts = parts + 1;
end;
create trigger view_camera_sum after insert on view begin
    insert into camera_sum values (new.camera, 1) on conflict (camera) do update set parts = parts + 1;
end;
insert into camera_sum select camera, count(*) from
    (select camera from part where camera != '' union all select camera from view) group by camera;
create index outbox_part on outbox (stream, json_extract(cast(body as text), '$.seq'));
create index audit_signed on audit (json_extract(body, '$.at'))
    where json_extract(body, '$.what') in ('signed in', 'signed out');
"""

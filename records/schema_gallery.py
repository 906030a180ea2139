"""What lets the gallery find parts by class, by nearness to the limit and by whether anybody has looked at them.

Each choice of the page is an index walked from the newest part on: no question reads the whole table.
"""

NEARNESS = (
    "case when threshold <= 0 then '' when score < 0.8 * threshold then 'below'"
    " when score < 1.2 * threshold then 'near' when score < 2 * threshold then 'above' else 'far' end"
)
"""How the score lies to the limit, in words that an index holds. A question must use this very expression."""
GALLERY = f"""
create index part_outcome on part (outcome);
create index part_nearness on part ({NEARNESS});
create table part_kind (              -- classes of the defects of each part
    kind text not null,
    seq integer not null references part (seq) on delete cascade,
    primary key (kind, seq)
) without rowid;
create index part_kind_seq on part_kind (seq);
create trigger part_kinds after insert on part when new.defects != '[]' begin
    insert or ignore into part_kind
        select json_extract(value, '$.kind'), new.seq from json_each(new.defects)
        where json_extract(value, '$.kind') is not null;
end;
insert or ignore into part_kind
    select json_extract(d.value, '$.kind'), p.seq from part p, json_each(p.defects) d
    where p.defects != '[]' and json_extract(d.value, '$.kind') is not null;
create table unreviewed (             -- rejects of production that nobody has looked at yet
    seq integer primary key references part (seq) on delete cascade
);
insert into unreviewed select seq from part
    where action = 'REJECT' and why not in ('challenge', 'bypass')
    and seq not in (select seq from review) and seq not in (select seq from label where undone_at is null);
create trigger part_unreviewed after insert on part
    when new.action = 'REJECT' and new.why not in ('challenge', 'bypass') begin
    insert or ignore into unreviewed values (new.seq);
end;
create trigger review_seen after insert on review begin
    delete from unreviewed where seq = new.seq;
end;
create trigger label_seen after insert on label begin
    delete from unreviewed where seq = new.seq;
end;
create trigger label_unseen after update of undone_at on label
    when new.undone_at is not null
    and not exists (select 1 from review where seq = new.seq)
    and not exists (select 1 from label where seq = new.seq and undone_at is null) begin
    insert or ignore into unreviewed
        select seq from part where seq = new.seq and action = 'REJECT' and why not in ('challenge', 'bypass');
end;
"""
"""Indexes, and two tables that triggers keep: whoever writes a part, a review or a label need not know of them."""

"""What must not be found in a ledger: each kind of wrong row, and the SQL that names such parts."""

_PLACE = "select e.name as epoch, {0}.part as part from {1} join epoch e on e.n = {0}.epoch where "
PART = _PLACE.format("p", "part p")
_TRIGGER = _PLACE.format("t", "trigger t")
_SAME = "{0}.epoch = {1}.epoch and {0}.part = {1}.part and {0}.{2} = {1}.{3}"
OWN_RECORD = "select 1 from part p where " + _SAME.format("p", "t", "triggered_ns", "at_ns")
_OWN_TRIGGER = "select 1 from trigger t where " + _SAME.format("p", "t", "triggered_ns", "at_ns")

_VIEW = PART.replace("where ", "join view v on v.seq = p.seq where ")
_ORPHAN = "select 'none' as epoch, {0}.seq as part from {1} {0} where {0}.seq not in (select seq from part)"

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("triggered, but without a record", _TRIGGER + f"not exists ({OWN_RECORD})"),
    ("recorded, but never triggered", PART + f"not exists ({_OWN_TRIGGER})"),
    ("with two records", PART + "1 group by p.epoch, p.part, p.triggered_ns having count(*) > 1"),
    ("with two triggers", _TRIGGER + "1 group by t.epoch, t.part, t.at_ns having count(*) > 1"),
    (
        "passed without an OK",
        PART + "p.action = 'PASS' and not (p.outcome = 'OK' and p.why = 'ok' and coalesce(p.verdict, '') = 'OK')",
    ),
    ("OK, but not passed", PART + "p.action != 'PASS' and (p.outcome = 'OK' or p.why = 'ok')"),
    ("neither passed nor rejected", PART + "p.action not in ('PASS', 'REJECT')"),
    ("of no known outcome", PART + "p.outcome not in ('OK', 'NG', 'UNJUDGED')"),
    (
        "with an outcome that is not that of its ground",
        PART + "p.outcome != case p.why when 'ok' then 'OK' when 'ng' then 'NG' else 'UNJUDGED' end",
    ),
    ("NG by its ground, not by its verdict", PART + "p.why = 'ng' and coalesce(p.verdict, '') != 'NG'"),
    ("passed at or after its deadline", PART + "p.action = 'PASS' and p.published_ns >= p.deadline_ns"),
    ("passed, but never published", PART + "p.action = 'PASS' and p.published_ns is null"),
    ("of no known delivery", PART + "p.delivery not in ('delivered', 'late', 'unconfirmed')"),
    (
        "missed, but passed or published",
        PART + "p.missed and (p.action = 'PASS' or p.published_ns is not null)",
    ),
    (
        "with a picture that names no file",
        PART + "p.picture_kept and (p.picture is null or p.picture_sha256 is null)",
    ),
    (
        "with a view's picture that names no file",
        _VIEW + "v.picture_kept and (v.picture is null or v.picture_sha256 is null)",
    ),
    ("with the deciding view's picture twice", _VIEW + "v.camera = p.camera"),
    ("with a view, but not recorded", _ORPHAN.format("v", "view")),
    ("with image health, but not recorded", _ORPHAN.format("h", "image_health")),
    ("labelled, but not recorded", _ORPHAN.format("l", "label")),
    ("drawn on, but not recorded", _ORPHAN.format("d", "drawing")),
    (
        "with a serial number that was not read on it",
        PART + "p.serial != coalesce((select json_extract(c.value, '$.text') from json_each(p.codes) c"
        " where json_extract(c.value, '$.serial') and json_extract(c.value, '$.text') != '' limit 1), '')",
    ),
    (
        "said to bear a number that another part bore, which did not",
        PART + "p.serial_before is not null and not exists"
        " (select 1 from part b where b.seq = p.serial_before and b.serial = p.serial and b.serial != '')"
        " and (exists (select 1 from part b where b.seq = p.serial_before) or not exists (select 1 from rows_gone))",
    ),
)

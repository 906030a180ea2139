
PRAGMA page_size=4096;
-- PRAGMA encoding='UTF-8';
-- PRAGMA auto_vacuum=NONE;
-- PRAGMA max_page_count=4294967294;

BEGIN TRANSACTION;

-- Table  audit
DROP TABLE IF EXISTS audit;
CREATE TABLE audit (n integer primary key, body text not null, hash text not null);
INSERT INTO audit VALUES(1,'{"at":"2026-11-26T07:43:44.975Z","boot_id":"69b08c3d-e11c-4643-b3a5-7cf001c1281c","mono_ns":31954501569041,"n":1,"object":{"after_damage":false,"box":"47dc71c73476","lineage":1},"what":"ledger made","who":"records"}','5b4a51a3a6d2d3c8f0e54ca4ad0357410994c856ad687ad63d563766950c7c43');
-- Triggers and indices on  audit
CREATE TRIGGER audit_no_delete before delete on audit begin select raise(abort, 'audit is append-only'); end;
CREATE TRIGGER audit_no_update before update on audit begin select raise(abort, 'audit is append-only'); end;

-- Table  counter
DROP TABLE IF EXISTS counter;
CREATE TABLE counter (stream text primary key, next integer not null) without rowid;
INSERT INTO counter VALUES('rejects',2);

-- Table  counter_snapshot
DROP TABLE IF EXISTS counter_snapshot;
CREATE TABLE counter_snapshot (       -- the newest of each epoch: what io counted itself
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

-- Table  epoch
DROP TABLE IF EXISTS epoch;
CREATE TABLE epoch (                  -- one run of io
    n integer primary key,            -- in order of arrival
    name text not null unique,
    first_at text not null,
    closed integer not null default 0 -- 1: nothing is open any more, or what was has been closed by `recover`
);
INSERT INTO epoch VALUES(1,'run-1','2026-11-26T07:43:45.008Z',0);

-- Table  image_health
DROP TABLE IF EXISTS image_health;
CREATE TABLE image_health (           -- what the pictures were like; a figure that is null could not be measured
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
INSERT INTO image_health VALUES(2,'cam0',1.02,120.0,31.0,0.001,0.0,0.01,2.1,0.3,-0.2,0.05,'["lamp"]');
INSERT INTO image_health VALUES(2,'side',1.02,120.0,31.0,0.001,0.0,0.01,2.1,0.3,-0.2,0.05,'["lamp"]');

-- Table  meta
DROP TABLE IF EXISTS meta;
CREATE TABLE meta (
    box text not null,                -- random name of this box, the same after a fresh file
    lineage integer not null,         -- + 1 with each new or restored file: outbox numbers are unique within one
    made_at text not null,
    after_damage integer not null     -- 1: an earlier file was found damaged and put aside
);
INSERT INTO meta VALUES('47dc71c73476',1,'2026-11-26T07:43:44.975Z',0);

-- Table  outbox
DROP TABLE IF EXISTS outbox;
CREATE TABLE outbox (
    stream text not null,
    seq integer not null,
    body blob not null,
    sha256 text not null,
    primary key (stream, seq)
) without rowid;
INSERT INTO outbox VALUES('rejects',1,X'7B2261636B65645F6E73223A313137303030303030302C22616374696F6E223A2252454A454354222C2263616D657261223A2263616D30222C22636F646573223A5B7B226B696E64223A22446174614D6174726978222C226E616D65223A22736E222C2273657269616C223A747275652C2274657874223A22534E2D37227D5D2C22636F6D6D69747465645F6E73223A313135303030363030302C22636F6E6669726D6564223A6E756C6C2C22646561646C696E655F6E73223A313235303030303030302C2264656665637473223A5B7B2268223A342C226B696E64223A22616E6F6D616C79222C22726567696F6E223A22636170222C2273636F7265223A372E312C2277223A332C2278223A312C2279223A327D5D2C2264656C6976657279223A2264656C697665726564222C22646F6E655F6E73223A313135303030353030302C22656E636F646572223A6E756C6C2C2265706F6368223A2272756E2D31222C226578706F7365645F6E73223A313135303030313030302C22686569676874223A34382C22696D616765223A5B7B22616C61726D73223A5B226C616D70225D2C22616E676C655F646567223A302E30352C226272696768746E657373223A3132302E302C2263616D657261223A2263616D30222C22636F6E7472617374223A33312E302C226461726B6E657373223A302E302C22666F637573223A312E30322C226E6F697365223A322E312C2273617475726174696F6E223A302E3030312C2273686966745F785F7078223A302E332C2273686966745F795F7078223A2D302E322C22756E69666F726D697479223A302E30317D2C7B22616C61726D73223A5B226C616D70225D2C22616E676C655F646567223A302E30352C226272696768746E657373223A3132302E302C2263616D657261223A2273696465222C22636F6E7472617374223A33312E302C226461726B6E657373223A302E302C22666F637573223A312E30322C226E6F697365223A322E312C2273617475726174696F6E223A302E3030312C2273686966745F785F7078223A302E332C2273686966745F795F7078223A2D302E322C22756E69666F726D697479223A302E30317D5D2C226D6973736564223A66616C73652C226D6F64656C223A2261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162616261626162222C226F7574636F6D65223A224E47222C2270617274223A332C2270696374757265223A6E756C6C2C22706963747572655F6B657074223A66616C73652C22706963747572655F736861323536223A6E756C6C2C22706C6163656D656E7473223A5B7B22616E676C655F646567223A302E342C2263616D657261223A2263616D30222C22666F756E64223A747275652C2273636F7265223A302E39332C2273686966745F785F7078223A312E352C2273686966745F795F7078223A2D322E32357D5D2C227075626C69736865645F6E73223A313135303030373030302C2272656164795F6E73223A313135303030333030302C22726561736F6E73223A5B2273636F726520372E312061626F766520342E3020696E20726567696F6E20636170225D2C2272656365697665645F6E73223A313135303030323030302C22726563697065223A22636170222C227265636F7665726564223A66616C73652C227265766973696F6E223A22303132333435363738396162222C2273636F7265223A372E312C22736571223A322C2273657175656E6365223A342C2273657269616C223A22534E2D37222C2273657269616C5F6265666F7265223A6E756C6C2C22737461727465645F6E73223A313135303030343030302C2273746174696F6E223A22737431222C2274616B656E5F6174223A22323032362D31312D32335430383A31353A30342E3132335A222C227468726573686F6C64223A342E302C227472696767657265645F6E73223A313135303030303030302C2276657264696374223A224E47222C227669657773223A5B7B2263616D657261223A2273696465222C226578706F7365645F6E73223A313135303030313030302C22686569676874223A34382C2270696374757265223A6E756C6C2C22706963747572655F6B657074223A66616C73652C22706963747572655F736861323536223A6E756C6C2C2272656164795F6E73223A313135303030333030302C2272656365697665645F6E73223A313135303030323030302C227769647468223A36347D5D2C22776879223A226E67222C227769647468223A36347D','ed33926585e38144a31d2bb74d9b4026b67c3dde8fcfbf9b6462556b06928296');

-- Table  part
DROP TABLE IF EXISTS part;
CREATE TABLE part (
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
    stored_at text not null, serial text not null default '', serial_before integer, codes text not null default '[]', placements text not null default '[]',
    unique (epoch, number)
);
INSERT INTO part VALUES(1,1,2,2,'st1','2026-11-23T08:15:04.123Z','OK','OK','PASS','ok','[]','[]',1.0,4.0,'cap','0123456789ab','abababababababababababababababababababababababababababababababab','cam0',0,NULL,1100000000,1200000000,NULL,NULL,NULL,1100004000,1100005000,1100006000,1100007000,1120000000,3,'delivered',NULL,0,0,NULL,NULL,0,NULL,0,'2026-11-26T07:43:45.008Z','',NULL,'[]','[]');
INSERT INTO part VALUES(2,1,4,3,'st1','2026-11-23T08:15:04.123Z','NG','NG','REJECT','ng','["score 7.1 above 4.0 in region cap"]','[{"h":4,"kind":"anomaly","region":"cap","score":7.1,"w":3,"x":1,"y":2}]',7.1,4.0,'cap','0123456789ab','abababababababababababababababababababababababababababababababab','cam0',0,NULL,1150000000,1250000000,1150001000,1150002000,1150003000,1150004000,1150005000,1150006000,1150007000,1170000000,4,'delivered',NULL,64,48,NULL,NULL,0,X'5B7B22636F6C756D6E73223A342C2268223A34382C226C6576656C73223A2241414543417751464267634943516F4C222C22726F7773223A332C2277223A36342C2278223A302C2279223A307D5D',0,'2026-11-26T07:43:45.008Z','SN-7',NULL,'[{"kind":"DataMatrix","name":"sn","serial":true,"text":"SN-7"}]','[{"angle_deg":0.4,"camera":"cam0","found":true,"score":0.93,"shift_x_px":1.5,"shift_y_px":-2.25}]');
-- Triggers and indices on  part
CREATE INDEX part_number on part (part);
CREATE INDEX part_rejected on part (seq) where action = 'REJECT';
CREATE INDEX part_serial on part (serial) where serial != '';
CREATE INDEX part_trigger on part (epoch, part, triggered_ns);

-- Table  trigger
DROP TABLE IF EXISTS "trigger";
CREATE TABLE trigger (
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
INSERT INTO "trigger" VALUES(1,1,2,'st1',1100000000,NULL,1200000000,'cap',0,'boot','2026-11-26T07:43:45.008Z');
INSERT INTO "trigger" VALUES(1,3,3,'st1',1150000000,NULL,1250000000,'cap',0,'boot','2026-11-26T07:43:45.008Z');
-- Triggers and indices on  trigger
CREATE INDEX trigger_part on trigger (epoch, part, at_ns);

-- Table  view
DROP TABLE IF EXISTS "view";
CREATE TABLE view (                   -- pictures of the other cameras; that of the deciding one is in the part's row
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
INSERT INTO "view" VALUES(2,'side',1150001000,1150002000,1150003000,64,48,NULL,NULL,0);

-- For primary key autoincrements the next id to use is stored in
-- sqlite_sequence
DELETE FROM main.sqlite_sequence WHERE name='part';
INSERT INTO main.sqlite_sequence VALUES ('part', 2);

-- Database header
pragma user_version=2;

COMMIT TRANSACTION;

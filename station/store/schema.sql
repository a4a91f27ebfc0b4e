-- The journal is the truth; every other table is derived from it in the same transaction.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,              -- gapless from 1
    run INTEGER NOT NULL,
    type TEXT NOT NULL,
    boot TEXT NOT NULL,                   -- of the machine: now_us only compares within one
    now_us INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    payload TEXT NOT NULL,                -- canonical JSON
    prev TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE             -- SHA-256(00H, prev, seq, run, type, boot, now_us, wall_us, payload)
) STRICT;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    sn TEXT NOT NULL, uid TEXT, scan TEXT NOT NULL, model TEXT NOT NULL,
    station TEXT NOT NULL, slot TEXT NOT NULL, operator TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('production', 'trial')),
    reference INTEGER NOT NULL, steps INTEGER NOT NULL,
    recipe TEXT NOT NULL, recipe_revision TEXT NOT NULL, recipe_sha256 TEXT NOT NULL, profile TEXT NOT NULL,
    profile_sha256 TEXT NOT NULL, package_version TEXT NOT NULL, package_sha256 TEXT NOT NULL,
    package_signer TEXT NOT NULL, image_sha256 TEXT NOT NULL, layout_sha256 TEXT NOT NULL,
    release_sha256 TEXT NOT NULL, plan_sha256 TEXT NOT NULL,
    product TEXT, hardware TEXT, firmware TEXT, mcu_id TEXT,
    started_us INTEGER NOT NULL, began_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX run_sn ON run (sn);
CREATE INDEX run_uid ON run (uid);
CREATE INDEX run_firmware ON run (package_version);
CREATE INDEX run_started ON run (started_us);

-- One row a run, ever: a run ends in exactly one way.
CREATE TABLE run_end (
    run INTEGER PRIMARY KEY REFERENCES run (run),
    verdict TEXT NOT NULL CHECK (verdict IN ('PASS', 'FAIL', 'INTERRUPTED', 'ABORTED')),
    exit_code INTEGER NOT NULL, step INTEGER, error_kind TEXT, text TEXT, advice TEXT,
    ended_us INTEGER NOT NULL, duration_us INTEGER NOT NULL, seq INTEGER NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER run_end_no_update BEFORE UPDATE ON run_end BEGIN SELECT RAISE(ABORT, 'a verdict is final'); END;
CREATE TRIGGER run_end_no_delete BEFORE DELETE ON run_end BEGIN SELECT RAISE(ABORT, 'a verdict is final'); END;

CREATE TABLE step (
    run INTEGER NOT NULL REFERENCES run (run), step INTEGER NOT NULL, attempt INTEGER NOT NULL,
    verb TEXT NOT NULL, title TEXT NOT NULL, began_seq INTEGER NOT NULL, ended_seq INTEGER,
    ok INTEGER, error_kind TEXT, text TEXT, started_us INTEGER NOT NULL, duration_us INTEGER,
    PRIMARY KEY (run, step, attempt)
) STRICT;
CREATE TABLE fact (
    seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, step INTEGER, type TEXT NOT NULL, key TEXT, text TEXT, detail TEXT
) STRICT;
CREATE INDEX fact_run ON fact (run, type, key);
CREATE TABLE value (
    seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, step INTEGER NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL,
    before TEXT, written TEXT NOT NULL, found TEXT NOT NULL, raw_written INTEGER NOT NULL, raw_found INTEGER NOT NULL,
    ok INTEGER NOT NULL
) STRICT;
CREATE INDEX value_run ON value (run);
CREATE TABLE measurement (
    seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, quantity TEXT NOT NULL,
    value INTEGER NOT NULL, shown TEXT NOT NULL, min INTEGER, max INTEGER, ok INTEGER NOT NULL, instrument TEXT,
    instrument_due TEXT
) STRICT;
CREATE INDEX measurement_run ON measurement (run);

-- Serial numbers: a number belongs to one board for ever.
CREATE TABLE serial (
    sn TEXT PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('RESERVED', 'WRITE_INTENT', 'ON_BOARD', 'CONSUMED')),
    rank INTEGER NOT NULL,
    run INTEGER NOT NULL, seq INTEGER NOT NULL
) STRICT;
-- Only what was reserved and never about to be written may become free again, with the end of its run.
CREATE TRIGGER serial_no_delete BEFORE DELETE ON serial WHEN OLD.rank > 1
BEGIN SELECT RAISE(ABORT, 'a serial number that may be on a board is never free again'); END;
CREATE TRIGGER serial_forward BEFORE UPDATE ON serial WHEN NEW.rank < OLD.rank OR NEW.uid <> OLD.uid OR NEW.sn <> OLD.sn
BEGIN SELECT RAISE(ABORT, 'a serial number never goes back'); END;

CREATE TABLE label_job (
    job INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run_end (run), copy INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'printed', 'unconfirmed', 'failed')),
    payload TEXT NOT NULL, text TEXT, changed_us INTEGER NOT NULL, UNIQUE (run, copy)
) STRICT;
CREATE TABLE package_sequence (
    product TEXT NOT NULL, sequence INTEGER NOT NULL, package_sha256 TEXT NOT NULL, accepted_us INTEGER NOT NULL,
    PRIMARY KEY (product, sequence, package_sha256)
) STRICT;
CREATE TABLE file (sha256 TEXT PRIMARY KEY, kind TEXT NOT NULL, bytes INTEGER NOT NULL, kept_us INTEGER NOT NULL) STRICT;

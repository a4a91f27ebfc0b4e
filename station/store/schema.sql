-- The journal is the truth. Every other table is derived from it by the triggers of derive.sql, in the transaction that
-- appends the row, and can be made again from it.
PRAGMA application_id = 0x504b4c4a;

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,              -- gapless from 1; the only order there is
    run INTEGER NOT NULL,                 -- 0 = of the station
    type TEXT NOT NULL,
    boot TEXT NOT NULL,                   -- of the machine: now_us only compares within one
    now_us INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,             -- for people; may step
    payload TEXT NOT NULL,                -- canonical JSON: sorted keys, no blanks
    prev TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE             -- SHA-256(00H, prev, seq, run, type, boot, now_us, wall_us, payload)
) STRICT;
CREATE INDEX journal_run ON journal (run, type);
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
-- Also keeps INSERT OR REPLACE out, which fires no delete trigger.
CREATE TRIGGER journal_in_order BEFORE INSERT ON journal
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM journal)
  OR NEW.prev <> coalesce((SELECT hash FROM journal WHERE seq = NEW.seq - 1), printf('%064d', 0))
BEGIN SELECT RAISE(ABORT, 'a row must follow the last row of the journal'); END;

CREATE TABLE run (
    run INTEGER PRIMARY KEY CHECK (run >= 1),
    sn TEXT NOT NULL, uid TEXT CHECK (uid <> ''), scan TEXT NOT NULL, model TEXT NOT NULL,
    station TEXT NOT NULL, slot TEXT NOT NULL, operator TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('production', 'trial')),
    reference INTEGER NOT NULL CHECK (reference IN (0, 1)), steps INTEGER NOT NULL CHECK (steps >= 0),
    recipe TEXT NOT NULL, recipe_revision TEXT NOT NULL, recipe_sha256 TEXT NOT NULL, profile TEXT NOT NULL,
    profile_sha256 TEXT NOT NULL, package_version TEXT NOT NULL, package_sha256 TEXT NOT NULL,
    package_signer TEXT NOT NULL, image_sha256 TEXT NOT NULL, layout_sha256 TEXT NOT NULL,
    release_sha256 TEXT NOT NULL, plan_sha256 TEXT NOT NULL,
    product TEXT, hardware TEXT, firmware TEXT, bootloader TEXT, mcu_id TEXT, -- as the board says
    started_us INTEGER NOT NULL, began_seq INTEGER NOT NULL UNIQUE REFERENCES journal (seq)
) STRICT;
CREATE INDEX run_sn ON run (sn);
CREATE INDEX run_uid ON run (uid);
CREATE INDEX run_model ON run (model);
CREATE INDEX run_firmware ON run (coalesce(nullif(package_version, ''), firmware, ''));
CREATE INDEX run_started ON run (started_us);

-- One row a run, ever: a run ends in exactly one way.
CREATE TABLE run_end (
    run INTEGER PRIMARY KEY REFERENCES run (run),
    verdict TEXT NOT NULL CHECK (verdict IN ('PASS', 'FAIL', 'INTERRUPTED', 'ABORTED')),
    exit_code INTEGER NOT NULL, step INTEGER, error_kind TEXT, text TEXT, advice TEXT,
    ended_us INTEGER NOT NULL, duration_us INTEGER NOT NULL, seq INTEGER NOT NULL UNIQUE REFERENCES journal (seq)
) STRICT;
CREATE TRIGGER run_end_no_update BEFORE UPDATE ON run_end BEGIN SELECT RAISE(ABORT, 'a verdict is final'); END;
CREATE TRIGGER run_end_no_delete BEFORE DELETE ON run_end BEGIN SELECT RAISE(ABORT, 'a verdict is final'); END;

CREATE TABLE step (
    run INTEGER NOT NULL REFERENCES run (run), step INTEGER NOT NULL CHECK (step >= 0),
    attempt INTEGER NOT NULL CHECK (attempt >= 1), verb TEXT NOT NULL, title TEXT NOT NULL,
    began_seq INTEGER NOT NULL REFERENCES journal (seq), ended_seq INTEGER REFERENCES journal (seq),
    ok INTEGER CHECK (ok IN (0, 1)), error_kind TEXT, text TEXT, started_us INTEGER NOT NULL, duration_us INTEGER,
    PRIMARY KEY (run, step, attempt)
) STRICT;
CREATE TRIGGER step_no_delete BEFORE DELETE ON step BEGIN SELECT RAISE(ABORT, 'a step is never forgotten'); END;

-- Intents, results, identities, notes and documents.
CREATE TABLE fact (
    seq INTEGER PRIMARY KEY REFERENCES journal (seq), run INTEGER NOT NULL REFERENCES run (run), step INTEGER,
    type TEXT NOT NULL, key TEXT, text TEXT
) STRICT;
CREATE INDEX fact_run ON fact (run, type, key);

CREATE TABLE value (
    seq INTEGER PRIMARY KEY REFERENCES journal (seq), run INTEGER NOT NULL REFERENCES run (run),
    step INTEGER NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL, before TEXT, written TEXT NOT NULL,
    found TEXT NOT NULL, raw_written INTEGER NOT NULL, raw_found INTEGER NOT NULL,
    ok INTEGER NOT NULL CHECK (ok IN (0, 1))
) STRICT;
CREATE INDEX value_run ON value (run, key, stage);

CREATE TABLE measurement (
    seq INTEGER PRIMARY KEY REFERENCES journal (seq), run INTEGER NOT NULL REFERENCES run (run),
    step INTEGER NOT NULL, name TEXT NOT NULL, quantity TEXT NOT NULL, value INTEGER NOT NULL, shown TEXT NOT NULL,
    min INTEGER, max INTEGER, ok INTEGER NOT NULL CHECK (ok IN (0, 1)), instrument TEXT, instrument_due TEXT
) STRICT;
CREATE INDEX measurement_run ON measurement (run);

-- A number belongs to one board for ever. No row = FREE; RESERVED → WRITE_INTENT → ON_BOARD → CONSUMED, or BURNED.
CREATE TABLE serial (
    sn TEXT PRIMARY KEY CHECK (length(sn) BETWEEN 1 AND 30),
    uid TEXT NOT NULL CHECK (uid <> ''),
    state TEXT NOT NULL CHECK (state IN ('RESERVED', 'WRITE_INTENT', 'ON_BOARD', 'CONSUMED', 'BURNED')),
    rank INTEGER NOT NULL CHECK (rank BETWEEN 1 AND 5),
    run INTEGER NOT NULL, seq INTEGER NOT NULL REFERENCES journal (seq)
) STRICT;
CREATE UNIQUE INDEX serial_live ON serial (uid) WHERE state <> 'BURNED';
-- Only what was reserved and never about to be written becomes free again, with the end of its run.
CREATE TRIGGER serial_no_delete BEFORE DELETE ON serial WHEN OLD.rank > 1
BEGIN SELECT RAISE(ABORT, 'a serial number that may be on a board is never free again'); END;
CREATE TRIGGER serial_forward BEFORE UPDATE ON serial
WHEN NEW.rank < OLD.rank OR NEW.uid <> OLD.uid OR NEW.sn <> OLD.sn
BEGIN SELECT RAISE(ABORT, 'a serial number never goes back'); END;

-- What passed in production: one board, one number, once.
CREATE TABLE unit (
    run INTEGER PRIMARY KEY REFERENCES run_end (run), sn TEXT NOT NULL UNIQUE REFERENCES serial (sn),
    uid TEXT NOT NULL UNIQUE, firmware TEXT NOT NULL
) STRICT;
CREATE INDEX unit_firmware ON unit (firmware);
CREATE TRIGGER unit_no_update BEFORE UPDATE ON unit BEGIN SELECT RAISE(ABORT, 'a unit is final'); END;
CREATE TRIGGER unit_no_delete BEFORE DELETE ON unit BEGIN SELECT RAISE(ABORT, 'a unit is final'); END;

CREATE TABLE label_job (
    job INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES unit (run), copy INTEGER NOT NULL CHECK (copy >= 1),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'printed', 'unconfirmed', 'failed', 'confirmed', 'waived')),
    payload TEXT NOT NULL, text TEXT, changed_us INTEGER NOT NULL, seq INTEGER NOT NULL REFERENCES journal (seq),
    UNIQUE (run, copy)
) STRICT;
CREATE TABLE package_sequence (
    seq INTEGER PRIMARY KEY REFERENCES journal (seq), product TEXT NOT NULL, sequence INTEGER NOT NULL,
    package_sha256 TEXT NOT NULL, accepted_us INTEGER NOT NULL, UNIQUE (product, sequence, package_sha256)
) STRICT;
CREATE TABLE file (
    sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64), kind TEXT NOT NULL, bytes INTEGER NOT NULL,
    kept_us INTEGER NOT NULL, seq INTEGER NOT NULL REFERENCES journal (seq)
) STRICT;

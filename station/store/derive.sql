-- What a journal row means. One trigger a type; nothing else writes to the derived tables.
CREATE TRIGGER derive_run_begin AFTER INSERT ON journal WHEN NEW.type = 'run_begin' BEGIN
    INSERT INTO run (run, sn, scan, model, station, slot, operator, mode, reference, steps, recipe, recipe_revision,
        recipe_sha256, profile, profile_sha256, package_version, package_sha256, package_signer, image_sha256,
        layout_sha256, release_sha256, plan_sha256, started_us, began_seq)
    VALUES (NEW.run, coalesce(NEW.payload ->> 'sn', ''), coalesce(NEW.payload ->> 'scan', ''),
        coalesce(NEW.payload ->> 'model', ''), coalesce(NEW.payload ->> 'station', ''),
        coalesce(NEW.payload ->> 'slot', ''), coalesce(NEW.payload ->> 'operator', ''), NEW.payload ->> 'mode',
        NEW.payload ->> 'dialect' IS NOT NULL, NEW.payload ->> 'steps', coalesce(NEW.payload ->> 'recipe', ''),
        coalesce(NEW.payload ->> 'recipe_revision', ''), coalesce(NEW.payload ->> 'recipe_sha256', ''),
        coalesce(NEW.payload ->> 'profile', ''), coalesce(NEW.payload ->> 'profile_sha256', ''),
        coalesce(NEW.payload ->> 'package_version', ''), coalesce(NEW.payload ->> 'package_sha256', ''),
        coalesce(NEW.payload ->> 'package_signer', ''), coalesce(NEW.payload ->> 'image_sha256', ''),
        coalesce(NEW.payload ->> 'layout_sha256', ''), coalesce(NEW.payload ->> 'release_sha256', ''),
        coalesce(NEW.payload ->> 'plan_sha256', ''), NEW.wall_us, NEW.seq);
END;

CREATE TRIGGER derive_step_begin AFTER INSERT ON journal WHEN NEW.type = 'step_begin' BEGIN
    SELECT RAISE(ABORT, 'a step outside the recipe') FROM run WHERE run = NEW.run AND NEW.payload ->> 'step' >= steps;
    INSERT INTO step (run, step, attempt, verb, title, began_seq, started_us)
    VALUES (NEW.run, NEW.payload ->> 'step', NEW.payload ->> 'attempt', coalesce(NEW.payload ->> 'verb', ''),
        coalesce(NEW.payload ->> 'title', ''), NEW.seq, NEW.wall_us);
END;

CREATE TRIGGER derive_step_end AFTER INSERT ON journal WHEN NEW.type = 'step_end' BEGIN
    SELECT RAISE(ABORT, 'a step ended that is not open') WHERE NOT EXISTS (SELECT 1 FROM step WHERE run = NEW.run
        AND step = NEW.payload ->> 'step' AND attempt = NEW.payload ->> 'attempt' AND ended_seq IS NULL);
    UPDATE step SET ended_seq = NEW.seq, ok = NEW.payload ->> 'ok', error_kind = NEW.payload ->> 'error_kind',
        text = NEW.payload ->> 'text', duration_us = NEW.payload ->> 'duration_us'
    WHERE run = NEW.run AND step = NEW.payload ->> 'step' AND attempt = NEW.payload ->> 'attempt';
END;

CREATE TRIGGER derive_fact AFTER INSERT ON journal WHEN NEW.type IN ('intent', 'result', 'identity', 'note', 'image')
BEGIN
    INSERT INTO fact (seq, run, step, type, key, text)
    VALUES (NEW.seq, NEW.run, NEW.payload ->> 'step', NEW.type, NEW.payload ->> 'key', NEW.payload ->> 'text');
END;

CREATE TRIGGER derive_identity AFTER INSERT ON journal WHEN NEW.type IN ('identity', 'claim', 'serial') BEGIN
    SELECT RAISE(ABORT, 'another board in the same run') FROM run
    WHERE run = NEW.run AND uid <> NEW.payload ->> 'unique_id';
    UPDATE run SET uid = coalesce(NEW.payload ->> 'unique_id', uid), product = coalesce(NEW.payload ->> 'product', product),
        hardware = coalesce(NEW.payload ->> 'hardware', hardware), firmware = coalesce(NEW.payload ->> 'firmware', firmware),
        bootloader = coalesce(NEW.payload ->> 'bootloader', bootloader), mcu_id = coalesce(NEW.payload ->> 'mcu_id', mcu_id)
    WHERE run = NEW.run;
END;

CREATE TRIGGER derive_value AFTER INSERT ON journal WHEN NEW.type = 'value' BEGIN
    INSERT INTO value (seq, run, step, stage, key, before, written, found, raw_written, raw_found, ok)
    VALUES (NEW.seq, NEW.run, coalesce(NEW.payload ->> 'step', -1), coalesce(NEW.payload ->> 'stage', ''),
        coalesce(NEW.payload ->> 'key', ''), NEW.payload ->> 'before', coalesce(NEW.payload ->> 'written', ''),
        coalesce(NEW.payload ->> 'found', ''), NEW.payload ->> 'raw_written', NEW.payload ->> 'raw_found',
        NEW.payload ->> 'ok');
END;

CREATE TRIGGER derive_measurement AFTER INSERT ON journal WHEN NEW.type = 'measurement' BEGIN
    INSERT INTO measurement (seq, run, step, name, quantity, value, shown, min, max, ok, instrument, instrument_due)
    VALUES (NEW.seq, NEW.run, coalesce(NEW.payload ->> 'step', -1), coalesce(NEW.payload ->> 'key', ''),
        coalesce(NEW.payload ->> 'quantity', ''), NEW.payload ->> 'value', coalesce(NEW.payload ->> 'shown', ''),
        NEW.payload ->> 'min', NEW.payload ->> 'max', NEW.payload ->> 'ok', NEW.payload ->> 'instrument',
        NEW.payload ->> 'instrument_due');
END;

CREATE TRIGGER derive_serial AFTER INSERT ON journal WHEN NEW.type = 'serial' BEGIN
    SELECT RAISE(ABORT, 'the serial number belongs to another board') FROM serial
    WHERE sn = NEW.payload ->> 'sn' AND uid <> NEW.payload ->> 'unique_id';
    SELECT RAISE(ABORT, 'the serial number is burned') FROM serial WHERE sn = NEW.payload ->> 'sn' AND state = 'BURNED';
    INSERT INTO serial (sn, uid, state, rank, run, seq)
    VALUES (NEW.payload ->> 'sn', NEW.payload ->> 'unique_id', NEW.payload ->> 'state',
        CASE NEW.payload ->> 'state' WHEN 'RESERVED' THEN 1 WHEN 'WRITE_INTENT' THEN 2 WHEN 'ON_BOARD' THEN 3
            WHEN 'BURNED' THEN 5 END, NEW.run, NEW.seq)
    ON CONFLICT (sn) DO UPDATE SET state = excluded.state, rank = excluded.rank, run = excluded.run, seq = excluded.seq
    WHERE excluded.rank > serial.rank;
END;

-- PASS in production makes the unit and consumes its number in the same transaction.
CREATE TRIGGER derive_run_end AFTER INSERT ON journal WHEN NEW.type = 'run_end' BEGIN
    INSERT INTO run_end (run, verdict, exit_code, step, error_kind, text, advice, ended_us, duration_us, seq)
    VALUES (NEW.run, NEW.payload ->> 'verdict', NEW.payload ->> 'exit_code', NEW.payload ->> 'step',
        NEW.payload ->> 'error_kind', NEW.payload ->> 'text', NEW.payload ->> 'detail', NEW.wall_us,
        NEW.payload ->> 'duration_us', NEW.seq);
    -- A mis-scan must not bind a number to the wrong board for ever: nothing of it was ever sent there.
    DELETE FROM serial WHERE run = NEW.run AND rank = 1 AND NEW.payload ->> 'verdict' <> 'PASS';
    INSERT INTO serial (sn, uid, state, rank, run, seq)
    SELECT sn, uid, 'CONSUMED', 4, run, NEW.seq FROM run
    WHERE run = NEW.run AND mode = 'production' AND NEW.payload ->> 'verdict' = 'PASS'
    ON CONFLICT (sn) DO UPDATE SET state = excluded.state, rank = excluded.rank, run = excluded.run, seq = excluded.seq;
    INSERT INTO unit (run, sn, uid, firmware)
    SELECT run, sn, uid, coalesce(nullif(package_version, ''), firmware, '') FROM run
    WHERE run = NEW.run AND mode = 'production' AND NEW.payload ->> 'verdict' = 'PASS';
END;

CREATE TRIGGER derive_label AFTER INSERT ON journal WHEN NEW.type = 'label' BEGIN
    INSERT INTO label_job (job, run, copy, state, payload, text, changed_us, seq)
    SELECT NEW.payload ->> 'job', NEW.run, NEW.payload ->> 'copy', NEW.payload ->> 'state', NEW.payload ->> 'payload',
        NEW.payload ->> 'text', NEW.wall_us, NEW.seq
    WHERE NEW.payload ->> 'payload' IS NOT NULL;
    UPDATE label_job SET state = NEW.payload ->> 'state', text = NEW.payload ->> 'text', changed_us = NEW.wall_us,
        seq = NEW.seq
    WHERE job = NEW.payload ->> 'job' AND seq <> NEW.seq;
END;

CREATE TRIGGER derive_package AFTER INSERT ON journal WHEN NEW.type = 'package' BEGIN
    INSERT INTO package_sequence (seq, product, sequence, package_sha256, accepted_us)
    VALUES (NEW.seq, NEW.payload ->> 'product', NEW.payload ->> 'sequence', NEW.payload ->> 'sha256', NEW.wall_us);
END;

CREATE TRIGGER derive_file AFTER INSERT ON journal WHEN NEW.type = 'file' BEGIN
    INSERT INTO file (sha256, kind, bytes, kept_us, seq)
    VALUES (NEW.payload ->> 'sha256', NEW.payload ->> 'kind', NEW.payload ->> 'bytes', NEW.wall_us, NEW.seq);
END;

-- Stable views: a contract with people who bring their own tools (docs/records.md). Columns are added, never taken away.
CREATE VIEW v_run AS
SELECT r.run, r.sn, r.uid, r.model, strftime('%Y-%m-%dT%H:%M:%SZ', r.started_us / 1000000, 'unixepoch') AS started,
       coalesce(e.verdict, 'RUNNING') AS verdict, r.mode,
       coalesce(nullif(r.package_version, ''), r.firmware, '') AS firmware, r.recipe, r.recipe_revision,
       r.station, r.slot, r.operator, r.product, r.hardware, r.bootloader, r.mcu_id, e.exit_code, e.error_kind,
       e.text AS failure, e.advice,
       (SELECT s.verb FROM step s WHERE s.run = r.run AND s.step = e.step ORDER BY s.attempt DESC LIMIT 1) AS failed_step,
       e.duration_us / 1000000.0 AS seconds, r.scan, r.profile, r.recipe_sha256, r.profile_sha256, r.package_sha256,
       r.package_signer, r.image_sha256, r.layout_sha256, r.release_sha256, r.plan_sha256,
       CASE r.reference WHEN 1 THEN 'reference dialect, not the vendor''s protocol' ELSE '' END AS dialect,
       coalesce((SELECT j.payload ->> 'evidence' FROM journal j WHERE j.seq = r.began_seq), '') AS evidence,
       r.started_us
FROM run r LEFT JOIN run_end e ON e.run = r.run;

CREATE VIEW v_unit AS
SELECT u.sn, u.uid, r.model, u.firmware, r.product, r.hardware, r.recipe, r.recipe_revision, u.run,
       strftime('%Y-%m-%dT%H:%M:%SZ', e.ended_us / 1000000, 'unixepoch') AS passed, r.station, r.operator,
       CASE r.reference WHEN 1 THEN 'reference dialect, not the vendor''s protocol' ELSE '' END AS dialect
FROM unit u JOIN run r ON r.run = u.run JOIN run_end e ON e.run = u.run;

CREATE VIEW v_step AS
SELECT s.run, r.sn, s.step, s.attempt, s.verb, s.title, s.ok, s.error_kind, s.text, s.duration_us / 1000000.0 AS seconds
FROM step s JOIN run r ON r.run = s.run;

CREATE VIEW v_value AS
SELECT v.run, r.sn, v.step, v.stage, v.key, v.before, v.written, v.found, v.raw_written, v.raw_found, v.ok, v.seq
FROM value v JOIN run r ON r.run = v.run;

CREATE VIEW v_measurement AS
SELECT m.run, r.sn, m.step, m.name, m.quantity, m.value, m.shown, m.min, m.max, m.ok, m.instrument, m.instrument_due,
       m.seq
FROM measurement m JOIN run r ON r.run = m.run;

CREATE VIEW v_label AS
SELECT l.job, l.run, r.sn, l.copy, l.state, l.payload, l.text,
       strftime('%Y-%m-%dT%H:%M:%SZ', l.changed_us / 1000000, 'unixepoch') AS changed
FROM label_job l JOIN run r ON r.run = l.run;

CREATE VIEW v_serial AS SELECT sn, uid, state, run FROM serial;

CREATE VIEW v_event AS
SELECT j.seq, j.run, r.sn, j.type, strftime('%Y-%m-%dT%H:%M:%SZ', j.wall_us / 1000000, 'unixepoch') AS at, j.payload, j.hash
FROM journal j LEFT JOIN run r ON r.run = j.run;

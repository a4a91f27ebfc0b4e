-- Why a run may not be called PASS: asked before a PASS is recorded, and of every recorded one by the audit.
CREATE VIEW pass_objection AS
SELECT 'I1' AS id, r.run, 'it has no steps' AS why FROM run r WHERE r.steps = 0
UNION ALL
SELECT 'I1', r.run, 'only ' || n.ok || ' of ' || r.steps || ' steps ended ok'
FROM run r JOIN (SELECT q.run, (SELECT count(DISTINCT s.step) FROM step s WHERE s.run = q.run AND s.ok = 1) AS ok FROM run q) n
    ON n.run = r.run
WHERE n.ok <> r.steps
UNION ALL
SELECT 'I1', s.run, 'the last attempt of step ' || s.step || ' did not end ok' FROM step s
WHERE s.ok IS NOT 1 AND NOT EXISTS (SELECT 1 FROM step t WHERE t.run = s.run AND t.step = s.step AND t.attempt > s.attempt)
UNION ALL
SELECT 'I1', s.run, 'step ' || s.step || ' began before step ' || p.step || ' had ended'
FROM step s JOIN step p ON p.run = s.run AND p.step = s.step - 1 WHERE p.ended_seq IS NULL OR s.began_seq < p.ended_seq
UNION ALL
SELECT 'I1', r.run, 'the board was never identified' FROM run r
WHERE r.uid IS NULL OR NOT EXISTS (SELECT 1 FROM fact f WHERE f.run = r.run AND f.type = 'identity')
UNION ALL
SELECT 'I1', i.run, 'the intent ''' || i.key || ''' has no result' FROM fact i
WHERE i.type = 'intent' AND NOT EXISTS (SELECT 1 FROM fact p WHERE p.run = i.run AND p.type = 'result' AND p.seq > i.seq
    AND (p.key = i.key OR (i.key = 'erase' AND p.key = 'verify')))
UNION ALL
SELECT 'I2', r.run, 'serial number ' || s.sn || ' belongs to board ' || s.uid FROM run r JOIN serial s ON s.sn = r.sn
WHERE s.uid IS NOT r.uid
UNION ALL
SELECT 'I2', r.run, 'the board has serial number ' || s.sn || ', the run is for ' || r.sn
FROM run r JOIN serial s ON s.uid = r.uid WHERE s.sn <> r.sn AND s.state <> 'BURNED'
UNION ALL
SELECT 'I2', r.run, 'serial number ' || r.sn || ' was not read back on this board' FROM run r
WHERE EXISTS (SELECT 1 FROM fact f WHERE f.run = r.run AND f.type = 'intent' AND f.key = 'identity')
    AND NOT EXISTS (SELECT 1 FROM serial s WHERE s.sn = r.sn AND s.rank IN (3, 4))
UNION ALL
SELECT 'I2', r.run, 'this board or number already passed in run ' || u.run FROM run r JOIN unit u ON u.uid = r.uid
WHERE u.run < r.run AND r.mode = 'production'
UNION ALL
SELECT 'I4', i.run, 'identity was written before the firmware was proved'
FROM fact i JOIN run r ON r.run = i.run
WHERE i.type = 'intent' AND i.key = 'identity' AND r.package_sha256 <> ''
    AND NOT EXISTS (SELECT 1 FROM fact p WHERE p.run = i.run AND p.type = 'result' AND p.key = 'verify' AND p.seq < i.seq)
UNION ALL
SELECT 'I5', w.run, 'value ''' || w.key || ''' was not read back equal after a restart'
FROM (SELECT run, key, max(seq) AS seq FROM value WHERE stage = 'write' GROUP BY run, key) w
WHERE NOT EXISTS (SELECT 1 FROM value a WHERE a.run = w.run AND a.key = w.key AND a.stage = 'after-restart' AND a.ok = 1
    AND a.raw_found = a.raw_written AND a.seq > w.seq);

-- Every row is a broken promise, with where it broke.
CREATE VIEW violation AS
SELECT o.id, 'run ' || o.run || ': ' || o.why AS finding FROM run_end e JOIN pass_objection o ON o.run = e.run
WHERE e.verdict = 'PASS'
UNION ALL
SELECT 'I2', 'board ' || uid || ' has ' || count(*) || ' live serial numbers' FROM serial WHERE state <> 'BURNED'
GROUP BY uid HAVING count(*) > 1
UNION ALL
SELECT 'I2', 'serial number ' || (payload ->> 'sn') || ' was written to ' || count(DISTINCT payload ->> 'unique_id') || ' boards'
FROM journal WHERE type = 'serial' AND payload ->> 'state' <> 'RESERVED' GROUP BY payload ->> 'sn' HAVING count(DISTINCT payload ->> 'unique_id') > 1
UNION ALL
SELECT 'I3', 'label job ' || l.job || ' has no production PASS before it' FROM label_job l
    LEFT JOIN run_end e ON e.run = l.run LEFT JOIN run r ON r.run = l.run
WHERE e.verdict IS NOT 'PASS' OR r.mode IS NOT 'production' OR NOT e.seq < l.seq
UNION ALL
SELECT 'I3', 'label job ' || l.job || ' does not carry serial number ' || r.sn FROM label_job l JOIN run r ON r.run = l.run
WHERE l.payload ->> 'sn' IS NOT r.sn
UNION ALL
SELECT 'I3', 'label job ' || l.job || ' was confirmed by a scan that is not of unit ' || u.sn FROM label_job l
    JOIN unit u ON u.run = l.run JOIN journal j ON j.seq = l.seq
WHERE l.state = 'confirmed' AND (j.payload ->> 'scan' IS NOT u.sn OR j.payload ->> 'found' IS NOT u.sn
    OR j.payload ->> 'unique_id' IS NOT u.uid)
UNION ALL
SELECT 'I3', 'label job ' || l.job || ' was confirmed by a print that run ' || r.run || ' did not begin with' FROM label_job l
    JOIN run r ON r.run = l.run JOIN journal j ON j.seq = l.seq
WHERE l.state = 'confirmed' AND j.payload ->> 'mark' IS NOT NULL AND j.payload ->> 'mark' IS NOT r.scan
UNION ALL
SELECT 'I4', 'run ' || o.run || ': ' || o.why FROM pass_objection o LEFT JOIN run_end e ON e.run = o.run
WHERE o.id = 'I4' AND e.verdict IS NOT 'PASS'
UNION ALL
SELECT 'I6', 'run ' || i.run || ' was about to ' || i.key || ' before the board was identified' FROM fact i
WHERE i.type = 'intent' AND i.key IN ('erase', 'identity', 'write')
    AND NOT EXISTS (SELECT 1 FROM fact d WHERE d.run = i.run AND d.type = 'identity' AND d.seq < i.seq)
UNION ALL
SELECT 'I7', 'run ' || run || ' used a package without a signer' FROM run WHERE package_sha256 <> '' AND package_signer = ''
UNION ALL
SELECT 'I7', 'run ' || run || ' is production without a release' FROM run WHERE mode = 'production' AND release_sha256 = ''
UNION ALL
SELECT 'I7', 'package ' || p.sequence || ' of ' || p.product || ' was accepted after a newer one' FROM package_sequence p
WHERE EXISTS (SELECT 1 FROM package_sequence q WHERE q.product = p.product AND q.sequence > p.sequence AND q.seq < p.seq)
UNION ALL
SELECT 'I8', 'the verdict of run ' || e.run || ' is not what the journal says' FROM run_end e LEFT JOIN journal j ON j.seq = e.seq
WHERE j.type IS NOT 'run_end' OR j.run IS NOT e.run OR j.payload ->> 'verdict' IS NOT e.verdict
UNION ALL
SELECT 'I9', 'run ' || r.run || ' has no end, and slot ' || r.slot || ' went on' FROM run r
WHERE NOT EXISTS (SELECT 1 FROM run_end e WHERE e.run = r.run)
    AND EXISTS (SELECT 1 FROM run n WHERE n.slot = r.slot AND n.station = r.station AND n.run > r.run)
UNION ALL
SELECT 'I10', 'the journal has ' || count(*) || ' rows, the last is ' || max(seq) FROM journal
HAVING count(*) <> coalesce(max(seq), 0)
UNION ALL
SELECT 'I11', 'serial number ' || j.sn || ' was about to be written and is free again'
FROM (SELECT DISTINCT payload ->> 'sn' AS sn FROM journal WHERE type = 'serial' AND payload ->> 'state' = 'WRITE_INTENT') j
    LEFT JOIN serial s ON s.sn = j.sn
WHERE s.rank IS NULL OR s.rank < 2
UNION ALL
SELECT 'I12', 'run ' || run || ' ended ' || count(*) || ' times' FROM journal WHERE type = 'run_end' GROUP BY run HAVING count(*) > 1
UNION ALL
SELECT 'I13', 'row ' || j.seq || ' (' || j.type || ') of run ' || j.run || ' follows its end' FROM run_end e
    JOIN journal j ON j.run = e.run WHERE j.seq > e.seq AND j.type <> 'label'
UNION ALL
SELECT 'I14', 'the steady clock ran back at row ' || seq FROM
    (SELECT seq, now_us - lag(now_us) OVER (PARTITION BY run, boot ORDER BY seq) AS passed FROM journal) WHERE passed < 0
UNION ALL
SELECT 'I21', 'serial number ''' || sn || ''' is what an empty field reads as' FROM serial
WHERE trim(sn, ' 0') = '' OR trim(upper(sn), ' F') = '' OR upper(sn) IN ('SN', 'NONE', 'NULL', 'REFUSED', 'UNKNOWN', 'DEFAULT')
UNION ALL
SELECT 'I21', 'run ' || run || ' has unique id ''' || uid || '''' FROM run
WHERE trim(uid, ' 0') = '' OR trim(lower(uid), ' f') = ''
UNION ALL
SELECT 'I21', 'run ' || f.run || ' took ''' || v.value || ''' for its ' || v.key FROM fact f JOIN journal j ON j.seq = f.seq,
    json_each(j.payload) v
WHERE f.type = 'identity' AND v.key IN ('sn', 'product', 'hardware', 'firmware')
    AND (trim(v.value) = '' OR trim(lower(v.value), 'f') = '' OR lower(v.value) IN ('refused', 'null'));

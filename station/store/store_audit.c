/* The hash chain, and the promises that the store's own rows can show. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

static const char *column(sqlite3_stmt *statement, int i)
{
    const char *text = (const char *)sqlite3_column_text(statement, i);
    return text ? text : "";
}

static bool check_row(sqlite3_stmt *row, int64_t wanted, const char *head, char hash[65], GError **error)
{
    int64_t seq = sqlite3_column_int64(row, 0);
    if (seq != wanted)
        return error_set(error, ERROR_STORAGE,
                         "the journal has row %" G_GINT64_FORMAT " where %" G_GINT64_FORMAT
                         " belongs: rows are missing",
                         seq, wanted);
    store_hash(column(row, 7), seq, sqlite3_column_int64(row, 1), column(row, 2), column(row, 3),
               sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 5), column(row, 6), hash);
    if (head && strcmp(column(row, 7), head) != 0)
        return error_set(error, ERROR_STORAGE,
                         "row %" G_GINT64_FORMAT " does not follow the row before it: the chain is broken",
                         seq);
    return strcmp(hash, column(row, 8)) == 0 ||
           error_set(error, ERROR_STORAGE,
                     "row %" G_GINT64_FORMAT " was changed: its hash does not fit its content", seq);
}

bool store_check_chain(struct store *store, int64_t from, int64_t *rows, char head[65], GError **error)
{
    sqlite3_stmt *row =
        store_prepare(store, error,
                      "SELECT seq, run, type, boot, now_us, wall_us, payload, prev, hash FROM journal"
                      " WHERE seq >= ? ORDER BY seq",
                      "i", from);
    bool ok = row != NULL;
    int code = SQLITE_DONE;
    *rows = 0;
    g_strlcpy(head, STORE_GENESIS, 65);
    while (ok && (code = sqlite3_step(row)) == SQLITE_ROW) {
        char hash[65];
        bool linked = *rows > 0 || from == 1;
        ok = check_row(row, from + *rows, linked ? head : NULL, hash, error);
        g_strlcpy(head, hash, 65);
        ++*rows;
    }
    if (ok && code != SQLITE_DONE)
        ok = store_broken(store, "journal", error);
    sqlite3_finalize(row);
    return ok;
}

bool store_verify(struct store *store, int64_t *rows, char head[65], GError **error)
{
    int64_t derived;
    bool found;
    if (!store_check_chain(store, 1, rows, head, error) ||
        !store_get_int(
            store, error, &derived, &found,
            "SELECT count(*) FROM run_end e WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.seq = e.seq AND"
            " j.run = e.run AND j.type = 'run_end' AND json_extract(j.payload, '$.verdict') = e.verdict)",
            NULL))
        return false;
    return derived == 0 || error_set(error, ERROR_STORAGE,
                                     "%" G_GINT64_FORMAT " verdicts are not what the journal says", derived);
}

/* Each query counts violations. "store side" marks promises whose other half only the boards themselves can
 * show. */
static const struct {
    const char *id, *promise, *sql;
} invariants[] = {
    {"I1", "a PASS has every step of its recipe ok, in one run, on one board",
     "SELECT count(*) FROM run r JOIN run_end e USING (run) WHERE e.verdict = 'PASS' AND (r.uid IS NULL OR "
     "r.steps <>"
     " (SELECT count(DISTINCT step) FROM step s WHERE s.run = r.run AND s.ok = 1))"},
    {"I2", "one serial number, one board, for ever (store side)",
     "SELECT (SELECT count(*) FROM (SELECT uid FROM serial GROUP BY uid HAVING count(*) > 1)) + (SELECT "
     "count(*) FROM"
     " (SELECT r.sn FROM run r JOIN run_end e USING (run) WHERE e.verdict = 'PASS' GROUP BY r.sn HAVING "
     "count(DISTINCT r.uid) > 1))"},
    {"I3", "no label without a production PASS, and its payload is that unit's number",
     "SELECT count(*) FROM label_job l JOIN run r USING (run) LEFT JOIN run_end e USING (run) WHERE "
     "e.verdict IS NOT 'PASS' OR"
     " r.mode <> 'production' OR json_extract(l.payload, '$.sn') IS NOT r.sn"},
    {"I4", "no identity before the device's bytes were proved",
     "SELECT count(*) FROM fact i JOIN run r USING (run) WHERE i.type = 'intent' AND i.key = 'identity' AND "
     "r.package_sha256 <> ''"
     " AND NOT EXISTS (SELECT 1 FROM fact p WHERE p.run = i.run AND p.type = 'result' AND p.key = 'verify' "
     "AND p.seq < i.seq)"},
    {"I5", "every value of a PASS was read back equal after a restart",
     "SELECT count(*) FROM run_end e WHERE e.verdict = 'PASS' AND EXISTS (SELECT key FROM value w WHERE "
     "w.run = e.run AND"
     " w.stage = 'write' AND w.ok = 1 EXCEPT SELECT key FROM value a WHERE a.run = e.run AND a.stage = "
     "'after-restart' AND a.ok = 1)"},
    {"I6", "nothing was erased before the board was identified",
     "SELECT count(*) FROM fact i WHERE i.type = 'intent' AND i.key = 'erase' AND NOT EXISTS (SELECT 1 FROM "
     "fact d WHERE"
     " d.run = i.run AND d.type = 'identity' AND d.seq < i.seq)"},
    {"I7", "every package used was signed, and its sequence never fell back",
     "SELECT (SELECT count(*) FROM run WHERE package_sha256 <> '' AND package_signer = '') + (SELECT "
     "count(*) FROM run WHERE"
     " mode = 'production' AND release_sha256 = '')"},
    {"I8", "every verdict is a journal row (store side)",
     "SELECT count(*) FROM run_end e WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.seq = e.seq AND "
     "j.type = 'run_end' AND"
     " json_extract(j.payload, '$.verdict') = e.verdict)"},
    {"I9", "every run ended in exactly one way; open are only runs of a station that works now",
     "SELECT max(0, count(*) - 1) FROM run r LEFT JOIN run_end e USING (run) WHERE e.run IS NULL"},
    {"I10", "nothing was updated or deleted: the journal is gapless and its triggers stand",
     "SELECT (SELECT coalesce(max(seq), 0) - count(*) FROM journal) + (SELECT 6 - count(*) FROM "
     "sqlite_schema WHERE type = 'trigger'"
     " AND name IN ('journal_no_update', 'journal_no_delete', 'run_end_no_update', 'run_end_no_delete', "
     "'serial_no_delete',"
     " 'serial_forward'))"},
    {"I11", "no number that was about to be written became free again",
     "SELECT count(*) FROM (SELECT DISTINCT json_extract(payload, '$.sn') AS sn FROM journal WHERE type = "
     "'serial' AND"
     " json_extract(payload, '$.state') = 'WRITE_INTENT') j LEFT JOIN serial s USING (sn) WHERE s.rank IS "
     "NULL OR s.rank < 2"},
    {"I12", "a run was closed as interrupted at most once",
     "SELECT count(*) FROM (SELECT run FROM journal WHERE type = 'run_end' GROUP BY run HAVING count(*) > "
     "1)"},
    {"I13", "after an end nothing more was written to that board in that run",
     "SELECT count(*) FROM journal j JOIN run_end e USING (run) WHERE j.seq > e.seq AND j.type NOT IN "
     "('label')"},
    {"I14",
     "order is the journal's, not the clock's: within one boot of one run the steady clock never runs back",
     "SELECT count(*) FROM (SELECT now_us - lag(now_us) OVER (PARTITION BY run, boot ORDER BY seq) AS passed "
     "FROM journal)"
     " WHERE passed < 0"},
    {"I21", "no empty field was recorded as an identity",
     "SELECT (SELECT count(*) FROM serial WHERE trim(sn, '0') = '' OR trim(upper(sn), 'F') = '' OR trim(uid, "
     "'0') = '' OR"
     " trim(lower(uid), 'f') = '') + (SELECT count(*) FROM run WHERE uid IS NOT NULL AND trim(lower(uid), "
     "'f') = '')"},
};

int store_audit(struct store *store, store_audit_sink sink, void *context, GError **error)
{
    int violated = 0;
    g_autoptr(GError) chain = NULL;
    int64_t rows;
    char head[65];
    for (gsize i = 0; i < G_N_ELEMENTS(invariants); i++) {
        int64_t count;
        bool found;
        if (!store_get_int(store, error, &count, &found, invariants[i].sql, NULL))
            return -1;
        g_autofree char *finding = count ? g_strdup_printf("%" G_GINT64_FORMAT " violations", count) : NULL;
        sink(context, invariants[i].id, invariants[i].promise, count == 0, finding);
        violated += count != 0;
    }
    bool ok = store_verify(store, &rows, head, &chain);
    g_autofree char *shown =
        ok ? g_strdup_printf("%" G_GINT64_FORMAT " rows", rows) : g_strdup(chain->message);
    sink(context, "I10", "the hash chain verifies from the first row", ok, shown);
    return violated + !ok;
}

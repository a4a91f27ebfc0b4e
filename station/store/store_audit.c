/* The hash chain, and the promises that the store's own rows can show. */
#include "station/store/store_parts.h"

#include "station/base/error.h"

#include <string.h>

#define FINDINGS_SHOWN 3

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
                      " WHERE seq >= ? OR ?1 = 1 ORDER BY seq",
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

static bool verify(struct store *store, int64_t *rows, char head[65], GError **error)
{
    return store_check_schema(store, error) && store_check_chain(store, 1, rows, head, error) &&
           store_check_derived(store, error);
}

bool store_verify(struct store *store, int64_t *rows, char head[65], GError **error)
{
    if (!store_exec(store, "BEGIN", error)) /* one snapshot beside a working station */
        return false;
    bool ok = verify(store, rows, head, error);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

/* "store side": the other half of the promise is on the boards, on the screen or in the running station,
 * where rows cannot look. */
static const struct {
    const char *id, *promise;
} promises[] = {
    {"I1", "a PASS has every step of its recipe ended ok, in order, in one run, on one board"},
    {"I2", "one serial number, one board, for ever (store side: what the boards carry is read in each run)"},
    {"I3",
     "no label without a production PASS before it, its payload is that unit's number, and it was confirmed "
     "only by its own scan on its own board"},
    {"I4", "no identity was about to be written before the device's bytes were proved"},
    {"I5", "every value of a PASS was read back equal after a restart (store side: limits are the signed "
           "recipe's)"},
    {"I6", "nothing was about to be erased or written before the board was identified (store side)"},
    {"I7",
     "every package used has a signer, production has a release, and no package fell back (store side)"},
    {"I8", "every verdict is the journal's own row (store side: the screen asks for that row)"},
    {"I9", "no slot went on while a run of it had no end (store side: rest of the bench is the engine's)"},
    {"I10", "the journal is gapless, its rules stand, its chain holds, and all tables follow from it"},
    {"I11", "the database is whole, and no number that was about to be written became free again"},
    {"I12", "a run was closed once, however often the station was started again"},
    {"I13",
     "nothing of a run follows its end (store side: a broken store takes no intent, so no write begins)"},
    {"I14", "order is the journal's, not the wall clock's: in one boot the steady clock never runs back"},
    {"I21", "nothing that an empty field reads as was taken for an identity"},
};

/* The first few findings and their number; NULL when there are none. */
static char *find(const json_t *rows, const char *id)
{
    size_t i, n = 0;
    json_t *row;
    g_autoptr(GString) all = g_string_new(NULL);
    json_array_foreach(rows, i, row)
    {
        const char *finding = json_string_value(json_object_get(row, "finding"));
        if (g_strcmp0(json_string_value(json_object_get(row, "id")), id) != 0 || ++n > FINDINGS_SHOWN)
            continue;
        g_string_append_printf(all, "%s%s", n > 1 ? "; " : "",
                               finding ? finding : "a row that cannot be named");
    }
    if (n > FINDINGS_SHOWN)
        g_string_append_printf(all, "; and %zu more", n - FINDINGS_SHOWN);
    return n ? g_strdup(all->str) : NULL;
}

/* What no query over rows can say. */
static char *find_damage(struct store *store, const char *id)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;
    int64_t rows;
    char head[65];
    if (strcmp(id, "I10") == 0 && !verify(store, &rows, head, &error))
        return g_strdup(error->message);
    if (strcmp(id, "I11") != 0)
        return NULL;
    if (!store_get_text(store, &error, &answer, "PRAGMA integrity_check(1)", NULL))
        return g_strdup(error->message);
    return g_strcmp0(answer, "ok") == 0 ? NULL : g_steal_pointer(&answer);
}

static int audit(struct store *store, bool damage, store_audit_sink sink, void *context, GError **error)
{
    int violated = 0;
    /* One query: the view is long, and preparing it takes more time than running it. */
    json_t *rows = store_rows(store, error, "SELECT id, finding FROM violation", NULL);
    if (!rows)
        return -1;
    for (gsize i = 0; i < G_N_ELEMENTS(promises); i++) {
        g_autofree char *finding = find(rows, promises[i].id);
        if (!finding && damage)
            finding = find_damage(store, promises[i].id);
        sink(context, promises[i].id, promises[i].promise, finding == NULL, finding);
        violated += finding != NULL;
    }
    json_decref(rows);
    return violated;
}

int store_audit(struct store *store, bool damage, store_audit_sink sink, void *context, GError **error)
{
    if (!store_exec(store, "BEGIN", error))
        return -1;
    int violated = audit(store, damage, sink, context, error);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return violated;
}

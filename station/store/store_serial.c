/* Which board a run is on, and which serial number belongs to which board, for ever. */
#include "station/store/store_parts.h"

#include "station/base/error.h"
#include "station/base/words.h"

#include <string.h>

static bool only(const char *text, const char *characters)
{
    return strspn(text, characters) == strlen(text);
}

/* What an empty field reads as must never become somebody's identity. */
bool store_is_sentinel(const char *text)
{
    static const char *const words[] = {"SN",      "S/N",   "NONE",    "NULL",    "N/A",   "TEST",   "NO SN",
                                        "UNKNOWN", "BLANK", "REFUSED", "DEFAULT", "EMPTY", "SERIAL", "TBD"};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_ascii_strcasecmp(text, words[i]) == 0)
            return true;
    return only(text, "0") || only(text, "fF") || only(text, " ") || only(text, "?") || only(text, "-") ||
           only(text, "xX") || only(text, "*");
}

static bool check_sn(const char *sn, GError **error)
{
    size_t n = sn ? strlen(sn) : 0;
    bool printable = n >= 1 && n <= STORE_SN_MAX;
    for (size_t i = 0; printable && i < n; i++)
        printable = sn[i] > 0x20 && sn[i] < 0x7f;
    g_autofree char *shown = words_shown(sn ? sn : "");
    if (!printable)
        return error_set(error, ERROR_RULE,
                         "%s is no serial number: 1 to %d printable ASCII characters without blanks", shown,
                         STORE_SN_MAX);
    return !store_is_sentinel(sn) ||
           error_set(error, ERROR_RULE, "%s is what an empty field looks like, not a serial number", shown);
}

static bool check_uid(const char *uid, GError **error)
{
    g_autofree char *shown = words_shown(uid ? uid : "");
    return (uid && *uid && !store_is_sentinel(uid)) ||
           error_set(error, ERROR_RULE,
                     "the board's unique id reads as %s, which is no identity: the board cannot be told from "
                     "others",
                     shown);
}

bool store_serial_check(struct store *store, const char *sn, GError **error)
{
    sqlite3_stmt *row;
    bool ok = true;
    if (!check_sn(sn, error) ||
        !(row = store_prepare(
              store, error,
              "SELECT s.state, s.uid, e.ended_us FROM serial s LEFT JOIN run_end e ON e.run = s.run"
              " WHERE s.sn = ? AND s.state IN ('CONSUMED', 'BURNED')",
              "s", sn)))
        return false;
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(row, 0), "BURNED") == 0) {
        ok = error_set(error, ERROR_RULE, "serial number %s is burned: it is never used again", sn);
    } else if (code == SQLITE_ROW) {
        g_autofree char *when = tick_format_utc(sqlite3_column_int64(row, 2));
        ok = error_set(
            error, ERROR_RULE,
            "serial number %s belongs to the board with unique id %s, which passed at %.19sZ: it is never "
            "used again",
            sn, (const char *)sqlite3_column_text(row, 1), when);
    } else if (code != SQLITE_DONE) {
        ok = store_broken(store, "journal", error);
    }
    sqlite3_finalize(row);
    return ok;
}

/* A board that already passed in production is not made a second time. */
static bool check_unit(struct store *store, const char *uid, GError **error)
{
    bool ok = true;
    sqlite3_stmt *row =
        store_prepare(store, error,
                      "SELECT u.sn, u.run, e.ended_us FROM unit u JOIN run_end e ON e.run = u.run"
                      " WHERE u.uid = ?",
                      "s", uid);
    if (!row)
        return false;
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        g_autofree char *when = tick_format_utc(sqlite3_column_int64(row, 2));
        ok = error_set(error, ERROR_RULE,
                       "this board already passed as %s at %.19sZ (run %" G_GINT64_FORMAT
                       "): rework is not this station's right, take it to quality",
                       (const char *)sqlite3_column_text(row, 0), when, (gint64)sqlite3_column_int64(row, 1));
    } else if (code != SQLITE_DONE) {
        ok = store_broken(store, "journal", error);
    }
    sqlite3_finalize(row);
    return ok;
}

/* One board a run; a claim for a second one means that the board was swapped. */
static bool check_run_unit(struct store *store, int64_t run, const char *uid, GError **error)
{
    g_autofree char *bound = NULL;
    if (!store_get_text(store, error, &bound, "SELECT uid FROM run WHERE run = ?", "i", run))
        return false;
    return !bound || strcmp(bound, uid) == 0 ||
           error_set(error, ERROR_RULE,
                     "run %" G_GINT64_FORMAT " is on the board %s, not on %s: the board was swapped", run,
                     bound, uid);
}

static bool claim_unit(struct store *store, int64_t run, const char *uid, GError **error)
{
    return check_unit(store, uid, error) &&
           store_record_own(store, run, "claim",
                            json_pack("{s:s,s:I,s:s,s:s}", "event", "claim", "run", (json_int_t)run,
                                      "station", store->station, "unique_id", uid),
                            error);
}

static bool check_pair(struct store *store, int64_t run, const char *uid, const char *sn, int64_t *rank,
                       GError **error)
{
    g_autofree char *owner = NULL, *other = NULL, *wanted = NULL;
    bool found;
    if (!store_get_text(store, error, &owner, "SELECT uid FROM serial WHERE sn = ?", "s", sn) ||
        !store_get_text(store, error, &other, "SELECT sn FROM serial WHERE uid = ? AND state <> 'BURNED'",
                        "s", uid) ||
        !store_get_text(store, error, &wanted, "SELECT sn FROM run WHERE run = ?", "i", run) ||
        !store_get_int(store, error, rank, &found, "SELECT rank FROM serial WHERE sn = ?", "s", sn))
        return false;
    if (strcmp(wanted, sn) != 0)
        return error_set(error, ERROR_RULE, "this run is for serial number %s, not for %s", wanted, sn);
    if (owner && strcmp(owner, uid) != 0)
        return error_set(
            error, ERROR_RULE,
            "serial number %s belongs to the board with unique id %s, not to this one (%s): scan this "
            "board's own number",
            sn, owner, uid);
    if (other && strcmp(other, sn) != 0)
        return error_set(error, ERROR_RULE, "this board already has serial number %s: scan that one", other);
    return true;
}

/* RESERVED → WRITE_INTENT → ON_BOARD, none left out; the same again is fine and says so in the journal. */
static bool claim_serial(struct store *store, int64_t run, enum desk_claim claim, const char *uid,
                         const char *sn, GError **error)
{
    static const struct {
        const char *state;
        int64_t needed; /* rank before */
    } steps[] = {[CLAIM_SERIAL] = {"RESERVED", 0},
                 [CLAIM_SERIAL_INTENT] = {"WRITE_INTENT", 1},
                 [CLAIM_SERIAL_ON_BOARD] = {"ON_BOARD", 2}};
    int64_t rank;
    if (!check_sn(sn, error) || !store_serial_check(store, sn, error) ||
        !check_pair(store, run, uid, sn, &rank, error))
        return false;
    if (rank < steps[claim].needed)
        return error_set(error, ERROR_INTERNAL, "serial number %s cannot become %s before it was claimed", sn,
                         steps[claim].state);
    return store_record_own(store, run, "serial",
                            json_pack("{s:s,s:I,s:s,s:s,s:s,s:s}", "event", "serial", "run", (json_int_t)run,
                                      "station", store->station, "sn", sn, "unique_id", uid, "state",
                                      steps[claim].state),
                            error);
}

/* Nothing but the number tells such boards apart, so one that may be on a board already is not given to a
 * blank one. */
static bool claim_blank(struct store *store, int64_t run, const char *sn, int64_t rank_max, GError **error)
{
    int64_t rank = 0, by = 0;
    bool found;
    if (!check_sn(sn, error) ||
        !store_get_int(store, error, &rank, &found, "SELECT rank FROM serial WHERE sn = ?", "s", sn) ||
        !store_get_int(store, error, &by, &found, "SELECT run FROM serial WHERE sn = ?", "s", sn))
        return false;
    return !found || rank <= rank_max || by == run ||
           error_set(error, ERROR_RULE,
                     rank > 2 ? "serial number %s was written to a board in run %" G_GINT64_FORMAT
                                ", and the board in the slot carries none: put that board in, or burn the "
                                "number and scan another"
                              : "serial number %s was about to be written when run %" G_GINT64_FORMAT
                                " ended, and the board in the slot carries none",
                     sn, by);
}

bool store_claim(struct store *store, int64_t run, enum desk_claim claim, const char *unique_id,
                 const char *sn, GError **error)
{
    if (!store_ready(store, error) || !store_run_open(store, run, error) || !check_uid(unique_id, error) ||
        !check_run_unit(store, run, unique_id, error))
        return false;
    return claim == CLAIM_UNIT             ? claim_unit(store, run, unique_id, error)
           : claim == CLAIM_SERIAL_BLANK   ? claim_blank(store, run, sn, 1, error)
           : claim == CLAIM_SERIAL_RESUMED ? claim_blank(store, run, sn, 2, error)
                                           : claim_serial(store, run, claim, unique_id, sn, error);
}

bool store_serial_burn(struct store *store, const char *sn, const char *reason, GError **error)
{
    g_autofree char *uid = NULL;
    if (!store_ready(store, error) || !store_serial_check(store, sn, error) ||
        !store_get_text(store, error, &uid, "SELECT uid FROM serial WHERE sn = ?", "s", sn))
        return false;
    if (!uid)
        return error_set(error, ERROR_ABSENT, "serial number %s was never given to a board", sn);
    return store_record_own(store, 0, "serial",
                            json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "event", "serial", "station",
                                      store->station, "sn", sn, "unique_id", uid, "state", "BURNED", "text",
                                      reason),
                            error);
}

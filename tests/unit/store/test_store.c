/* The journal: what it promises, under tampering, killing and a full disk. */
#include "tests/unit/store/day.h"

#include "station/base/error.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_pass(void)
{
    struct day f;
    GError *error = NULL;
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    day_audit(&f);
    day_reopen(&f);
    day_audit(&f);
    json_t *record = store_records_show(f.store, "SN1", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(json_array_size(json_object_get(record, "unit")), ==, 1);
    json_decref(record);
    g_assert_null(store_records_show(f.store, "SN2", &error));
    g_assert_error(error, PACK_ERROR, ERROR_ABSENT);
    g_clear_error(&error);
    day_tear_down(&f);
}

/* A PASS that the journal cannot show is refused, and the run still ends some other way. */
static void test_unproved_pass(void)
{
    for (int lack = STEP; lack <= RESULT; lack++) {
        struct day f;
        g_autoptr(GError) error = NULL;
        day_set_up(&f);
        day_unit(&f, "SN1", UID_A, (enum lack)lack, true);
        g_assert_false(day_end(&f, VERDICT_PASS, &error));
        g_assert_error(error, PACK_ERROR, ERROR_INTERNAL);
        g_clear_error(&error);
        g_assert_true(day_end(&f, VERDICT_FAIL, &error));
        json_t *row = store_run_json(f.store, f.run, NULL);
        g_assert_cmpstr(json_string_value(json_object_get(row, "verdict")), ==, "FAIL");
        json_decref(row);
        day_tear_down(&f);
    }
}

static bool claim(struct day *f, enum desk_claim what, const char *uid, const char *sn)
{
    g_autoptr(GError) error = NULL;
    bool ok = store_claim(f->store, f->run, what, uid, sn, &error);
    if (!ok)
        g_assert_error(error, PACK_ERROR, ERROR_RULE);
    return ok;
}

/* A board whose number was written in a run that failed gets that number again, and no other one. */
static void test_second_number(void)
{
    struct day f;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    g_assert_true(claim(&f, CLAIM_UNIT, UID_A, NULL));
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_INTENT, UID_A, "SN1"));
    g_assert_true(day_end(&f, VERDICT_FAIL, NULL));
    day_begin(&f, "SN2", true);
    g_assert_true(claim(&f, CLAIM_UNIT, UID_A, NULL));
    g_assert_false(claim(&f, CLAIM_SERIAL, UID_A, "SN2"));
    g_assert_true(day_end(&f, VERDICT_FAIL, NULL));
    day_audit(&f);
    day_tear_down(&f);
}

/* The newest first, as the journal has it, though the wall clock was set back in between. */
static void test_order(void)
{
    struct day f;
    const struct store_filter filter = {.limit = 2};
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    f.clock.wall_minus_now -= TICK_S(86400);
    day_pass(&f, "SN2", UID_B);
    json_t *rows = store_records_list(f.store, &filter, NULL);
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(rows, 0), "sn")), ==, "SN2");
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(rows, 1), "sn")), ==, "SN1");
    json_decref(rows);
    day_audit(&f);
    day_tear_down(&f);
}

static void test_one_end(void)
{
    struct day f;
    g_autoptr(GError) error = NULL;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    g_assert_true(day_end(&f, VERDICT_FAIL, &error));
    g_assert_false(day_end(&f, VERDICT_PASS, &error));
    day_tear_down(&f);
}

static void test_serials(void)
{
    static const char *const sentinels[] = {"",          "0000", "FFFFFFFF",
                                            "ffff",      "SN",   "unknown",
                                            "has blank", "\x01", "0123456789012345678901234567890"};
    struct day f;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    for (gsize i = 0; i < G_N_ELEMENTS(sentinels); i++)
        g_assert_false(claim(&f, CLAIM_SERIAL, UID_A, sentinels[i]));
    g_assert_false(claim(&f, CLAIM_UNIT, "000000000000000000000000", NULL));
    g_assert_false(claim(&f, CLAIM_UNIT, "ffffffffffffffffffffffff", NULL));
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));  /* the same board again */
    g_assert_false(claim(&f, CLAIM_SERIAL, UID_B, "SN1")); /* another board */
    g_assert_false(claim(&f, CLAIM_SERIAL, UID_A, "SN2")); /* another number */
    g_assert_true(claim(&f, CLAIM_SERIAL_INTENT, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1")); /* going on never goes back */
    day_reopen(&f);
    sqlite3 *db;
    sqlite3_stmt *row;
    g_autofree char *path = g_build_filename(f.folder, "station.db", NULL);
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_prepare_v2(db, "SELECT state FROM serial", -1, &row, NULL), ==, SQLITE_OK);
    g_assert_cmpint(sqlite3_step(row), ==, SQLITE_ROW);
    g_assert_cmpstr((const char *)sqlite3_column_text(row, 0), ==, "WRITE_INTENT");
    sqlite3_finalize(row);
    g_assert_cmpint(sqlite3_exec(db, "UPDATE serial SET state = 'RESERVED', rank = 1", NULL, NULL, NULL), !=,
                    SQLITE_OK);
    g_assert_cmpint(sqlite3_exec(db, "DELETE FROM serial", NULL, NULL, NULL), !=, SQLITE_OK);
    sqlite3_close(db);
    day_tear_down(&f);
}

/* Reserved only: the end of the run frees it. About to be written: never again. */
static void test_mis_scan(void)
{
    struct day f;
    GError *error = NULL;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(day_end(&f, VERDICT_FAIL, &error));
    day_begin(&f, "SN1", true);
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_B, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_INTENT, UID_B, "SN1"));
    day_reopen(&f);
    day_begin(&f, "SN1", true);
    g_assert_false(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_B, "SN1"));
    g_assert_true(day_end(&f, VERDICT_FAIL, &error));
    day_begin(&f, "SN1", true);
    g_assert_false(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(day_end(&f, VERDICT_FAIL, &error));
    day_audit(&f);
    day_tear_down(&f);
}

/* A board without an identity that carries no number gets none that may be on another one. */
static void test_blank_board(void)
{
    struct day f;
    GError *error = NULL;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_BLANK, UID_A, "SN1")); /* reserved is not written */
    g_assert_true(claim(&f, CLAIM_SERIAL_INTENT, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_BLANK, UID_A, "SN1")); /* the same run again */
    g_assert_true(day_end(&f, VERDICT_FAIL, &error));
    day_begin(&f, "SN1", true);
    g_assert_false(claim(&f, CLAIM_SERIAL_BLANK, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_RESUMED, UID_A, "SN1")); /* when the operator says so */
    g_assert_true(claim(&f, CLAIM_SERIAL, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_INTENT, UID_A, "SN1"));
    g_assert_true(claim(&f, CLAIM_SERIAL_ON_BOARD, UID_A, "SN1"));
    g_assert_true(day_end(&f, VERDICT_FAIL, &error));
    day_begin(&f, "SN1", true);
    g_assert_false(claim(&f, CLAIM_SERIAL_BLANK, UID_A, "SN1"));
    g_assert_false(claim(&f, CLAIM_SERIAL_RESUMED, UID_A, "SN1")); /* it was read back on a board */
    day_tear_down(&f);
}

static void test_passed_board(void)
{
    struct day f;
    g_autoptr(GError) error = NULL;
    day_set_up(&f);
    day_pass(&f, "SN1", UID_A);
    g_assert_false(store_serial_check(f.store, "SN1", &error));
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    day_begin(&f, "SN2", true);
    g_assert_false(claim(&f, CLAIM_UNIT, UID_A, NULL));
    day_tear_down(&f);
}

static void test_trial(void)
{
    struct day f;
    GError *error = NULL;
    int64_t job;
    day_set_up(&f);
    day_unit(&f, "SN1", UID_A, NOTHING, false);
    g_assert_true(day_end(&f, VERDICT_PASS, &error));
    g_assert_false(
        store_label_queue(f.store, f.run, "{\"sn\":\"SN1\"}", &job, &error)); /* no label for a trial */
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    day_pass(&f, "SN1", UID_A); /* the same board may become a unit */
    day_audit(&f);
    day_tear_down(&f);
}

static void test_busy(void)
{
    struct day f;
    g_autoptr(GError) error = NULL;
    day_set_up(&f);
    g_assert_null(store_open(f.folder, "other", &f.clock.tick, &error));
    g_assert_error(error, PACK_ERROR, ERROR_BUSY);
    g_autofree char *pid = g_strdup_printf("%d", (int)getpid());
    g_assert_nonnull(strstr(error->message, pid));
    day_tear_down(&f);
}

static void test_interrupted(void)
{
    struct day f;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    day_must(&f, day_event(&f, EVENT_STEP_BEGIN, 0));
    for (int i = 0; i < 3; i++) { /* recovery again and again changes nothing more */
        day_reopen(&f);
        json_t *row = store_run_json(f.store, f.run, NULL);
        g_assert_cmpstr(json_string_value(json_object_get(row, "verdict")), ==, "INTERRUPTED");
        g_assert_nonnull(strstr(json_string_value(json_object_get(row, "failure")), "flash"));
        json_decref(row);
        day_audit(&f);
    }
    day_tear_down(&f);
}

/* A child that is killed: what it acknowledged through the pipe is there afterwards. */
static void test_killed(void)
{
    for (int kill_after = 1; kill_after <= 40; kill_after += 3) {
        struct day f;
        int pipes[2], status, acknowledged = 0;
        char byte;
        day_set_up(&f);
        store_close(f.store);
        g_assert_cmpint(pipe(pipes), ==, 0);
        pid_t child = fork();
        if (child == 0) {
            f.store = store_open(f.folder, "test", &f.clock.tick, NULL);
            day_begin(&f, "SN1", true);
            for (int i = 0; i < 1000; i++) {
                day_fact(&f, EVENT_NOTE, "n");
                if (write(pipes[1], "x", 1) != 1)
                    _exit(1);
            }
            _exit(0);
        }
        close(pipes[1]);
        while (acknowledged < kill_after && read(pipes[0], &byte, 1) == 1)
            acknowledged++;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        while (read(pipes[0], &byte, 1) == 1)
            acknowledged++;
        close(pipes[0]);
        f.clock.now += TICK_S(60); /* the child's steady clock ran on */
        f.store = store_open(f.folder, "test", &f.clock.tick, NULL);
        g_assert_nonnull(f.store);
        int64_t rows;
        char head[65];
        g_assert_true(store_verify(f.store, &rows, head, NULL));
        g_assert_cmpint(rows, >=, acknowledged + 1);
        day_audit(&f);
        day_tear_down(&f);
    }
}

static void tamper(const char *folder, const char *sql)
{
    g_autofree char *path = g_build_filename(folder, "station.db", NULL);
    g_autofree char *all =
        g_strconcat("DROP TRIGGER journal_no_update; DROP TRIGGER journal_no_delete;", sql, NULL);
    sqlite3 *db;
    char *text = NULL;
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    sqlite3_exec(db, all, NULL, NULL, &text);
    g_assert_cmpstr(text, ==, NULL);
    sqlite3_close(db);
}

static void test_tampering(void)
{
    static const char *const deeds[] = {
        "UPDATE journal SET payload = replace(payload, 'SN1', 'SN9') WHERE seq = 1",
        "UPDATE journal SET wall_us = wall_us + 1 WHERE seq = 5",
        "UPDATE journal SET now_us = now_us + 1 WHERE seq = 5",
        "UPDATE journal SET type = 'note' WHERE seq = 4",
        "UPDATE journal SET run = 2 WHERE seq = 6",
        "DELETE FROM journal WHERE seq = 3",
        "DELETE FROM journal WHERE seq = 1",
        "UPDATE journal SET seq = -1 WHERE seq = 4; UPDATE journal SET seq = 4 WHERE seq = 5; UPDATE journal "
        "SET seq = 5 WHERE seq = -1",
        "INSERT INTO journal SELECT max(seq) + 1, 1, 'note', boot, 1, 1, '{}', hash, 'x' FROM journal WHERE "
        "seq = (SELECT max(seq) FROM journal)",
        "UPDATE value SET found = '3.75 V'",
        "UPDATE step SET text = 'nothing to see'",
        "UPDATE run SET operator = 'somebody else'",
        "DELETE FROM value WHERE seq = (SELECT max(seq) FROM value)",
        "UPDATE serial SET state = 'BURNED', rank = 5",
        "CREATE TRIGGER quiet AFTER INSERT ON journal BEGIN UPDATE run SET operator = 'x'; END",
        "DROP TRIGGER run_end_no_update; UPDATE run_end SET verdict = 'FAIL'",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(deeds); i++) {
        struct day f;
        g_autoptr(GError) error = NULL;
        int64_t rows;
        char head[65];
        day_set_up(&f);
        day_pass(&f, "SN1", UID_A);
        store_close(f.store);
        tamper(f.folder, deeds[i]);
        f.store = store_open_reader(f.folder, &error);
        g_assert_no_error(error);
        if (store_verify(f.store, &rows, head, &error))
            g_error("not seen: %s", deeds[i]);
        g_assert_error(error, PACK_ERROR, ERROR_STORAGE);
        day_tear_down(&f);
    }
}

/* A full disk: an error, and after it nothing more is taken, until a restart on a good disk. */
static void test_full(void)
{
    struct day f;
    struct rlimit old, small;
    g_autoptr(GError) error = NULL;
    unsigned written = 0;
    day_set_up(&f);
    day_begin(&f, "SN1", true);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){700000, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    while (written < 5000) {
        struct event note = day_event(&f, EVENT_NOTE, 0);
        note.text = "a sentence that takes some room on the disk, again and again";
        if (!day_post(&f, note, &error))
            break;
        written++;
    }
    g_assert_error(error, PACK_ERROR, ERROR_STORAGE);
    setrlimit(RLIMIT_FSIZE, &old);
    g_clear_error(&error);
    g_assert_false(day_post(&f, day_event(&f, EVENT_INTENT, 0), &error)); /* room again, but no more trust */
    g_assert_error(error, PACK_ERROR, ERROR_STORAGE);
    day_reopen(&f);
    day_audit(&f);
    int64_t rows;
    char head[65];
    g_assert_true(store_verify(f.store, &rows, head, NULL));
    g_assert_cmpint(rows, >=, written + 1);
    day_tear_down(&f);
}

static void test_sequence(void)
{
    struct day f;
    g_autoptr(GError) error = NULL;
    int64_t newest;
    day_set_up(&f);
    g_assert_true(store_sequence_newest(f.store, "P", &newest, &error));
    g_assert_cmpint(newest, ==, 0);
    g_assert_true(store_sequence_accept(f.store, "P", 7, "h", &error));
    g_assert_true(store_sequence_accept(f.store, "P", 7, "h", &error));
    g_assert_true(store_sequence_accept(f.store, "Q", 1, "h", &error));
    g_assert_false(store_sequence_accept(f.store, "P", 6, "h", &error));
    g_assert_error(error, PACK_ERROR, ERROR_TRUST);
    day_reopen(&f);
    g_clear_error(&error);
    g_assert_true(store_sequence_newest(f.store, "P", &newest, &error));
    g_assert_cmpint(newest, ==, 7);
    day_tear_down(&f);
}

static void test_csv(void)
{
    struct day f;
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    size_t n;
    day_set_up(&f);
    day_begin(&f, "=SUM(A1)", true);
    struct event event = day_event(&f, EVENT_RUN_END, -1);
    event.verdict = VERDICT_FAIL;
    event.text = "says \"no\", twice\nover";
    day_must(&f, event);
    FILE *out = open_memstream(&text, &n);
    g_assert_true(store_export_csv(f.store, &(struct store_filter){0}, out, &error));
    fclose(out);
    g_assert_nonnull(strstr(text, "\"'=SUM(A1)\""));
    g_assert_nonnull(strstr(text, "\"says \"\"no\"\", twice\nover\""));
    g_assert_true(g_str_has_suffix(text, "\r\n"));
    free(text);
    day_tear_down(&f);
}

static void test_keep_file(void)
{
    struct day f;
    GError *error = NULL;
    char sha256[65], again[65];
    g_autoptr(GBytes) bytes = g_bytes_new_static("recipe", 6);
    day_set_up(&f);
    g_assert_true(store_keep_file(f.store, "recipe", bytes, sha256, &error));
    g_autofree char *path = g_strdup_printf("%s/files/%.2s/%s", f.folder, sha256, sha256);
    g_chmod(path, 0600);
    g_assert_true(g_file_set_contents(path, "forged", 6, NULL));
    g_assert_true(store_keep_file(f.store, "recipe", bytes, again, &error)); /* a forged copy is replaced */
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "recipe");
    g_assert_cmpstr(sha256, ==, again);
    day_tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/pass", test_pass);
    g_test_add_func("/store/unproved-pass", test_unproved_pass);
    g_test_add_func("/store/second-number", test_second_number);
    g_test_add_func("/store/order", test_order);
    g_test_add_func("/store/one-end", test_one_end);
    g_test_add_func("/store/serials", test_serials);
    g_test_add_func("/store/mis-scan", test_mis_scan);
    g_test_add_func("/store/blank-board", test_blank_board);
    g_test_add_func("/store/passed-board", test_passed_board);
    g_test_add_func("/store/trial", test_trial);
    g_test_add_func("/store/busy", test_busy);
    g_test_add_func("/store/interrupted", test_interrupted);
    g_test_add_func("/store/killed", test_killed);
    g_test_add_func("/store/tampering", test_tampering);
    g_test_add_func("/store/full", test_full);
    g_test_add_func("/store/sequence", test_sequence);
    g_test_add_func("/store/csv", test_csv);
    g_test_add_func("/store/keep-file", test_keep_file);
    return g_test_run();
}

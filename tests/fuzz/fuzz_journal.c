/* A journal that somebody else wrote: rows of any content with hashes that fit, and tables that were filled
 * past the rules. Reading, auditing and opening it end with findings, never with a crash.
 *
 * One row a line, words parted by tabs: RUN TYPE PAYLOAD into the journal, or "=TABLE" and its columns into a
 * table. */
#include "tests/fuzz/fuzz.h"

#include "station/base/error.h"
#include "station/store/store_disk.h"
#include "station/store/store_parts.h"

#include <stdlib.h>

#define ROWS    24
#define COLUMNS 32

static struct store_disk *disk;
static struct store_disk_image *empty;
static struct tick_virtual clock_of_journal;

static struct store *open_journal(void)
{
    g_autoptr(GError) error = NULL;
    struct store *store = store_open(fuzz_folder(), "fuzz", &clock_of_journal.tick, &error);
    g_assert_true((store == NULL) == (error != NULL));
    return store;
}

static void prepare(void)
{
    tick_virtual_init(&clock_of_journal, INT64_C(1795000000000000));
    disk = store_disk_new(1);
    struct store *store = open_journal();
    g_assert_nonnull(store);
    store_close(store);
    empty = store_disk_save(disk);
}

static void add_row(struct store *store, char **words)
{
    sqlite3_stmt *insert = NULL;
    char hash[65];
    int64_t run = g_ascii_strtoll(words[0], NULL, 10);
    const char *type = words[1] ? words[1] : "", *payload = words[1] && words[2] ? words[2] : "";
    store_hash(store->head, store->seq + 1, run, type, "boot", store->seq, 0, payload, hash);
    g_assert_cmpint(sqlite3_prepare_v2(store->db, "INSERT INTO journal VALUES (?,?,?,'boot',?,0,?,?,?)", -1,
                                       &insert, NULL),
                    ==, SQLITE_OK);
    sqlite3_bind_int64(insert, 1, store->seq + 1);
    sqlite3_bind_int64(insert, 2, run);
    sqlite3_bind_text(insert, 3, type, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, store->seq);
    sqlite3_bind_text(insert, 5, payload, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 6, store->head, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 7, hash, -1, SQLITE_STATIC);
    if (sqlite3_step(insert) == SQLITE_DONE) {
        store->seq++;
        g_strlcpy(store->head, hash, sizeof store->head);
    }
    sqlite3_finalize(insert);
}

/* Words that are numbers become numbers, empty ones NULL. */
static void fill_table(struct store *store, char **words)
{
    static const char *const tables[] = {"run",       "run_end",          "step",   "fact",
                                         "value",     "measurement",      "serial", "unit",
                                         "label_job", "package_sequence", "file",   "journal"};
    g_autoptr(GString) sql = g_string_new("INSERT INTO ");
    sqlite3_stmt *insert = NULL;
    guint n = g_strv_length(words) - 1;
    g_string_append_printf(sql, "%s VALUES (?", tables[(unsigned char)words[0][1] % G_N_ELEMENTS(tables)]);
    for (guint i = 1; i < n; i++)
        g_string_append(sql, ",?");
    g_string_append_c(sql, ')');
    if (n < 1 || sqlite3_prepare_v2(store->db, sql->str, -1, &insert, NULL) != SQLITE_OK)
        return;
    for (guint i = 0; i < n; i++) {
        char *end = NULL, *word = words[i + 1];
        int64_t number = g_ascii_strtoll(word, &end, 10);
        if (*word && *end == '\0')
            sqlite3_bind_int64(insert, (int)i + 1, number);
        else if (*word)
            sqlite3_bind_text(insert, (int)i + 1, word, -1, SQLITE_STATIC);
    }
    sqlite3_step(insert);
    sqlite3_finalize(insert);
}

static void write_rows(struct store *store, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", ROWS);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, "\t", COLUMNS);
        bool table = words[0] && words[0][0] == '=';
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, !table, NULL);
        sqlite3_exec(store->db,
                     table ? "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF"
                           : "PRAGMA ignore_check_constraints = OFF; PRAGMA foreign_keys = ON",
                     NULL, NULL, NULL);
        if (table)
            fill_table(store, words);
        else if (words[0])
            add_row(store, words);
    }
}

static void hear(void *context, const char *id, const char *promise, bool ok, const char *finding)
{
    (void)context;
    g_assert_true(id && promise && ok == (finding == NULL));
}

static void read_all(struct store *store, bool damage)
{
    const struct store_filter any = {.limit = -1};
    g_autoptr(GError) error = NULL;
    char head[65];
    int64_t rows;
    json_t *list = store_records_list(store, &any, &error), *row;
    size_t i;
    g_assert_true(list || error);
    json_array_foreach(list, i, row)
    {
        const char *sn = json_string_value(json_object_get(row, "sn"));
        json_decref(store_records_show(store, sn ? sn : "", NULL));
        json_decref(store_run_json(store, json_integer_value(json_object_get(row, "run")), NULL));
    }
    json_decref(list);
    FILE *out = fopen("/dev/null", "w");
    g_assert_true(store_export_csv(store, &any, out, NULL) || error);
    fclose(out);
    g_clear_error(&error);
    if (damage) { /* verifies too */
        int violated = store_audit(store, true, hear, NULL, &error);
        g_assert_true(violated >= 0 || error);
        return;
    }
    bool good = store_verify(store, &rows, head, &error);
    g_assert_true(good == (error == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    if (!disk)
        prepare();
    store_disk_load(disk, empty);
    struct store *store = open_journal();
    write_rows(store, text);
    store_close(store);
    store = store_open_reader(fuzz_folder(), NULL);
    if (store)
        read_all(store, size % 2 == 0);
    store_close(store);
    store = open_journal(); /* closes runs left open, or refuses */
    if (store) {
        json_decref(store_run_json(store, 1, NULL));
        store_close(store);
    }
    return 0;
}

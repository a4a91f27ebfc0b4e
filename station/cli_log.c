/* board log: what a board remembers. */
#include "station/cli_session.h"

#include "station/base/error.h"

#include <signal.h>

extern const struct cli_verb cli_log_verbs[];

static void print_record(const struct cli_input *input, const struct board_record *record)
{
    g_autofree char *when = tick_format_utc(record->wall_us);
    if (record->event_only && input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:I,s:s,s:s}}", "v", 1, "type", "info", "data", "id",
                                 (json_int_t)record->id, "time", when, "what", record->what));
    else if (record->event_only)
        printf("%6u  %.19s  %s\n", record->id, when, record->what);
    if (record->event_only)
        return;
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:I,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I}}", "v", 1, "type", "info",
                                 "data", "id", (json_int_t)record->id, "time", when, "what", record->what,
                                 "pack_mv", (json_int_t)record->pack_mv, "current_ma",
                                 (json_int_t)record->current_ma, "soc_ppc", (json_int_t)record->soc_ppc,
                                 "cell_min_mv", (json_int_t)record->cell_min_mv, "cell_max_mv",
                                 (json_int_t)record->cell_max_mv, "temperature_max_mdeg",
                                 (json_int_t)record->temperature_max_mdeg));
    else
        printf("%6u  %.19s  %-16s  %7.2f V  %8.2f A  %3.0f %%  %lld mV  %lld mV  %5.1f °C\n", record->id,
               when, record->what, (double)record->pack_mv / 1e3, (double)record->current_ma / 1e3,
               (double)record->soc_ppc / 1e3, (long long)record->cell_min_mv, (long long)record->cell_max_mv,
               (double)record->temperature_max_mdeg / 1e3);
}

/* A reading that may end before the log does. */
struct reading {
    const struct cli_input *input;
    guint64 wanted, done; /* wanted 0 = all */
    bool enough;
};

/* Stopped between two records, so that the board hears of the end. */
static bool take_record(void *context, const struct board_record *record, GError **error)
{
    struct reading *reading = context;
    sigset_t pending;
    print_record(reading->input, record);
    reading->enough = ++reading->done == reading->wanted;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGINT))
        return error_set(error, ERROR_CANCELLED,
                         "stopped after %" G_GUINT64_FORMAT " records: the board keeps all", reading->done);
    return !reading->enough || error_set(error, ERROR_CANCELLED, "enough");
}

/* The log as a file, with the numbers of the board it comes from. */
struct kept {
    GString *text;
    char serial[PROFILE_LENGTH_MAX + 1], barcode[PROFILE_LENGTH_MAX + 1];
    unsigned records;
};

static bool keep_record(void *context, const struct board_record *record, GError **error)
{
    (void)error;
    struct kept *kept = context;
    g_autofree char *when = tick_format_utc(record->wall_us);
    g_autofree char *what = g_strdelimit(g_strdup(record->what), ",\"\n", ' ');
    g_string_append_printf(kept->text, "%u,%s,%s,%s,%s", record->id, when, what, kept->barcode, kept->serial);
    if (record->event_only)
        g_string_append(kept->text, ",,,,,,,\n");
    else
        g_string_append_printf(kept->text,
                               ",%u,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%.3f,%" G_GINT64_FORMAT
                               ",%" G_GINT64_FORMAT ",%.1f\n",
                               record->cells, record->pack_mv, record->current_ma,
                               (double)record->soc_ppc / 1e3, record->cell_max_mv, record->cell_min_mv,
                               (double)record->temperature_max_mdeg / 1e3);
    kept->records++;
    return true;
}

static bool board_text(struct session *session, const char *key, char text[PROFILE_LENGTH_MAX + 1],
                       GError **error)
{
    const struct profile_item *item = profile_item_find(session->profile, key);
    struct item_value value = {0};
    if (!item)
        return true;
    if (!board_read_item(session->board, item, &value, error))
        return false;
    g_strlcpy(text, value.absent ? "" : value.text, PROFILE_LENGTH_MAX + 1);
    g_strdelimit(text, ",\"\n", ' ');
    return true;
}

/* Kept only when it was read to the board's own end. */
static bool keep_log(struct session *session, const char *path, GError **error)
{
    g_autoptr(GString) text = g_string_new(
        "id,time,what,pcb_barcode,serial_number,cells,pack_mv,current_ma,soc,cell_max_mv,cell_min_mv,"
        "temperature_max\n");
    struct kept kept = {.text = text};
    g_autoptr(GError) failure = NULL;
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return error_set(error, ERROR_USAGE, "%s is there already: nothing is written over it", path);
    if (!board_text(session, session->profile->serial_item, kept.serial, error) ||
        !board_text(session, session->profile->barcode_item, kept.barcode, error) ||
        !board_history_read(session->board, keep_record, &kept, error))
        return false;
    if (!g_file_set_contents_full(path, text->str, (gssize)text->len,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
                                  &failure))
        return error_set(error, ERROR_STORAGE, "%s", failure->message);
    printf("%u records in %s\n", kept.records, path);
    return true;
}

/* A log is erased only behind its export, which went to its own end. */
static bool erase_log(const struct cli_input *input, struct session *session, GError **error)
{
    const char *path = cli_get(input, "keep");
    if (!path)
        return error_set(error, ERROR_USAGE, "--erase needs --keep FILE: the log is read into it first");
    if (!board_history_can_erase(session->board, error) || !board_may_act(session->board, error) ||
        !keep_log(session, path, error) || !board_history_erase(session->board, error))
        return false;
    puts("the board's log is erased");
    return true;
}

static bool board_log_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct reading reading = {.input = input};
    sigset_t stop;
    g_autoptr(GError) failure = NULL;
    const char *count = cli_get(input, "count");
    session->board->alarm_log = cli_has(input, "alarms");
    if (cli_has(input, "erase"))
        return erase_log(input, session, error);
    if (cli_has(input, "keep"))
        return keep_log(session, cli_get(input, "keep"), error);
    if (count && !g_ascii_string_to_unsigned(count, 10, 1, G_MAXUINT32, &reading.wanted, NULL))
        return error_set(error, ERROR_USAGE, "--count: '%s' is no number from 1", count);
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    if (board_history_read(session->board, take_record, &reading, &failure) || reading.enough)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static int log_verb(const struct cli_input *input)
{
    return session_run(input, board_log_verb);
}

static const struct cli_option log_options[] = {
    BOARD_OPTIONS,
    {"count", 0, "N", false, "stop after the N newest records; Ctrl-C stops too"},
    {"erase", 0, NULL, false, "erase the board's own log, once it is in the file of --keep"},
    {"keep", 0, "FILE", false, "write the whole log to this new file, as CSV"},
    {"alarms", 0, NULL, false, "of a board with two logs, the one of its alarms"},
    {NULL}};

const struct cli_verb cli_log_verbs[] = {
    {.name = "board log",
     .arguments = "",
     .summary = "read the board's history to its end marker",
     .text = "Reading and stopping change nothing on the board; --erase does, and only behind the export.",
     .options = log_options,
     .run = log_verb},
    {NULL},
};

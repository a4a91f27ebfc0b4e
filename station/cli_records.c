/* records list | show | verify | export, and audit. */
#include "station/cli.h"

#include "station/base/error.h"
#include "station/config.h"
#include "station/store/store.h"

#include <string.h>

extern const struct cli_verb cli_records_verbs[];

static struct store *open_reader(const struct cli_input *input, GError **error)
{
    if (cli_has(input, "store"))
        return store_open_reader(cli_get(input, "store"), error);
    if (!cli_has(input, "station")) {
        error_set(error, ERROR_USAGE, "say --station FILE or --store FOLDER");
        return NULL;
    }
    g_autoptr(config_auto) config = config_open(cli_get(input, "station"), error);
    if (!config)
        return NULL;
    g_autofree char *folder = config_path(config, config->store);
    return store_open_reader(folder, error);
}

static void fill_filter(const struct cli_input *input, struct store_filter *filter)
{
    filter->sn = cli_get(input, "sn");
    filter->model = cli_get(input, "model");
    filter->verdict = cli_get(input, "verdict");
    filter->firmware = cli_get(input, "firmware");
    filter->since = cli_get(input, "since");
    filter->until = cli_get(input, "until");
    filter->limit = cli_has(input, "limit") ? g_ascii_strtoll(cli_get(input, "limit"), NULL, 10) : 0;
}

static const char *field(json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static int list(const struct cli_input *input)
{
    GError *error = NULL;
    struct store_filter filter;
    size_t i;
    json_t *row;
    g_autoptr(store_auto) store = open_reader(input, &error);
    if (!store)
        return cli_fail(input, error);
    fill_filter(input, &filter);
    json_t *rows = store_records_list(store, &filter, &error);
    if (!rows)
        return cli_fail(input, error);
    if (!input->json)
        printf("%6s  %-20s  %-16s  %-11s  %-10s  %-8s  %s\n", "run", "started", "sn", "verdict", "mode",
               "firmware", "failed step");
    json_array_foreach(rows, i, row)
    {
        if (input->json) {
            cli_print_json(json_pack("{s:i,s:s,s:O}", "v", 1, "type", "info", "data", row));
            continue;
        }
        printf("%6" JSON_INTEGER_FORMAT "  %-20.20s  %-16s  %-11s  %-10s  %-8s  %s\n",
               json_integer_value(json_object_get(row, "run")), field(row, "started"), field(row, "sn"),
               field(row, "verdict"), field(row, "mode"), field(row, "firmware"), field(row, "failed_step"));
    }
    json_decref(rows);
    return 0;
}

static int show(const struct cli_input *input)
{
    GError *error = NULL;
    g_autoptr(store_auto) store = open_reader(input, &error);
    if (!store)
        return cli_fail(input, error);
    json_t *record = store_records_show(store, g_ptr_array_index(input->arguments, 0), &error);
    if (!record)
        return cli_fail(input, error);
    if (input->json) {
        cli_print_json(json_pack("{s:i,s:s,s:o}", "v", 1, "type", "info", "data", record));
        return 0;
    }
    char *text = json_dumps(record, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(record);
    return 0;
}

static int verify(const struct cli_input *input)
{
    GError *error = NULL;
    int64_t rows;
    char head[65];
    g_autoptr(store_auto) store = open_reader(input, &error);
    if (!store || !store_verify(store, &rows, head, &error))
        return cli_fail(input, error);
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:I,s:s}}", "v", 1, "type", "info", "data", "rows",
                                 (json_int_t)rows, "head", head));
    else
        printf("%" G_GINT64_FORMAT " rows verify, head %s\n", rows, head);
    return 0;
}

static int export(const struct cli_input *input)
{
    GError *error = NULL;
    struct store_filter filter;
    const char *format = cli_has(input, "format") ? cli_get(input, "format") : "csv";
    g_autoptr(store_auto) store = open_reader(input, &error);
    if (!store)
        return cli_fail(input, error);
    fill_filter(input, &filter);
    /* An export that stops in silence after so many rows would be taken for the whole. */
    if (!cli_has(input, "limit"))
        filter.limit = -1;
    if (strcmp(format, "csv") == 0)
        return store_export_csv(store, &filter, stdout, &error) ? 0 : cli_fail(input, error);
    if (strcmp(format, "json") != 0)
        return cli_usage(input, "--format is csv or json");
    json_t *rows = store_records_list(store, &filter, &error);
    if (!rows)
        return cli_fail(input, error);
    char *text = json_dumps(rows, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(rows);
    return 0;
}

struct audit_output {
    bool json;
};

static void audit_line(void *context, const char *id, const char *promise, bool ok, const char *finding)
{
    const struct audit_output *output = context;
    if (output->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:b,s:s}}", "v", 1, "type", "info", "data", "invariant",
                                 id, "promise", promise, "ok", ok, "finding", finding ? finding : ""));
    else
        printf("%-4s %-4s %s%s%s\n", ok ? "ok" : "BAD", id, promise, finding && *finding ? ": " : "",
               finding ? finding : "");
}

static int audit(const struct cli_input *input)
{
    GError *error = NULL;
    struct audit_output output = {input->json};
    g_autoptr(store_auto) store = open_reader(input, &error);
    if (!store)
        return cli_fail(input, error);
    int violated = store_audit(store, true, audit_line, &output, &error);
    if (violated < 0)
        return cli_fail(input, error);
    return violated ? 9 : 0;
}

static int burn(const struct cli_input *input)
{
    GError *error = NULL;
    const char *sn = g_ptr_array_index(input->arguments, 0);
    if (!cli_has(input, "station") || !cli_has(input, "reason"))
        return cli_usage(input, "--station and --reason are needed");
    g_autoptr(config_auto) config = config_open(cli_get(input, "station"), &error);
    if (!config)
        return cli_fail(input, error);
    g_autofree char *folder = config_path(config, config->store);
    g_autoptr(store_auto) store = store_open(folder, config->station, tick_real(), &error);
    if (!store || !store_serial_burn(store, sn, cli_get(input, "reason"), &error))
        return cli_fail(input, error);
    printf("%s is burned: it is never used again\n", sn);
    return 0;
}

#define STORE_OPTIONS                                                                                        \
    {"station", 's', "FILE", false, "the station file"},                                                     \
    {                                                                                                        \
        "store", 0, "FOLDER", false, "the store's folder instead"                                            \
    }
#define FILTER_OPTIONS                                                                                       \
    {"sn", 0, "SN", false, "this serial number"}, {"model", 0, "MODEL", false, "this model"},                \
        {"verdict", 0, "VERDICT", false, "PASS, FAIL, INTERRUPTED or ABORTED"},                              \
        {"firmware", 0, "VERSION", false, "this firmware version"},                                          \
        {"since", 0, "DATE", false, "from this day on, YYYY-MM-DD"},                                         \
        {"until", 0, "DATE", false, "up to this day"},                                                       \
    {                                                                                                        \
        "limit", 0, "N", false, "at most so many rows; default 100 for a list, all for an export"            \
    }

static const struct cli_option store_options[] = {STORE_OPTIONS, {NULL}};
static const struct cli_option list_options[] = {STORE_OPTIONS, FILTER_OPTIONS, {NULL}};
static const struct cli_option export_options[] = {
    STORE_OPTIONS, FILTER_OPTIONS, {"format", 0, "FORMAT", false, "csv (default) or json"}, {NULL}};

static const struct cli_option burn_options[] = {
    {"station", 's', "FILE", false, "the station file"},
    {"reason", 0, "TEXT", false, "why, for the record"},
    {NULL},
};

const struct cli_verb cli_records_verbs[] = {
    {.name = "records list",
     .arguments = "",
     .summary = "list runs, newest first",
     .options = list_options,
     .run = list},
    {.name = "records show",
     .arguments = "SN",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "everything about one serial number",
     .options = store_options,
     .run = show},
    {.name = "records verify",
     .arguments = "",
     .summary = "recompute the journal's hash chain",
     .options = store_options,
     .run = verify},
    {.name = "records export",
     .arguments = "",
     .summary = "runs as CSV or JSON",
     .options = export_options,
     .run = export},
    {.name = "audit",
     .arguments = "",
     .summary = "check the promises over the store, one line each",
     .text = "Exit code 0 when all hold, 9 when one is violated.",
     .options = store_options,
     .run = audit},
    {.name = "serial burn",
     .arguments = "SN",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "take a serial number out of use for good",
     .text = "For a board that is scrapped. The number is never used again, the board may get another one. "
             "Refused "
             "for a unit that passed.",
     .options = burn_options,
     .run = burn},
    {NULL},
};

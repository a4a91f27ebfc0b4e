/* label render | print | confirm | waive. */
#include "station/cli.h"

#include "labels/render.h"
#include "station/base/error.h"
#include "station/confirm.h"
#include "station/press.h"

#include <string.h>

extern const struct cli_verb cli_label_verbs[];

#define FIELDS_MAX 16

static bool take_field(struct label_values *values, char *pair, GError **error)
{
    char *equals = strchr(pair, '=');
    if (!equals)
        return error_set(error, ERROR_USAGE, "--field '%s': expected NAME=VALUE", pair);
    *equals = '\0';
    const struct {
        const char *name;
        const char **value;
    } all[] = {
        {"sn", &values->sn},           {"model", &values->model},       {"capacity", &values->capacity},
        {"strings", &values->strings}, {"firmware", &values->firmware}, {"date", &values->date},
        {"product", &values->product}, {"hardware", &values->hardware}, {"run", &values->run},
        {"barcode", &values->barcode}, {"dialect", &values->dialect}};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        if (strcmp(all[i].name, pair) == 0) {
            *all[i].value = equals + 1;
            return true;
        }
    return error_set(error, ERROR_USAGE, "a label has no field '%s'", pair);
}

static struct layout *load_layout(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct layout *layout = layout_load(path, bytes, report);
    if (!layout && bind_report_check(report, error))
        error_set(error, ERROR_AUTHOR, "%s: not a label layout", path);
    return layout;
}

static bool write_output(const struct label_bitmap *bitmap, const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = g_str_has_suffix(path, ".png")   ? label_png(bitmap, error)
                              : g_str_has_suffix(path, ".pdf") ? label_pdf(bitmap, error)
                              : g_str_has_suffix(path, ".zpl") ? label_zpl(bitmap)
                                                               : NULL;
    g_autoptr(GError) inner = NULL;
    gsize n;
    if (!bytes && error && !*error)
        error_set(error, ERROR_USAGE, "--out ends with .png, .pdf or .zpl");
    if (!bytes)
        return false;
    const char *data = g_bytes_get_data(bytes, &n);
    return g_file_set_contents(path, data, (gssize)n, &inner) ||
           error_set(error, ERROR_STORAGE, "%s", inner->message);
}

static int render(const struct cli_input *input)
{
    GError *error = NULL;
    struct label_values values = {0};
    const GPtrArray *fields = cli_all(input, "field");
    guint64 dpi = 300;
    if (!cli_has(input, "layout") || !cli_has(input, "out"))
        return cli_usage(input, "--layout and --out are needed");
    if (cli_has(input, "dpi") &&
        !g_ascii_string_to_unsigned(cli_get(input, "dpi"), 10, 100, 1200, &dpi, NULL))
        return cli_usage(input, "--dpi is a number such as 203, 300 or 600");
    for (guint i = 0; fields && i < fields->len; i++)
        if (!take_field(&values, g_ptr_array_index(fields, i), &error))
            return cli_fail(input, error);
    struct layout *layout = load_layout(cli_get(input, "layout"), &error);
    struct label_bitmap *bitmap = layout ? label_render(layout, &values, (unsigned)dpi, &error) : NULL;
    bool ok = bitmap && write_output(bitmap, cli_get(input, "out"), &error);
    label_bitmap_free(bitmap);
    layout_free(layout);
    return ok ? 0 : cli_fail(input, error);
}

/* What print, confirm and waive share: an open station. */
static int with_station(const struct cli_input *input,
                        bool (*work)(const struct cli_input *input, const struct config *config,
                                     struct store *store, struct screen *screen, GError **error))
{
    GError *error = NULL;
    if (!cli_has(input, "station"))
        return cli_usage(input, "--station FILE is needed");
    g_autoptr(config_auto) config = config_open(cli_get(input, "station"), &error);
    if (!config)
        return cli_fail(input, error);
    g_autofree char *folder = config_path(config, config->store);
    g_autoptr(store_auto) store = store_open(folder, config->station, tick_real(), &error);
    if (!store)
        return cli_fail(input, error);
    struct screen *screen = screen_new(input->json);
    bool ok = work(input, config, store, screen, &error);
    screen_free(screen);
    return ok ? 0 : cli_fail(input, error);
}

static bool print_work(const struct cli_input *input, const struct config *config, struct store *store,
                       struct screen *screen, GError **error)
{
    const struct press press = {.config = config, .store = store, .tick = tick_real(), .screen = screen};
    return press_again(&press, g_ptr_array_index(input->arguments, 0), error);
}

static int print(const struct cli_input *input)
{
    return with_station(input, print_work);
}

static bool confirm_work(const struct cli_input *input, const struct config *config, struct store *store,
                         struct screen *screen, GError **error)
{
    const struct unit_request request = {.slot = cli_get(input, "slot"),
                                         .scan = cli_get(input, "scan"),
                                         .mark = cli_get(input, "mark"),
                                         .tick = tick_real()};
    if (!request.scan)
        return confirm_at_desk(config, store, &request, screen, error);
    if (!confirm_label(config, store, &request, screen, error))
        return false;
    screen_line(screen, "label  %s is on its board", request.scan);
    return true;
}

static int confirm(const struct cli_input *input)
{
    return with_station(input, confirm_work);
}

static bool waive_work(const struct cli_input *input, const struct config *config, struct store *store,
                       struct screen *screen, GError **error)
{
    (void)config;
    const char *sn = g_ptr_array_index(input->arguments, 0);
    const struct store_filter filter = {.sn = sn, .verdict = "PASS", .limit = 1};
    json_t *rows = store_records_list(store, &filter, error), *row = json_array_get(rows, 0);
    bool ok = rows && (row || error_set(error, ERROR_ABSENT, "no unit %s passed here", sn)) &&
              store_label_waive(store, json_integer_value(json_object_get(row, "run")),
                                cli_get(input, "reason"), error);
    json_decref(rows);
    if (ok)
        screen_line(screen, "label  %s goes on without its label confirmed, on record", sn);
    return ok;
}

static int waive(const struct cli_input *input)
{
    const char *reason = cli_get(input, "reason");
    return reason && *reason ? with_station(input, waive_work) : cli_usage(input, "--reason TEXT is needed");
}

static const struct cli_option render_options[] = {
    {"layout", 0, "FILE", false, "the label layout"},
    {"field", 0, "NAME=VALUE", true, "a field's value; may stand more than once"},
    {"dpi", 0, "N", false, "dots per inch; default 300"},
    {"out", 'o', "FILE", false, "FILE.png, FILE.pdf or FILE.zpl"},
    {NULL},
};
static const struct cli_option print_options[] = {
    {"station", 's', "FILE", false, "the station file"},
    {NULL},
};

static const struct cli_option confirm_options[] = {
    {"station", 's', "FILE", false, "the station file"},
    {"slot", 0, "NAME", false, "the slot; default is the station's first"},
    {"scan", 0, "TEXT", false, "what the scanner read from the label"},
    {"mark", 0, "TEXT", false,
     "what it read from the board's own print, for a board that cannot say who it is"},
    {NULL},
};
static const struct cli_option waive_options[] = {
    {"station", 's', "FILE", false, "the station file"},
    {"reason", 0, "TEXT", false, "why"},
    {NULL},
};

const struct cli_verb cli_label_verbs[] = {
    {.name = "label render",
     .arguments = "",
     .summary = "draw a label layout with given fields",
     .options = render_options,
     .run = render},
    {.name = "label print",
     .arguments = "SN",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "print the label of a unit that passed and whose label did not come",
     .text = "Prints from the record, with the layout the run used. Refused when the label was printed, or "
             "was sent and "
             "nobody knows whether it came out.",
     .options = print_options,
     .run = print},
    {.name = "label confirm",
     .arguments = "",
     .summary = "scan a label back from the board in a slot",
     .text =
         "Reads the unique id and serial number of the board in the slot and compares them and the scan "
         "with the record. Right or wrong, the scan is on record. Without --scan it is asked for. Of a board "
         "that cannot say which one it is (`unit: label`) the print that it carries is scanned too, and must "
         "be what its run began with.",
     .options = confirm_options,
     .run = confirm},
    {.name = "label waive",
     .arguments = "SN",
     .arguments_min = 1,
     .arguments_max = 1,
     .summary = "let a unit go on whose label cannot be scanned back",
     .text = "For a label or board that is lost or spoiled: frees the slot, with the reason on record.",
     .options = waive_options,
     .run = waive},
    {NULL},
};

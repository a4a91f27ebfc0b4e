#include "station/config.h"

#include "station/base/error.h"

#include <string.h>

static const struct bind_choice bench_kinds[] = {
    {"scpi", 0, "an instrument that takes SCPI commands on a link"},
    {"entered", 1, "a reference whose value the operator enters"},
    {NULL},
};

static const struct bind_field bench_fields[] = {
    {.key = "kind",
     .type = BIND_CHOICE,
     .offset = offsetof(struct config_bench, kind),
     .required = true,
     .choices = bench_kinds,
     .doc = "How the reference is reached."},
    {.key = "link",
     .type = BIND_TEXT,
     .offset = offsetof(struct config_bench, link),
     .doc = "Wire of a scpi bench, for example `tcp:192.0.2.7:5025` or `unix:bench.sock`."},
    {.key = "identity",
     .type = BIND_TEXT,
     .offset = offsetof(struct config_bench, identity),
     .required = true,
     .doc = "What the instrument's `*IDN?` must begin with; for an entered value the name of the reference."},
    {.key = "due",
     .type = BIND_DATE,
     .offset = offsetof(struct config_bench, due),
     .required = true,
     .doc = "Last day on which the reference's own calibration is valid."},
    {NULL},
};
static const struct bind_schema bench_schema = {.name = "bench",
                                                .doc = "The reference that calibrations are made against.",
                                                .size = sizeof(struct config_bench),
                                                .fields = bench_fields};

static const struct bind_field slot_fields[] = {
    {.key = "slot",
     .type = BIND_TEXT,
     .offset = offsetof(struct config_slot, slot),
     .required = true,
     .max = 15,
     .min = 1,
     .pattern = "[A-Za-z0-9_-]+",
     .doc = "Name of the slot, as `--slot` takes it."},
    {.key = "link",
     .type = BIND_TEXT,
     .offset = offsetof(struct config_slot, link),
     .required = true,
     .doc =
         "Wire to the board: `serial:/dev/serial/by-path/…`, `tcp:HOST:PORT` or `unix:PATH`, with `?pace`, "
         "`?trace=FILE` when wanted."},
    {.key = "address",
     .type = BIND_INTEGER,
     .offset = offsetof(struct config_slot, address),
     .min = 1,
     .max = 247,
     .preset = "1",
     .doc = "Bus address of the board in this slot."},
    {.key = "allow_reference",
     .type = BIND_FLAG,
     .offset = offsetof(struct config_slot, allow_reference),
     .preset = "false",
     .doc = "true lets a profile with `reference` entries, which is no vendor's protocol, onto a physical "
            "wire."},
    {.key = "bench",
     .type = BIND_LIST,
     .offset = offsetof(struct config_slot, benches),
     .child = &bench_schema,
     .max = 1,
     .doc = "None or one reference instrument."},
    {NULL},
};
static const struct bind_schema slot_schema = {.name = "slot",
                                               .doc = "A place for one board.",
                                               .size = sizeof(struct config_slot),
                                               .fields = slot_fields};

static const struct bind_field printer_fields[] = {
    {.key = "printer",
     .type = BIND_TEXT,
     .offset = offsetof(struct config_printer, printer),
     .required = true,
     .doc = "Name of the printer."},
    {.key = "link",
     .type = BIND_TEXT,
     .offset = offsetof(struct config_printer, link),
     .required = true,
     .doc = "`tcp:HOST:PORT` of a raw label printer (ZPL), or `file:FOLDER` for PNG, PDF and ZPL files."},
    {.key = "dpi",
     .type = BIND_INTEGER,
     .offset = offsetof(struct config_printer, dpi),
     .min = 203,
     .max = 600,
     .preset = "300",
     .doc = "Dots per inch of the print head."},
    {NULL},
};
static const struct bind_schema printer_schema = {.name = "printer",
                                                  .doc = "Where labels go.",
                                                  .size = sizeof(struct config_printer),
                                                  .fields = printer_fields};

static const struct bind_field config_fields[] = {
    {.key = "schema",
     .type = BIND_TEXT,
     .offset = offsetof(struct config, schema),
     .required = true,
     .doc = "`packline/station/1`."},
    {.key = "station",
     .type = BIND_TEXT,
     .offset = offsetof(struct config, station),
     .required = true,
     .min = 1,
     .max = 32,
     .pattern = "[A-Za-z0-9_-]+",
     .doc = "Name of this station in every record."},
    {.key = "store",
     .type = BIND_TEXT,
     .offset = offsetof(struct config, store),
     .required = true,
     .doc = "Folder of the journal."},
    {.key = "trust",
     .type = BIND_TEXT,
     .offset = offsetof(struct config, trust),
     .required = true,
     .doc = "Folder of the public keys this station believes."},
    {.key = "secrets",
     .type = BIND_PAIRS,
     .offset = offsetof(struct config, secrets),
     .pattern = "[a-z0-9-]+",
     .doc = "Names of secrets and the files (mode 0600) that hold them."},
    {.key = "slots",
     .type = BIND_LIST,
     .offset = offsetof(struct config, slots),
     .required = true,
     .child = &slot_schema,
     .min = 1,
     .max = 64,
     .doc = "The station's slots."},
    {.key = "printers",
     .type = BIND_LIST,
     .offset = offsetof(struct config, printers),
     .child = &printer_schema,
     .max = 8,
     .doc = "Label printers; the first one is used."},
    {.key = "confirm_labels",
     .type = BIND_FLAG,
     .offset = offsetof(struct config, confirm_labels),
     .preset = "false",
     .doc = "true: a label is scanned back from its board before the slot takes the next one."},
    {NULL},
};
const struct bind_schema config_schema = {.name = "packline/station/1",
                                          .doc = "A station: store, keys, secrets, slots and printers.",
                                          .size = sizeof(struct config),
                                          .fields = config_fields};

static void check_slots(const struct config *config, struct bind_report *report)
{
    for (guint i = 0; i < config->slots->len; i++) {
        const struct config_slot *slot = g_ptr_array_index(config->slots, i);
        for (guint k = 0; k < i; k++) {
            const struct config_slot *other = g_ptr_array_index(config->slots, k);
            if (strcmp(slot->slot, other->slot) == 0)
                bind_report_error(report, bind_place_of(config, slot, "slot"), NULL,
                                  "slot '%s' is named twice", slot->slot);
            if (strcmp(slot->link, other->link) == 0)
                bind_report_error(report, bind_place_of(config, slot, "link"), NULL,
                                  "slots '%s' and '%s' have the same link", other->slot, slot->slot);
        }
        for (guint k = 0; k < slot->benches->len; k++) {
            const struct config_bench *bench = g_ptr_array_index(slot->benches, k);
            if (bench->kind == 0 && !bench->link)
                bind_report_error(report, bind_place_of(config, bench, "kind"), "add `link:`",
                                  "a scpi bench needs a link");
        }
    }
}

struct config *config_load(const char *path, GBytes *bytes, struct bind_report *report)
{
    struct config *config = bind_load(&config_schema, bytes, report);
    if (!config)
        return NULL;
    config->path = g_strdup(path);
    config->folder = g_path_get_dirname(path);
    check_slots(config, report);
    if (bind_report_errors(report) == 0)
        return config;
    config_free(config);
    return NULL;
}

struct config *config_open(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) report = bind_report_new(path, bytes);
    struct config *config = config_load(path, bytes, report);
    if (!config && bind_report_check(report, error))
        error_set(error, ERROR_AUTHOR, "%s: not a station file", path);
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    g_clear_pointer(&config->path, g_free);
    g_clear_pointer(&config->folder, g_free);
    bind_free(&config_schema, config);
}

const struct config_slot *config_slot_find(const struct config *config, const char *slot, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < config->slots->len; i++) {
        const struct config_slot *candidate = g_ptr_array_index(config->slots, i);
        if (!slot || strcmp(candidate->slot, slot) == 0)
            return candidate;
        g_string_append_printf(names, "%s%s", i ? ", " : "", candidate->slot);
    }
    error_set(error, ERROR_USAGE, "%s: no slot '%s'; there are: %s", config->path, slot, names->str);
    return NULL;
}

char *config_path(const struct config *config, const char *path)
{
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(config->folder, path, NULL);
}

char *config_link(const struct config *config, const char *link)
{
    static const char *const with_path[] = {"unix:", "can-socket:", "file:", "serial:"};
    for (gsize i = 0; i < G_N_ELEMENTS(with_path); i++) {
        gsize n = strlen(with_path[i]);
        if (g_str_has_prefix(link, with_path[i]) && !g_path_is_absolute(link + n)) {
            g_autofree char *path = config_path(config, link + n);
            return g_strconcat(with_path[i], path, NULL);
        }
    }
    return g_strdup(link);
}

static const struct bind_pair *secret_find(const struct config *config, const char *name)
{
    for (guint i = 0; i < config->secrets->len; i++) {
        const struct bind_pair *pair = g_ptr_array_index(config->secrets, i);
        if (strcmp(pair->key, name) == 0)
            return pair;
    }
    return NULL;
}

bool config_has_secret(const struct config *config, const char *name)
{
    return secret_find(config, name) != NULL;
}

struct secret *config_secret(const struct config *config, const char *name, GError **error)
{
    const struct bind_pair *pair = secret_find(config, name);
    if (!pair) {
        error_set(error, ERROR_AUTHOR, "%s: no secret named '%s'; add it under `secrets:`", config->path,
                  name);
        return NULL;
    }
    g_autofree char *path = config_path(config, pair->value);
    return secret_from_file(path, error);
}

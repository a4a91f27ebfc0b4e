#include "station/press.h"

#include "labels/printer.h"
#include "station/base/error.h"

#include <string.h>

static const char *word(json_t *payload, const char *key)
{
    const char *text = json_string_value(json_object_get(payload, key));
    return text ? text : "";
}

/* What the label says, all from the committed record; borrowed from the payload. */
static struct label_values values_of(json_t *p)
{
    return (struct label_values){.sn = word(p, "sn"),
                                 .model = word(p, "model"),
                                 .capacity = word(p, "capacity"),
                                 .strings = word(p, "strings"),
                                 .firmware = word(p, "firmware"),
                                 .date = word(p, "date"),
                                 .product = word(p, "product"),
                                 .hardware = word(p, "hardware"),
                                 .run = word(p, "run"),
                                 .barcode = word(p, "barcode"),
                                 .dialect = word(p, "dialect")};
}

static void put(json_t *to, const char *key, const char *text)
{
    json_object_set_new(to, key, json_string(text ? text : ""));
}

/* As it was read back on this board: after a write, or, of what the board alone decides, when it was
 * measured.
 */
static bool find_value(struct store *store, int64_t run, const char *key, char **shown, GError **error)
{
    *shown = NULL;
    return !key || (store_value_found(store, run, key, shown, error) &&
                    (*shown || store_measured(store, run, key, shown, error)));
}

static bool add_values(struct store *store, int64_t run, const struct profile *profile, json_t *payload,
                       GError **error)
{
    g_autofree char *capacity = NULL, *cells = NULL;
    if (!find_value(store, run, profile->capacity_item, &capacity, error) ||
        !find_value(store, run, profile->cells_item, &cells, error))
        return false;
    g_autofree char *strings = cells ? g_strconcat(cells, "S", NULL) : NULL;
    put(payload, "capacity", capacity);
    put(payload, "strings", strings);
    return true;
}

static json_t *make_payload(struct store *store, const struct profile *profile, int64_t run, GError **error)
{
    json_t *row = store_run_json(store, run, error);
    if (!row)
        return NULL;
    g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, run);
    g_autofree char *date = g_strndup(word(row, "started"), 10);
    json_t *payload = json_object();
    put(payload, "sn", word(row, "sn"));
    put(payload, "model", word(row, "model"));
    put(payload, "firmware", word(row, "firmware"));
    put(payload, "product", word(row, "product"));
    put(payload, "hardware", word(row, "hardware"));
    put(payload, "barcode", word(row, "scan"));
    put(payload, "dialect", word(row, "dialect"));
    put(payload, "date", date);
    put(payload, "run", number);
    bool pass = strcmp(word(row, "verdict"), "PASS") == 0 ||
                error_set(error, ERROR_RULE, "run %s is no PASS: no label", number);
    json_decref(row);
    if (pass && add_values(store, run, profile, payload, error))
        return payload;
    json_decref(payload);
    return NULL;
}

static enum printer_outcome print(const struct press *press, const char *link, const struct printer_job *job,
                                  GError **error)
{
    return press->print ? press->print(press->context, job, error) : printer_send(link, job, error);
}

static bool send_label(const struct press *press, const struct config_printer *printer, const char *link,
                       const struct label_bitmap *bitmap, const char *sn, int64_t job, GError **error)
{
    static const enum store_label_state states[] = {[PRINTER_NOT_SENT] = LABEL_FAILED,
                                                    [PRINTER_UNCONFIRMED] = LABEL_UNCONFIRMED,
                                                    [PRINTER_DONE] = LABEL_PRINTED};
    g_autoptr(GBytes) png = label_png(bitmap, error);
    g_autoptr(GBytes) pdf = png ? label_pdf(bitmap, error) : NULL;
    g_autoptr(GBytes) zpl = pdf ? label_zpl(bitmap) : NULL;
    g_autoptr(GError) failure = NULL;
    const struct printer_job sheet = {sn, png, pdf, zpl, press->tick};
    if (!zpl || !store_label_set(press->store, job, LABEL_SENDING, printer->printer, error))
        return false;
    enum printer_outcome outcome = print(press, link, &sheet, &failure);
    if (!store_label_set(press->store, job, states[outcome], failure ? failure->message : printer->printer,
                         error))
        return false;
    if (outcome == PRINTER_DONE)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool print_payload(const struct press *press, const struct layout *layout, json_t *payload,
                          int64_t run, GError **error)
{
    int64_t job;
    if (press->config->printers->len == 0)
        return error_set(error, ERROR_PRINTER, "%s names no printer: add one under `printers:`",
                         press->config->path);
    const struct config_printer *printer = g_ptr_array_index(press->config->printers, 0);
    g_autofree char *link = config_link(press->config, printer->link);
    if (press->config->confirm_labels)
        json_object_set_new(payload, "confirm", json_true());
    char *text = json_dumps(payload, JSON_SORT_KEYS | JSON_COMPACT);
    bool queued = store_label_queue(press->store, run, text, &job, error);
    free(text);
    if (!queued)
        return false;
    const struct label_values values = values_of(payload);
    struct label_bitmap *bitmap = label_render(layout, &values, (unsigned)printer->dpi, error);
    bool ok = bitmap && send_label(press, printer, link, bitmap, values.sn, job, error);
    label_bitmap_free(bitmap);
    if (!ok)
        return false;
    bool file = g_str_has_prefix(link, "file:");
    screen_line(press->screen, "label  %s%s%s%s", file ? link + 5 : link, file ? "/" : "",
                file ? values.sn : "", file ? ".png" : "");
    return true;
}

bool press_unit(const struct press *press, const struct layout *layout, const struct profile *profile,
                int64_t run, GError **error)
{
    json_t *payload = make_payload(press->store, profile, run, error);
    bool ok = payload && print_payload(press, layout, payload, run, error);
    json_decref(payload);
    return ok;
}

static GBytes *kept_base(void *context, const char *sha256, GError **error)
{
    return store_kept_file(context, sha256, error);
}

struct profile *press_kept_profile(struct store *store, const char *sha256, GError **error)
{
    g_autoptr(GBytes) bytes = store_kept_file(store, sha256, error);
    if (!bytes)
        return NULL;
    g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
    struct profile *profile = profile_load_from("profile", bytes, kept_base, store, report);
    if (!profile)
        error_set(error, ERROR_INTERNAL, "the kept profile %s does not load any more", sha256);
    return profile;
}

bool press_again(const struct press *press, const char *sn, GError **error)
{
    const struct store_filter filter = {.sn = sn, .verdict = "PASS", .limit = 1};
    json_t *rows = store_records_list(press->store, &filter, error), *row = json_array_get(rows, 0);
    bool ok = false;
    if (!rows)
        return false;
    if (!row) {
        json_decref(rows);
        return error_set(error, ERROR_ABSENT, "no unit %s passed here, so there is no label for it", sn);
    }
    int64_t run = json_integer_value(json_object_get(row, "run"));
    g_autoptr(GBytes) layout_bytes = store_kept_file(press->store, word(row, "layout_sha256"), error);
    struct profile *profile =
        layout_bytes ? press_kept_profile(press->store, word(row, "profile_sha256"), error) : NULL;
    if (profile) {
        g_autoptr(bind_report_auto) layout_report = bind_report_new("layout", layout_bytes);
        struct layout *layout = layout_load("layout", layout_bytes, layout_report);
        ok = layout ? press_unit(press, layout, profile, run, error)
                    : error_set(error, ERROR_INTERNAL,
                                "the layout of run %" G_GINT64_FORMAT " does not load any more", run);
        layout_free(layout);
        profile_free(profile);
    }
    json_decref(rows);
    return ok;
}

#include "proto/parameters.h"

#include "station/base/error.h"
#include "station/base/tick.h"

#include <string.h>

#define F(key_, kind, ...)                                                                                   \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct parameters, key_), __VA_ARGS__                 \
    }
#define KEYS "[a-z0-9_]+(\\.[a-z0-9_]+)+"

static const struct bind_field fields[] = {
    F(schema, BIND_TEXT, .required = true, .doc = "`packline/parameters/1`."),
    F(profile, BIND_TEXT, .required = true, .doc = "Profile it was read with."),
    F(profile_sha256, BIND_TEXT, .pattern = "[0-9a-f]{64}", .doc = "SHA-256 of that profile."),
    F(family, BIND_TEXT, .required = true, .doc = "Family of the board; another one's values are refused."),
    F(evidence, BIND_TEXT, .doc = "How that profile was known."),
    F(dialect, BIND_TEXT, .doc = "Says when the dialect was not the vendor's."),
    F(product, BIND_TEXT, .doc = "Product of the board it was read from."),
    F(hardware, BIND_TEXT, .doc = "Hardware of that board."),
    F(firmware, BIND_TEXT, .doc = "Firmware of that board."),
    F(unique_id, BIND_TEXT, .doc = "Unique id of that board."),
    F(taken, BIND_TEXT, .doc = "When, UTC."),
    F(pack, BIND_PAIRS, .max = 500, .pattern = KEYS,
      .doc = "Item keys and values that belong to the pack: an import writes them."),
    F(board, BIND_PAIRS, .max = 500, .pattern = KEYS,
      .doc = "Item keys and values that belong to the board: an import leaves them."),
    {NULL}};
const struct bind_schema parameters_schema = {.name = "packline/parameters/1",
                                              .doc = "The parameters of one board.",
                                              .size = sizeof(struct parameters),
                                              .fields = fields};

/* A double-quoted scalar; NULL when a character has no place in one line of text. */
static char *quote(const char *text)
{
    GString *out = g_string_new("\"");
    for (const char *p = text; *p; p++) {
        if ((guchar)*p < ' ' || *p == 127) {
            g_string_free(out, TRUE);
            return NULL;
        }
        if (*p == '"' || *p == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
    return g_string_free(out, FALSE);
}

static void put(GString *text, const char *indent, const char *key, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value ? value : "", -1);
    g_autofree char *quoted = quote(valid);
    if (quoted && valid[0])
        g_string_append_printf(text, "%s%s: %s\n", indent, key, quoted);
    else if (valid[0])
        g_string_append_printf(text, "%s# %s: not printable\n", indent, key);
}

/* An empty text is a value too: without it an import would leave what the other board has there. */
static bool is_empty_text(const struct item_value *value)
{
    return value->absent && value->item->type == ITEM_TEXT && value->item->access != ACCESS_READ_ONLY;
}

static void put_values(GString *text, const struct board_image *image, bool pack)
{
    const struct profile *profile = image->profile;
    bool head = false;
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        struct item_value value = {0};
        if (item->secret || item->count > 1 || profile_belongs_to_pack(profile, item) != pack ||
            !board_image_get(image, item, &value) || (value.absent && !is_empty_text(&value)))
            continue;
        if (!head)
            g_string_append(text, pack ? "pack:\n" : "board:\n");
        head = true;
        g_autofree char *shown = profile_value_format(&value);
        if (value.absent)
            g_string_append_printf(text, "  %s: \"\"\n", item->key);
        else
            put(text, "  ", item->key, shown);
    }
}

char *parameters_text(const struct board_image *image, const struct board_identity *identity,
                      int64_t taken_us)
{
    const struct profile *profile = image->profile;
    GString *text = g_string_new(NULL);
    char id[BOARD_UNIQUE_ID_TEXT] = "";
    g_autofree char *taken = tick_format_utc(taken_us);
    if (identity->has_unique_id)
        board_unique_id_text(identity->unique_id, id);
    g_string_append_printf(text, "schema: %s\n", parameters_schema.name);
    put(text, "", "profile", profile->profile);
    put(text, "", "profile_sha256", profile->sha256);
    put(text, "", "family", profile->family);
    put(text, "", "evidence", profile->evidence);
    if (profile->has_reference)
        put(text, "", "dialect", "reference dialect, not the vendor's protocol");
    put(text, "", "product", identity->product);
    put(text, "", "hardware", identity->hardware);
    put(text, "", "firmware", identity->firmware);
    put(text, "", "unique_id", id);
    put(text, "", "taken", taken);
    put_values(text, image, true);
    put_values(text, image, false);
    return g_string_free(text, FALSE);
}

struct parameters *parameters_load(const char *path, GBytes *bytes, struct bind_report *report)
{
    (void)path;
    return bind_load(&parameters_schema, bytes, report);
}

void parameters_free(struct parameters *parameters)
{
    bind_free(&parameters_schema, parameters);
}

static bool parse(const struct profile_item *item, const char *text, struct item_value *value, GError **error)
{
    *value = (struct item_value){.item = item, .absent = true};
    return (item->type == ITEM_TEXT && text[0] == '\0') || profile_value_parse(item, text, value, error);
}

static void resolve(const struct bind_pair *pair, const struct profile *profile, GArray *values,
                    struct bind_report *report)
{
    const struct profile_item *item = profile_item_find(profile, pair->key);
    struct item_value value;
    g_autoptr(GError) wrong = NULL;
    if (!item) {
        const char *near = profile_item_suggest(profile, pair->key);
        g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
        bind_report_error(report, pair->key_place, hint, "profile '%s' has no item '%s'", profile->profile,
                          pair->key);
    } else if (!profile_belongs_to_pack(profile, item)) {
        bind_report_error(report, pair->key_place, "move it below `board:`",
                          "'%s' belongs to the board: it does not move to another one", pair->key);
    } else if (item->access == ACCESS_READ_ONLY || item->access == ACCESS_NEVER) {
        bind_report_error(report, pair->key_place, NULL, "'%s' must not be written", pair->key);
    } else if (!parse(item, pair->value, &value, &wrong)) {
        bind_report_error(report, pair->value_place, NULL, "%s", wrong->message);
    } else {
        g_array_append_val(values, value);
    }
}

GArray *parameters_resolve(const struct parameters *parameters, const struct profile *profile,
                           struct bind_report *report)
{
    GArray *values = g_array_new(FALSE, FALSE, sizeof(struct item_value));
    if (strcmp(parameters->family, profile->family) != 0)
        bind_report_error(report, bind_place_of(parameters, parameters, "family"), NULL,
                          "these are parameters of family '%s', profile '%s' is of family '%s'",
                          parameters->family, profile->profile, profile->family);
    else
        for (guint i = 0; i < parameters->pack->len; i++)
            resolve(g_ptr_array_index(parameters->pack, i), profile, values, report);
    if (bind_report_errors(report) == 0)
        return values;
    g_array_unref(values);
    return NULL;
}

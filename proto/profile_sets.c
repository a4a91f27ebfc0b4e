/* Named sets of values, what a chemistry allows a cell, and what belongs to the pack. */
#include "proto/profile_parts.h"

#include "station/base/error.h"

#include <string.h>

#define F(type_, key_, kind, ...)                                                                            \
    {                                                                                                        \
        .key = #key_, .type = kind, .offset = offsetof(struct type_, key_), __VA_ARGS__                      \
    }

static const struct bind_field set_fields[] = {
    F(profile_set, name, BIND_TEXT, .required = true, .pattern = "[a-z0-9-]+", .doc = "What a recipe names."),
    F(profile_set, title, BIND_TEXT, .required = true, .doc = "What people see."),
    F(profile_set, chemistry, BIND_TEXT, .doc = "Cell chemistry it is for; absent = the profile's."),
    F(profile_set, source, BIND_TEXT, .doc = "Where it is written: manual and section, or document."),
    F(profile_set, values, BIND_PAIRS, .required = true, .pattern = "[a-z0-9_]+(\\.[a-z0-9_]+)+",
      .doc = "Item keys and their values."),
    {NULL}};
const struct bind_schema profile_set_schema = {.name = "set",
                                               .doc = "Values that belong together.",
                                               .size = sizeof(struct profile_set),
                                               .fields = set_fields};

/* Where cell limits and curves of a chemistry end; wide enough for every maker's data sheet, narrow enough
 * that no two chemistries' full cells overlap. In mV. */
static const struct chemistry {
    const char *name;
    int64_t full_low, full_high, empty_low, empty_high;
} chemistries[] = {
    {"LFP", 3400, 3800, 1900, 3050}, {"NMC", 4000, 4400, 2400, 3500}, {"LTO", 2500, 3000, 1400, 2200}};

static const struct chemistry *find_chemistry(const char *name)
{
    for (gsize i = 0; name && i < G_N_ELEMENTS(chemistries); i++)
        if (strcmp(chemistries[i].name, name) == 0)
            return &chemistries[i];
    return NULL;
}

bool profile_chemistry_known(const char *name)
{
    return find_chemistry(name) != NULL;
}

char *profile_chemistry_finding(const char *name, bool full, const struct item_value *cell)
{
    const struct chemistry *chemistry = find_chemistry(name);
    if (!chemistry)
        return NULL;
    int64_t low = full ? chemistry->full_low : chemistry->empty_low;
    int64_t high = full ? chemistry->full_high : chemistry->empty_high;
    if (cell->value >= low && cell->value <= high)
        return NULL;
    g_autofree char *is = profile_value_format(cell);
    g_autofree char *from = quantity_format(QUANTITY_VOLTAGE, low);
    g_autofree char *to = quantity_format(QUANTITY_VOLTAGE, high);
    const char *title = cell->item->title ? cell->item->title : cell->item->name;
    return g_strdup_printf("%s (%s) is %s, but %s cells are %s between %s and %s", title, cell->item->key, is,
                           chemistry->name, full ? "full" : "empty", from, to);
}

const struct profile_set *profile_set_find(const struct profile *profile, const char *name)
{
    for (guint i = 0; name && i < profile->sets->len; i++) {
        const struct profile_set *set = g_ptr_array_index(profile->sets, i);
        if (strcmp(set->name, name) == 0)
            return set;
    }
    return NULL;
}

static void check_value(struct profile *profile, const struct bind_pair *pair, struct bind_report *report)
{
    const struct profile_item *item = profile_item_find(profile, pair->key);
    struct item_value value;
    g_autoptr(GError) wrong = NULL;
    if (!item) {
        const char *near = profile_item_suggest(profile, pair->key);
        g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
        bind_report_error(report, pair->key_place, hint, "no item '%s'", pair->key);
    } else if (item->access != ACCESS_SERVICE)
        bind_report_error(report, pair->key_place, NULL, "'%s' is nothing a recipe may write", pair->key);
    else if (!profile_value_parse(item, pair->value, &value, &wrong))
        bind_report_error(report, pair->value_place, NULL, "%s: %s", pair->key, wrong->message);
}

static void check_chemistry(const struct profile *profile, const void *map, const char *chemistry,
                            struct bind_report *report)
{
    if (chemistry && !find_chemistry(chemistry))
        bind_report_error(report, bind_place_of(profile, map, "chemistry"), "there are LFP, NMC and LTO",
                          "no chemistry '%s'", chemistry);
}

static bool pack_match(const char *pattern, const char *key)
{
    pattern += pattern[0] == '-';
    return g_str_has_suffix(pattern, ".*") ? strncmp(pattern, key, strlen(pattern) - 1) == 0
                                           : strcmp(pattern, key) == 0;
}

bool profile_belongs_to_pack(const struct profile *profile, const struct profile_item *item)
{
    bool belongs = false;
    for (guint i = 0; i < profile->pack->len; i++) {
        const char *pattern = g_ptr_array_index(profile->pack, i);
        if (pack_match(pattern, item->key))
            belongs = pattern[0] != '-';
    }
    return belongs;
}

static void check_pack(struct profile *profile, struct bind_report *report)
{
    for (guint i = 0; i < profile->pack->len; i++) {
        const char *pattern = g_ptr_array_index(profile->pack, i);
        bool used = false;
        for (guint k = 0; k < profile->items->len; k++)
            used |= pack_match(pattern, ((const struct profile_item *)profile->items->pdata[k])->key);
        if (!used)
            bind_report_error(report, bind_place_of(profile, profile, "pack"), NULL, "'%s' fits no item",
                              pattern);
    }
}

void profile_check_sets(struct profile *profile, struct bind_report *report)
{
    check_pack(profile, report);
    check_chemistry(profile, profile, profile->chemistry, report);
    if (!profile->chemistry_item != (profile->chemistry_words->len == 0))
        bind_report_error(report, bind_place_of(profile, profile, "chemistry_item"), NULL,
                          "chemistry_item and chemistry_words belong together");
    for (guint i = 0; i < profile->chemistry_words->len; i++)
        if (!find_chemistry(g_ptr_array_index(profile->chemistry_words, i)))
            bind_report_error(report, bind_place_of(profile, profile, "chemistry_words"),
                              "there are LFP, NMC and LTO", "no chemistry '%s'",
                              (const char *)g_ptr_array_index(profile->chemistry_words, i));
    for (guint i = 0; i < profile->sets->len; i++) {
        const struct profile_set *set = g_ptr_array_index(profile->sets, i);
        if (profile_set_find(profile, set->name) != set)
            bind_report_error(report, bind_place_of(profile, set, "name"), NULL, "set '%s' is named twice",
                              set->name);
        check_chemistry(profile, set, set->chemistry, report);
        for (guint k = 0; k < set->values->len; k++)
            check_value(profile, g_ptr_array_index(set->values, k), report);
    }
}

/* From what a recipe writes to values of items: exact in raw units, inside range, allowed, with texts filled
 * in. */
#include "recipes/plan_files.h"

#include "station/base/error.h"
#include "station/base/secret.h"

#include <string.h>

struct resolve {
    const struct recipe *recipe;
    const struct profile *profile;
    const struct package *package;
    const struct plan_words *words;
    struct bind_report *report;
    int level; /* of the login in force at this step */
    GArray *values;
    GHashTable *named; /* keys of this step */
};

static const char *word(const struct resolve *r, const char *name)
{
    const struct {
        const char *name, *value;
    } words[] = {{"sn", r->words->sn},
                 {"scan", r->words->scan},
                 {"date", r->words->date},
                 {"model", r->recipe->model},
                 {"firmware", r->package ? r->package->manifest->version : ""}};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(words[i].name, name) == 0)
            return words[i].value;
    return NULL;
}

/* "{sn}-A" → "BSN1-A"; NULL with a finding for a word there is not. */
static char *fill(const struct resolve *r, const char *text, struct bind_place place)
{
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = text; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            g_string_append_c(out, *p);
            continue;
        }
        g_autofree char *name = g_strndup(p + 1, (gsize)(end - p - 1));
        const char *value = word(r, name);
        if (!value) {
            bind_report_error(r->report, place, "there are {sn} {scan} {date} {model} {firmware}",
                              "no word is called {%s}", name);
            return NULL;
        }
        g_string_append(out, value);
        p = end;
    }
    return g_strdup(out->str);
}

#define SECRET "secret:"

/* What a secret item is to hold stands in the station's secrets, never in a recipe, which everybody reads. */
static char *secret_text(const struct resolve *r, const struct profile_item *item,
                         const struct bind_pair *pair)
{
    if (!g_str_has_prefix(pair->value, SECRET)) {
        bind_report_error(r->report, pair->value_place,
                          "write `secret:NAME` and put NAME into the station's secrets",
                          "'%s' is secret: its value does not stand in a recipe", item->key);
        return NULL;
    }
    const char *name = pair->value + strlen(SECRET);
    if (!r->words->secret)
        return g_strdup("***");
    const struct secret *secret = r->words->secret(r->words->context, name);
    if (!secret) {
        bind_report_error(r->report, pair->value_place,
                          "add it under `secrets:`, in a file that only its owner reads",
                          "the station has no secret named '%s'", name);
        return NULL;
    }
    return g_strdup(secret_reveal(secret));
}

static char *text_of(const struct resolve *r, const struct profile_item *item, const struct bind_pair *pair)
{
    if (item->secret)
        return secret_text(r, item, pair);
    const bool words = item->type == ITEM_TEXT || item->type == ITEM_DATE;
    return words ? fill(r, pair->value, pair->value_place) : g_strdup(pair->value);
}

static bool may_write(const struct resolve *r, const struct profile_item *item, struct bind_place place)
{
    static const char *const why[] = {[ACCESS_READ_ONLY] = "is read-only on the board",
                                      [ACCESS_ENGINEERING] = "is for engineers, a recipe may not write it",
                                      [ACCESS_NEVER] = "must never be written"};
    if (item->access != ACCESS_SERVICE) {
        bind_report_error(r->report, place, NULL, "'%s' %s", item->key, why[item->access]);
        return false;
    }
    if (item->level > r->level) {
        bind_report_error(r->report, place, "put a `login` with level administrator before this step",
                          "'%s' needs an administrator login", item->key);
        return false;
    }
    return true;
}

static void add(struct resolve *r, const struct profile_item *item, const char *text, struct bind_place place)
{
    struct item_value value;
    g_autoptr(GError) wrong = NULL;
    if (!profile_value_parse(item, text, &value, &wrong))
        bind_report_error(r->report, place, NULL, "%s: %s", item->key, wrong->message);
    else
        g_array_append_val(r->values, value);
    g_hash_table_add(r->named, (gpointer)item->key);
}

static void add_pair(struct resolve *r, const struct bind_pair *pair)
{
    const struct profile_item *item = profile_item_find(r->profile, pair->key);
    if (!item) {
        const char *near = profile_item_suggest(r->profile, pair->key);
        g_autofree char *hint = near ? g_strdup_printf("did you mean '%s'?", near) : NULL;
        bind_report_error(r->report, pair->key_place, hint, "profile '%s' has no item '%s'",
                          r->profile->profile, pair->key);
        return;
    }
    g_autofree char *text = text_of(r, item, pair);
    if (text && may_write(r, item, pair->key_place))
        add(r, item, text, pair->value_place);
    if (text && item->secret)
        explicit_bzero(text, strlen(text));
}

/* Capacities are the capacity step's: the boards keep one value under two names, and only one may decide it.
 */
static bool is_parameter(const struct profile_item *item)
{
    return item->access == ACCESS_SERVICE && item->has_preset && item->quantity != QUANTITY_CHARGE &&
           (g_str_has_prefix(item->key, "protect.") || g_str_has_prefix(item->key, "alarm."));
}

static void add_presets(struct resolve *r, const struct recipe_items *items)
{
    for (guint i = 0; items->presets && i < r->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(r->profile->items, i);
        if (is_parameter(item) && !g_hash_table_contains(r->named, item->key) &&
            may_write(r, item, items->common.place))
            add(r, item, item->preset_text, items->common.place);
    }
}

static void add_set(struct resolve *r, const struct recipe_items *items)
{
    const struct profile_set *set = profile_set_find(r->profile, items->set);
    if (items->set && !set)
        bind_report_error(r->report, bind_place_of(r->recipe, items, "set"), NULL,
                          "profile '%s' has no set '%s'", r->profile->profile, items->set);
    for (guint i = 0; set && i < set->values->len; i++) {
        const struct bind_pair *pair = g_ptr_array_index(set->values, i);
        const struct profile_item *item = profile_item_find(r->profile, pair->key);
        if (!g_hash_table_contains(r->named, item->key) && may_write(r, item, items->common.place))
            add(r, item, pair->value, items->common.place);
    }
}

static void add_items(struct resolve *r, const struct recipe_items *items, struct bind_place place)
{
    for (guint i = 0; i < items->values->len; i++)
        add_pair(r, g_ptr_array_index(items->values, i));
    add_set(r, items);
    add_presets(r, items);
    if (r->values->len == 0 && bind_report_errors(r->report) == 0)
        bind_report_error(r->report, place, "add `values:`", "this step writes nothing");
}

/* Every representation a profile has of one capacity, so that no two can disagree. */
static const struct {
    const char *suffix;
    size_t offset;
} capacities[] = {
    {"nominal_capacity", offsetof(struct recipe_capacity, nominal)},
    {"full_capacity", offsetof(struct recipe_capacity, full)},
    {"set_full_charge_capacity", offsetof(struct recipe_capacity, full)},
    {"remaining_capacity", offsetof(struct recipe_capacity, remaining)},
    {"set_remaining_capacity", offsetof(struct recipe_capacity, remaining)},
};

static void add_capacity(struct resolve *r, const struct recipe_capacity *capacity, struct bind_place place)
{
    for (guint i = 0; i < r->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(r->profile->items, i);
        const char *dot = strrchr(item->key, '.');
        for (gsize k = 0; dot && k < G_N_ELEMENTS(capacities); k++) {
            if (strcmp(dot + 1, capacities[k].suffix) != 0 || item->quantity != QUANTITY_CHARGE ||
                item->access != ACCESS_SERVICE)
                continue;
            int64_t value = *(const int64_t *)((const char *)capacity + capacities[k].offset);
            g_autofree char *text = quantity_format(QUANTITY_CHARGE, value);
            if (may_write(r, item, place))
                add(r, item, text, place);
        }
    }
    if (r->values->len == 0)
        bind_report_error(r->report, place, NULL, "profile '%s' has no capacities to write",
                          r->profile->profile);
}

static void add_cells(struct resolve *r, const struct recipe_cells *cells, struct bind_place place)
{
    const struct profile_item *item =
        r->profile->cells_item ? profile_item_find(r->profile, r->profile->cells_item) : NULL;
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, cells->count);
    if (!item)
        bind_report_error(r->report, place, NULL, "profile '%s' has no cell count to write",
                          r->profile->profile);
    else if (may_write(r, item, place))
        add(r, item, text, place);
}

static void resolve_step(struct resolve *r, const struct bind_variant_value *step)
{
    const char *verb = step->variant->tag;
    if (strcmp(verb, "login") == 0)
        r->level = ((const struct recipe_login *)step->value)->level;
    else if (strcmp(verb, "identify") == 0) {
        const struct recipe_identify *identify = step->value;
        r->level = identify->login ? identify->level : r->level;
    } else if (strcmp(verb, "flash") == 0)
        r->level = 0; /* the application starts anew */
    else if (strcmp(verb, "restart") == 0) {
        const struct recipe_restart *restart = step->value;
        r->level = restart->login ? restart->level : 0;
    } else if (strcmp(verb, "write_identity") == 0 || strcmp(verb, "parameters") == 0 ||
               strcmp(verb, "switches") == 0)
        add_items(r, step->value, step->place);
    else if (strcmp(verb, "capacity") == 0)
        add_capacity(r, step->value, step->place);
    else if (strcmp(verb, "cells") == 0)
        add_cells(r, step->value, step->place);
}

bool plan_values_resolve(const struct recipe *recipe, const struct profile *profile,
                         const struct package *package, const struct plan_words *words,
                         struct plan_step *steps, struct bind_report *report)
{
    unsigned before = bind_report_errors(report);
    struct resolve r = {recipe, profile, package, words, report, .level = 0};
    for (guint i = 0; i < recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(recipe->steps, i);
        const struct recipe_common *common = step->value;
        r.values = g_array_new(FALSE, TRUE, sizeof(struct item_value));
        r.named = g_hash_table_new(g_str_hash, g_str_equal);
        resolve_step(&r, step);
        steps[i] =
            (struct plan_step){.verb = step->variant->tag, .title = common->title, .parameters = step->value};
        steps[i].value_count = r.values->len;
        steps[i].values = (struct item_value *)(void *)g_array_free(r.values, r.values->len == 0);
        g_hash_table_unref(r.named);
    }
    return bind_report_errors(report) == before;
}

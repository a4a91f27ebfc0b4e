/* The profile's rules over the whole set a board will hold: what the recipe writes, in order, over the
 * presets. */
#include "recipes/plan_files.h"

#include "proto/board.h"
#include "station/base/error.h"

#include <string.h>

struct rules {
    const struct recipe *recipe;
    const struct profile *profile;
    GHashTable *written; /* key → struct item_value* (borrowed) */
    GHashTable *presets; /* key → struct item_value* (owned) */
    GPtrArray *warnings;
    struct bind_report *report;
    GHashTable *waived; /* rule names that were needed */
};

static const struct item_value *lookup(void *context, const char *key)
{
    const struct rules *rules = context;
    const struct item_value *value = g_hash_table_lookup(rules->written, key);
    return value ? value : g_hash_table_lookup(rules->presets, key);
}

static const struct recipe_waiver *waiver_for(const struct rules *rules, const char *rule)
{
    for (guint i = 0; i < rules->recipe->waivers->len; i++) {
        const struct recipe_waiver *waiver = g_ptr_array_index(rules->recipe->waivers, i);
        if (strcmp(waiver->rule, rule) == 0)
            return waiver;
    }
    return NULL;
}

static bool set_holds(const struct rules *rules, const struct recipe_items *items, const char *key)
{
    const struct profile_set *set = profile_set_find(rules->profile, items->set);
    for (guint i = 0; set && i < set->values->len; i++)
        if (strcmp(((const struct bind_pair *)g_ptr_array_index(set->values, i))->key, key) == 0)
            return true;
    return false;
}

/* Where in the recipe the rule's first written item stands; the steps' place when only presets are involved.
 */
static struct bind_place place_of(const struct rules *rules, const struct profile_rule *rule)
{
    const char *keys[] = {rule->left, rule->right, rule->cells};
    for (gsize k = 0; k < G_N_ELEMENTS(keys); k++)
        for (guint i = 0; keys[k] && i < rules->recipe->steps->len; i++) {
            const struct bind_variant_value *step = g_ptr_array_index(rules->recipe->steps, i);
            static const char *const with_values[] = {"write_identity", "parameters", "switches"};
            for (gsize v = 0; v < G_N_ELEMENTS(with_values); v++) {
                if (strcmp(step->variant->tag, with_values[v]) != 0)
                    continue;
                const struct recipe_items *items = step->value;
                for (guint p = 0; p < items->values->len; p++) {
                    const struct bind_pair *pair = g_ptr_array_index(items->values, p);
                    if (strcmp(pair->key, keys[k]) == 0)
                        return pair->value_place;
                }
                if (set_holds(rules, items, keys[k]))
                    return bind_place_of(rules->recipe, items, "set");
            }
        }
    return bind_place_of(rules->recipe, rules->recipe, "steps");
}

static void violated(void *context, const struct profile_rule *rule, const char *sentence)
{
    struct rules *rules = context;
    const struct recipe_waiver *waiver = waiver_for(rules, rule->name);
    bool both_preset = rule->left && !g_hash_table_contains(rules->written, rule->left) &&
                       (!rule->right || !g_hash_table_contains(rules->written, rule->right));
    if (waiver && rule->waivable) {
        g_hash_table_add(rules->waived, rule->name);
        g_ptr_array_add(rules->warnings, g_strdup_printf("rule '%s' is waived: %s (%s)", rule->name,
                                                         waiver->reason, sentence));
        return;
    }
    g_autofree char *hint =
        rule->waivable ? g_strdup_printf("change the value, or waive the rule '%s' with a reason", rule->name)
        : both_preset  ? g_strdup("the profile's presets break it: write other values")
                       : NULL;
    bind_report_error(rules->report, place_of(rules, rule), hint, "%s%s%s", sentence,
                      rule->because ? ": " : "", rule->because ? rule->because : "");
}

static void check_waivers(struct rules *rules)
{
    for (guint i = 0; i < rules->recipe->waivers->len; i++) {
        const struct recipe_waiver *waiver = g_ptr_array_index(rules->recipe->waivers, i);
        bool known = false, waivable = false;
        for (guint k = 0; k < rules->profile->rules->len; k++) {
            const struct profile_rule *rule = g_ptr_array_index(rules->profile->rules, k);
            if (strcmp(rule->name, waiver->rule) == 0) {
                known = true;
                waivable |= rule->waivable;
            }
        }
        struct bind_place place = bind_place_of(rules->recipe, waiver, "rule");
        if (!known)
            bind_report_error(rules->report, place, NULL, "profile '%s' has no rule '%s'",
                              rules->profile->profile, waiver->rule);
        else if (!waivable)
            bind_report_error(rules->report, place, NULL, "rule '%s' cannot be waived", waiver->rule);
        else if (!g_hash_table_contains(rules->waived, waiver->rule))
            bind_report_warning(rules->report, place, "remove it",
                                "rule '%s' is not broken, its waiver is not needed", waiver->rule);
    }
}

static const struct bind_variant_value *step_of(const struct recipe *recipe, const char *verb)
{
    for (guint i = 0; i < recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(recipe->steps, i);
        if (strcmp(step->variant->tag, verb) == 0)
            return step;
    }
    return NULL;
}

/* A board with anti-theft must not leave with it. */
static void check_antitheft(const struct rules *rules)
{
    const struct bind_variant_value *identity = step_of(rules->recipe, "write_identity");
    bool has = false;
    for (guint i = 0; i < rules->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(rules->profile->items, i);
        has |= item->type == ITEM_FLAG && g_str_has_prefix(item->key, "antitheft.");
    }
    if (has && identity && !step_of(rules->recipe, "antitheft_off"))
        bind_report_error(
            rules->report, identity->place, "add `- do: antitheft_off`",
            "a provisioned board must leave with anti-theft off, or it locks itself after 48 h of silence");
}

static bool writes(const struct plan_step *step, const char *key)
{
    for (unsigned i = 0; i < step->value_count; i++)
        if (strcmp(step->values[i].item->key, key) == 0)
            return true;
    return false;
}

/* Boards with one gain for both directions take it from a charge. */
static void check_gain(const struct rules *rules)
{
    for (guint i = 0; i < rules->recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(rules->recipe->steps, i);
        const struct recipe_calibrate_gain *gain = step->value;
        if (strcmp(step->variant->tag, "calibrate_gain") != 0 || gain->current >= 0 ||
            profile_has_discharge_gain(rules->profile))
            continue;
        g_autofree char *shown = quantity_format(QUANTITY_CURRENT, gain->current);
        bind_report_error(
            rules->report, bind_place_of(rules->recipe, gain, "current"), "write a charging current",
            "current: %s is out of range, expected 10 A to 50 A: this board has no gain of its own for "
            "a discharge",
            shown);
    }
}

/* A board without an identity of its own gets its number before anything else, so that from then on a swapped
 * one is noticed. */
static void check_first_write(const struct rules *rules, const struct plan_step *steps)
{
    const struct profile_item *serial = profile_item_find(rules->profile, rules->profile->serial_item);
    if (rules->profile->unit != UNIT_SERIAL_NUMBER || (serial && serial->access == ACCESS_READ_ONLY))
        return;
    for (guint i = 0; i < rules->recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(rules->recipe->steps, i);
        if (writes(&steps[i], rules->profile->serial_item))
            return;
        if (steps[i].value_count == 0 && !g_str_has_prefix(steps[i].verb, "calibrate") &&
            strcmp(steps[i].verb, "clock") != 0)
            continue;
        bind_report_error(
            rules->report, step->place, "put `write_identity` with it before this step",
            "this board is known by '%s' alone, and this step changes it before that is written",
            rules->profile->serial_item);
        return;
    }
}

/* A board that nothing tells from others may be the wrong one at every step. */
static void check_label_only(const struct rules *rules, const struct plan_step *steps)
{
    for (guint i = 0; rules->profile->unit == UNIT_LABEL && i < rules->recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(rules->recipe->steps, i);
        if (steps[i].value_count == 0 && !g_str_has_prefix(steps[i].verb, "calibrate") &&
            strcmp(steps[i].verb, "flash") != 0)
            continue;
        bind_report_error(rules->report, step->place, "take the step out",
                          "nothing tells this board from others, so no recipe may change it");
    }
}

/* A changed cell count moves every pack limit: they must come in the same recipe. */
static void check_cell_count(const struct rules *rules)
{
    const char *key = rules->profile->cells_item;
    const struct item_value *written = key ? g_hash_table_lookup(rules->written, key) : NULL;
    const struct item_value *preset = key ? g_hash_table_lookup(rules->presets, key) : NULL;
    if (!written || (preset && written->value == preset->value))
        return;
    for (guint k = 0; k < rules->profile->rules->len; k++) {
        const struct profile_rule *rule = g_ptr_array_index(rules->profile->rules, k);
        if ((rule->check == CHECK_PACK_UPPER || rule->check == CHECK_PACK_LOWER) &&
            !g_hash_table_contains(rules->written, rule->left))
            bind_report_error(rules->report, bind_place_of(rules->recipe, rules->recipe, "steps"), NULL,
                              "the cell count becomes %" G_GINT64_FORMAT " but '%s' is not written anew",
                              written->value, rule->left);
    }
}

/* A limit on what the board never tells would fail every unit. A profile that names no readings leaves them
 * to its dialect. */
static void check_readings(const struct rules *rules)
{
    uint32_t told = 0;
    for (guint i = 0; i < rules->profile->telemetry->len; i++)
        told |=
            1u << ((const struct profile_reading *)g_ptr_array_index(rules->profile->telemetry, i))->reading;
    for (guint s = 0; told && s < rules->recipe->steps->len; s++) {
        const struct bind_variant_value *step = g_ptr_array_index(rules->recipe->steps, s);
        const struct recipe_measure *measure = step->value;
        for (guint i = 0; strcmp(step->variant->tag, "measure") == 0 && i < measure->limits->len; i++) {
            const struct recipe_limit *limit = g_ptr_array_index(measure->limits, i);
            if (!(told >> recipe_readings()[limit->reading].from & 1))
                bind_report_error(rules->report, bind_place_of(rules->recipe, limit, "read"),
                                  "take the limit out", "boards of profile '%s' do not report '%s'",
                                  rules->profile->profile, limit->read);
        }
    }
}

static void add_presets(struct rules *rules)
{
    for (guint i = 0; i < rules->profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(rules->profile->items, i);
        struct item_value value;
        g_autoptr(GError) wrong = NULL;
        if (item->has_preset && item->preset_text &&
            profile_value_parse(item, item->preset_text, &value, &wrong))
            g_hash_table_replace(rules->presets, item->key, g_memdup2(&value, sizeof value));
    }
}

/* The cells are those of the set of values that the recipe names last. */
const char *plan_chemistry(const struct recipe *recipe, const struct profile *profile)
{
    const char *chemistry = profile->chemistry;
    for (guint i = 0; i < recipe->steps->len; i++) {
        const struct bind_variant_value *step = g_ptr_array_index(recipe->steps, i);
        if (strcmp(step->variant->tag, "parameters") != 0)
            continue;
        const struct profile_set *set =
            profile_set_find(profile, ((const struct recipe_items *)step->value)->set);
        if (set && set->chemistry)
            chemistry = set->chemistry;
    }
    return chemistry;
}

void plan_rules_check(const struct recipe *recipe, const struct profile *profile,
                      const struct plan_step *steps, GPtrArray *warnings, struct bind_report *report)
{
    struct rules rules = {.recipe = recipe, .profile = profile, .warnings = warnings, .report = report};
    rules.written = g_hash_table_new(g_str_hash, g_str_equal);
    rules.presets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    rules.waived = g_hash_table_new(g_str_hash, g_str_equal);
    add_presets(&rules);
    for (guint i = 0; i < recipe->steps->len; i++)
        for (unsigned k = 0; k < steps[i].value_count; k++)
            g_hash_table_replace(rules.written, steps[i].values[k].item->key, &steps[i].values[k]);
    if (g_hash_table_size(rules.written) > 0)
        profile_check_rules(profile, plan_chemistry(recipe, profile), lookup, violated, &rules);
    check_waivers(&rules);
    check_cell_count(&rules);
    check_antitheft(&rules);
    check_readings(&rules);
    check_gain(&rules);
    check_first_write(&rules, steps);
    check_label_only(&rules, steps);
    g_hash_table_unref(rules.written);
    g_hash_table_unref(rules.presets);
    g_hash_table_unref(rules.waived);
}

void plan_package_check(const struct recipe *recipe, const struct profile *profile,
                        const struct package *package, struct bind_report *report)
{
    struct bind_place place = bind_place_of(recipe, recipe, "package");
    const struct profile_firmware *firmware = &profile->firmware;
    const struct image *image = package->image;
    uint64_t first = (uint64_t)firmware->flash_address + (uint64_t)firmware->protect_size;
    uint64_t end = (uint64_t)firmware->flash_address + (uint64_t)firmware->flash_size;
    if (strcmp(package->manifest->product, profile->product) != 0)
        bind_report_error(report, place, NULL, "the package is for product '%s', the profile describes '%s'",
                          package->manifest->product, profile->product);
    if (!firmware->loader || !loader_kind_find(firmware->loader))
        bind_report_error(report, place, NULL, "profile '%s' names no loader for this package",
                          profile->profile);
    else if (image_first(image) < first || image_end(image) > end)
        bind_report_error(report, place, NULL,
                          "the image covers 0x%08X to 0x%08" G_GINT64_MODIFIER
                          "X, the board's flash is 0x%08" G_GINT64_MODIFIER "X to 0x%08" G_GINT64_MODIFIER
                          "X",
                          image_first(image), image_end(image), first, end);
}

/* The shipped profile is whole and says what the manual prints; broken ones are refused at their place. */
#include "proto/board.h"
#include "station/base/error.h"

#include <string.h>

static struct profile *load(const char *text, char **report_text)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new("p.yaml", bytes);
    struct profile *profile = profile_load("p.yaml", bytes, report);
    *report_text = bind_report_text(report);
    return profile;
}

static char *shipped(void)
{
    char *text = NULL;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/basen-lt55.yaml", &text, NULL, NULL));
    return text;
}

static void test_tables(void)
{
    GError *error = NULL;
    g_assert_true(bind_schema_check(&profile_schema, &error));
    g_assert_no_error(error);
}

static void test_shipped(void)
{
    g_autofree char *text = shipped(), *report = NULL;
    struct profile *p = load(text, &report);
    g_assert_cmpstr(report, ==, "");
    unsigned protect = 0, alarm = 0, switches = 0;
    for (guint i = 0; i < p->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(p->items, i);
        protect += g_str_has_prefix(item->key, "protect.");
        alarm += g_str_has_prefix(item->key, "alarm.");
        switches += g_str_has_prefix(item->key, "switch.");
    }
    g_assert_cmpuint(protect, ==, 53);
    g_assert_cmpuint(alarm, ==, 23);
    g_assert_cmpuint(switches, ==, 26);
    g_assert_true(p->has_reference);
    const struct {
        const char *key;
        int64_t preset, min, max, step;
    } printed[] = {{"protect.cell_ov_start", 3700, 1000, 6000, 1},
                   {"protect.pack_uv_start", 43200, 3000, 200000, 10},
                   {"protect.disc_oc1_start", 125000, 5000, 200000, 100},
                   {"protect.disc_ut_start", -20000, -50000, 200000, 100},
                   {"protect.uv_off_time", INT64_C(28800000000), 0, INT64_C(65535000000), 1000000},
                   {"protect.shorts_delay", 300, 50, 65000, 1},
                   {"alarm.chg_ot_stop", 65000, 5000, 200000, 100}};
    for (gsize i = 0; i < G_N_ELEMENTS(printed); i++) {
        const struct profile_item *item = profile_item_find(p, printed[i].key);
        g_assert_nonnull(item);
        g_assert_cmpint(item->preset, ==, printed[i].preset);
        g_assert_cmpint(item->min, ==, printed[i].min);
        g_assert_cmpint(item->max, ==, printed[i].max);
        g_assert_cmpint(item->step, ==, printed[i].step);
    }
    g_assert_cmpint(profile_item_find(p, "identity.serial_number")->evidence, ==, EVIDENCE_RELATIVE_PUBLIC);
    g_assert_cmpint(profile_item_find(p, "protect.cell_ov_start")->evidence, ==, EVIDENCE_REFERENCE);
    profile_free(p);
}

/* Every value of every item survives the way to the wire and back. */
static void test_values_round_trip(void)
{
    g_autofree char *text = shipped(), *report = NULL;
    struct profile *p = load(text, &report);
    for (guint i = 0; i < p->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(p->items, i);
        struct item_value value, back;
        uint8_t bytes[64] = {0};
        g_autoptr(GError) error = NULL;
        if (!item->preset_text)
            continue;
        g_assert_true(profile_value_parse(item, item->preset_text, &value, &error));
        profile_value_encode(&value, bytes);
        profile_value_decode(item, bytes, &back);
        g_assert_cmpint(back.raw, ==, value.raw);
        g_assert_cmpint(back.value, ==, value.value);
        g_autofree char *shown = profile_value_format(&back);
        g_assert_true(profile_value_parse(item, shown, &value, &error));
        g_assert_cmpint(back.raw, ==, value.raw);
    }
    profile_free(p);
}

static void test_values_refused(void)
{
    g_autofree char *text = shipped(), *report = NULL;
    struct profile *p = load(text, &report);
    static const struct {
        const char *key, *text, *says;
    } bad[] = {{"protect.cell_ov_start", "6.001 V", "range"},
               {"protect.cell_ov_start", "3650", "3650"},
               {"protect.cell_ov_start", "3.6505 V", "3.6505"},
               {"protect.pack_ov_start", "58.405 V", "steps of"},
               {"protect.lc_style", "1", "0, 3, 4, 5, 10"},
               {"protect.cell_ov_delay", "30s", "30 s"},
               {"protect.chg_ot_start", "65 V", "temperature"},
               {"switch.cell_ov", "yes", "true or false"},
               {"identity.serial_number", "1234567890123456789012345678901", "30"},
               {"identity.serial_number", "a\tb", "ASCII"},
               {"identity.serial_number", "", "empty"},
               {"identity.born_date", "2611", "hexadecimal"}};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct item_value value;
        g_autoptr(GError) error = NULL;
        g_assert_false(profile_value_parse(profile_item_find(p, bad[i].key), bad[i].text, &value, &error));
        g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
        if (!strstr(error->message, bad[i].says))
            g_error("%s: '%s' does not say '%s'", bad[i].key, error->message, bad[i].says);
    }
    profile_free(p);
}

/* A change of one line gives one finding, at that line. */
static void test_broken(void)
{
    static const struct {
        const char *from, *to, *says;
    } changes[] = {
        {"dialect: yd1363", "dialect: yd1364", "no dialect"},
        {"line: 9600-8N1", "line: 9600", "9600-8N1"},
        {"{name: login,", "{name: logon,", "no command 'logon'"},
        {"key: protect.cell_ov_delay,", "key: protect.cell_ov_start,", "twice"},
        {"block: protect, offset: 4,", "block: protect, offset: 3,", "overlaps"},
        {"block: alarm, offset: 44,", "block: alarm, offset: 45,", "behind its block"},
        {"preset: 3.38 V", "preset: 3.38 A", "voltage"},
        {"preset: 2.95 V, min: 0 V", "preset: 2.95 V, min: 7 V", "min is above max"},
        {"left: protect.cell_ov_start, right: protect.cell_ov_stop",
         "left: protect.cell_ov_strt, right: protect.cell_ov_stop", "did you mean 'protect.cell_ov_start'"},
        {"serial_item: identity.serial_number", "serial_item: identity.serial", "no item"},
        {"loader: an3155", "loader: an3156", "no loader"},
        {"line: 9600-8N1", "no_firmware: nobody knows\nline: 9600-8N1", "why no firmware is loaded"},
        {"charge_sign: 1", "charge_sign: 0", "1 or -1"},
        {"flash_size: 0x20000", "flash_size: 0x20001", "whole number of pages"}};
    g_autofree char *text = shipped();
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_auto(GStrv) parts = g_strsplit(text, changes[i].from, 2);
        g_autofree char *report = NULL;
        g_assert_nonnull(parts[1]);
        g_autofree char *broken = g_strjoin(changes[i].to, parts[0], parts[1], NULL);
        unsigned line = 1;
        for (const char *c = parts[0]; *c; c++)
            line += *c == '\n';
        g_autofree char *place = g_strdup_printf("p.yaml:%u:", line);
        g_assert_null(load(broken, &report));
        if (!strstr(report, changes[i].says) || !strstr(report, place))
            g_error("'%s' gives:\n%s", changes[i].to, report);
    }
}

struct rule_set {
    GHashTable *values;
    GString *sentences;
};

static const struct item_value *rule_lookup(void *context, const char *key)
{
    return g_hash_table_lookup(((struct rule_set *)context)->values, key);
}

static void rule_sink(void *context, const struct profile_rule *rule, const char *sentence)
{
    g_string_append_printf(((struct rule_set *)context)->sentences, "%s: %s\n", rule->name, sentence);
}

static unsigned check_set(const struct profile *p, const char *const *pairs, char **sentences)
{
    struct rule_set set = {g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free), g_string_new(NULL)};
    for (; *pairs; pairs += 2) {
        struct item_value value;
        GError *error = NULL;
        if (!profile_value_parse(profile_item_find(p, pairs[0]), pairs[1], &value, &error))
            g_error("%s %s: %s", pairs[0], pairs[1], error->message);
        g_hash_table_insert(set.values, (gpointer)pairs[0], g_memdup2(&value, sizeof value));
    }
    unsigned n = profile_check_rules(p, NULL, rule_lookup, rule_sink, &set);
    *sentences = g_string_free(set.sentences, FALSE);
    g_hash_table_unref(set.values);
    return n;
}

static void test_rules(void)
{
    g_autofree char *text = shipped(), *report = NULL;
    struct profile *p = load(text, &report);
    static const char *const good[] = {"protect.cell_ov_start",
                                       "3.7 V",
                                       "protect.cell_ov_stop",
                                       "3.38 V",
                                       "config.cell_count",
                                       "16",
                                       "protect.pack_ov_start",
                                       "58.4 V",
                                       NULL};
    static const struct {
        const char *pairs[7], *rule;
    } bad[] = {
        {{"protect.cell_ov_start", "3.5 V", "protect.cell_ov_stop", "3.5 V"}, "cell-ov-release"},
        {{"protect.cell_uv_start", "3 V", "protect.cell_uv_stop", "2.9 V"}, "cell-uv-release"},
        {{"config.full_capacity", "100 Ah", "config.nominal_capacity", "200 Ah"}, "capacity"},
        {{"config.full_capacity", "100 Ah", "protect.set_full_charge_capacity", "99 Ah"},
         "capacity-full-units"},
        {{"protect.cell_ov_start", "3.65 V", "config.cell_count", "15", "protect.pack_ov_start", "58.4 V"},
         "pack-ov-cells"},
        {{"protect.cell_uv_start", "2.7 V", "config.cell_count", "16", "protect.pack_uv_start", "43.1 V"},
         "pack-uv-cells"},
        {{"protect.chg_ut_start", "0 °C", "protect.chg_ut_stop", "-5 °C"}, "chg-ut-release"},
        {{"protect.disc_oc1_delay", "400 ms", "protect.disc_oc2_delay", "500 ms"}, "disc-oc-stage-delays"},
        {{"protect.chg_oc1_delay", "400 ms", "protect.chg_oc2_delay", "500 ms"}, "chg-oc-stage-delays"},
        {{"protect.cell_ov_stop", "2.9 V", "protect.cell_uv_stop", "2.95 V"}, "cell-release-window"},
        {{"protect.pack_ov_stop", "47 V", "protect.pack_uv_stop", "47.2 V"}, "pack-release-window"},
        {{"protect.chg_ot_stop", "5 °C", "protect.chg_ut_stop", "5 °C"}, "chg-temperature-window"},
        {{"protect.disc_ot_stop", "5 °C", "protect.disc_ut_stop", "5 °C"}, "disc-temperature-window"},
        {{"protect.env_ot_stop", "0 °C", "protect.env_ut_stop", "5 °C"}, "env-temperature-window"},
        {{"alarm.cell_ov_stop", "2.9 V", "alarm.cell_uv_stop", "2.95 V"}, "alarm-cell-window"},
        {{"alarm.pack_ov_stop", "47 V", "alarm.pack_uv_stop", "47.2 V"}, "alarm-pack-window"},
        {{"protect.disc_ot_start", "60 °C", "protect.chg_ot_start", "65 °C"}, "chg-ot-inside-disc"},
        {{"protect.chg_ut_start", "-25 °C", "protect.disc_ut_start", "-20 °C"}, "chg-ut-inside-disc"},
        {{"protect.pack_ov_start", "56 V", "protect.const_pack_v", "56 V"}, "constant-voltage-below-ov"},
        {{"protect.const_pack_v", "47.2 V", "protect.pack_uv_stop", "47.2 V"}, "constant-voltage-above-uv"},
        {{"protect.chg_oc1_start", "20 A", "protect.const_current", "20000 mA"}, "constant-current-below-oc"},
        {{"protect.cell_ov_start", "3.45 V", "protect.balance_start_vol", "3.45 V"}, "balance-below-ov"},
        {{"protect.balance_start_vol", "2.9 V", "protect.cell_uv_stop", "2.95 V"}, "balance-above-uv"},
        {{"protect.pack_ov_stop", "54.1 V", "protect.cell_ov_stop", "3.38 V", "config.cell_count", "16"},
         "pack-ov-release-cells"},
        {{"protect.pack_uv_stop", "47.1 V", "protect.cell_uv_stop", "2.95 V", "config.cell_count", "16"},
         "pack-uv-release-cells"},
        {{"protect.const_pack_v", "56 V", "protect.cell_ov_start", "3.65 V", "config.cell_count", "15"},
         "constant-voltage-cells"},
        {{"alarm.pack_ov_start", "56.8 V", "alarm.cell_ov_start", "3.55 V", "config.cell_count", "15"},
         "alarm-pack-ov-cells"},
        {{"alarm.pack_ov_stop", "55 V", "alarm.cell_ov_start", "3.55 V", "config.cell_count", "15"},
         "alarm-pack-ov-release-cells"},
        {{"alarm.pack_uv_start", "46.4 V", "alarm.cell_uv_start", "2.9 V", "config.cell_count", "14"},
         "alarm-pack-uv-cells"},
        {{"alarm.pack_uv_stop", "47.2 V", "alarm.cell_uv_stop", "2.95 V", "config.cell_count", "15"},
         "alarm-pack-uv-release-cells"},
        {{"protect.set_full_charge_capacity", "99 Ah", "protect.set_remaining_capacity", "100 Ah"},
         "capacity-remaining-ah"}};
    g_autofree char *none = NULL;
    g_assert_cmpuint(check_set(p, good, &none), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *sentences = NULL;
        g_assert_cmpuint(check_set(p, bad[i].pairs, &sentences), ==, 1);
        g_assert_true(g_str_has_prefix(sentences, bad[i].rule));
    }
    profile_free(p);
}

/* The manual's own values keep every rule but the two that the manual itself breaks. */
static void test_presets_keep_rules(void)
{
    g_autofree char *text = shipped(), *report = NULL, *sentences = NULL;
    struct profile *p = load(text, &report);
    g_autoptr(GPtrArray) pairs = g_ptr_array_new();
    for (guint i = 0; i < p->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(p->items, i);
        if (item->has_preset && item->preset_text) {
            g_ptr_array_add(pairs, item->key);
            g_ptr_array_add(pairs, item->preset_text);
        }
    }
    g_ptr_array_add(pairs, NULL);
    g_assert_cmpuint(pairs->len, >, 2 * 100);
    unsigned broken = check_set(p, (const char *const *)pairs->pdata, &sentences);
    g_auto(GStrv) lines = g_strsplit(sentences, "\n", 0);
    if (broken != 2 || !g_str_has_prefix(lines[0], "alarm-chg-ot-release: ") ||
        !g_str_has_prefix(lines[1], "pack-release-inside-alarm: "))
        g_error("%s", sentences);
    profile_free(p);
}

/* The AFE split of register-machine families: a sum rule, tried on a profile of its own. */
static void test_sum_rule(void)
{
    static const char text[] = "schema: packline/profile/1\nprofile: split\nfamily: t\ndialect: "
                               "yd1363\ntitle: T\nproduct: T\nline: 9600-8N1\n"
                               "blocks:\n  - {name: b, number: 1, size: 8, evidence: reference}\nitems:\n"
                               "  - {key: a.cells, name: C, block: b, offset: 0, type: u8}\n  - {key: a.m, "
                               "name: M, block: b, offset: 1, type: u8}\n"
                               "  - {key: a.s, name: S, block: b, offset: 2, type: u8}\nrules:\n"
                               "  - {name: split, check: sum, left: a.cells, parts: [a.m, a.s]}\n";
    static const char *const good[] = {"a.cells", "23", "a.m", "12", "a.s", "11", NULL};
    static const char *const bad[] = {"a.cells", "24", "a.m", "12", "a.s", "11", NULL};
    g_autofree char *report = NULL, *first = NULL, *second = NULL;
    struct profile *p = load(text, &report);
    g_assert_cmpstr(report, ==, "");
    g_assert_cmpuint(check_set(p, good, &first), ==, 0);
    g_assert_cmpuint(check_set(p, bad, &second), ==, 1);
    g_assert_nonnull(strstr(second, "add up to 23"));
    profile_free(p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile/tables", test_tables);
    g_test_add_func("/profile/shipped", test_shipped);
    g_test_add_func("/profile/round-trip", test_values_round_trip);
    g_test_add_func("/profile/refused", test_values_refused);
    g_test_add_func("/profile/broken", test_broken);
    g_test_add_func("/profile/rules", test_rules);
    g_test_add_func("/profile/presets-keep-rules", test_presets_keep_rules);
    g_test_add_func("/profile/sum-rule", test_sum_rule);
    return g_test_run();
}

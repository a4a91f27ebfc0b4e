/* Dates, sessions, values shown elsewhere, discharges: what a profile may say of them, and what not. */
#include "proto/profile.h"
#include "station/base/error.h"

#include <string.h>

static struct profile *load_text(const char *text, char **report_text)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new("p.yaml", bytes);
    struct profile *profile = profile_load("p.yaml", bytes, report);
    if (report_text)
        *report_text = bind_report_text(report);
    return profile;
}

static char *shipped(void)
{
    char *text = NULL;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/jbd-sp04s020.yaml", &text, NULL, NULL));
    return text;
}

static void test_dates(void)
{
    static const struct {
        const char *text;
        int raw;                        /* -1 = refused */
    } rows[] = {{"2020-02-24", 10328},  /* the maker's parameter file */
                {"2016-03-24", 0x2078}, /* protocol V4 */
                {"2000-01-01", 33},     {"2127-12-31", 0xff9f},
                {"1999-12-31", -1},     {"2128-01-01", -1},
                {"2026-02-29", -1},     {"2026-00-10", -1},
                {"2026-1-10", -1},      {"2026-01-10 ", -1},
                {"26-01-10", -1},       {"", -1}};
    g_autofree char *text = shipped();
    struct profile *p = load_text(text, NULL);
    const struct profile_item *item = profile_item_find(p, "identity.manufacture_date");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct item_value value, again;
        uint8_t bytes[2];
        g_autoptr(GError) error = NULL;
        bool ok = profile_value_parse(item, rows[i].text, &value, &error);
        g_assert_cmpint(ok, ==, rows[i].raw >= 0);
        if (!ok) {
            g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
            continue;
        }
        g_assert_cmpint(value.raw, ==, rows[i].raw);
        profile_value_encode(&value, bytes);
        profile_value_decode(item, bytes, &again);
        g_autofree char *shown = profile_value_format(&again);
        g_assert_cmpstr(shown, ==, rows[i].text);
    }
    struct item_value none;
    const uint8_t unset[] = {0, 0};
    profile_value_decode(item, unset, &none);
    g_assert_true(none.absent);
    profile_free(p);
}

static void test_refused(void)
{
    static const struct {
        const char *from, *to, *says;
    } edits[] = {
        {"shown_by: live.remaining_capacity", "shown_by: live.pack_voltage", "cannot show what is written"},
        {"shown_by: live.remaining_capacity", "shown_by: live.remaining_capacitx", "did you mean"},
        {"shown_by: live.remaining_capacity", "shown_by: control.remaining_capacity",
         "cannot show what is written"},
        {"  - procedure: open\n", "  - procedure: sleep\n", "needs a session"},
        {"value: discharge", "value: discharging", "`charge`, `discharge`"},
        {"serial_item: identity.barcode", "serial_item: identity.serial_number", "needs an item of text"},
        {"serial_item: identity.barcode\n", "", "needs an item of text"},
    };
    g_autofree char *text = shipped();
    for (gsize i = 0; i < G_N_ELEMENTS(edits); i++) {
        g_auto(GStrv) parts = g_strsplit(text, edits[i].from, 2);
        g_assert_nonnull(parts[1]);
        g_autofree char *edited = g_strjoinv(edits[i].to, parts);
        g_autofree char *findings = NULL;
        g_assert_null(load_text(edited, &findings));
        if (!strstr(findings, edits[i].says))
            g_error("'%s' is not in: %s", edits[i].says, findings);
    }
}

static void test_discharge_gain(void)
{
    g_autofree char *text = shipped();
    struct profile *p = load_text(text, NULL);
    g_assert_true(profile_has_discharge_gain(p));
    profile_free(p);
    g_auto(GStrv) parts =
        g_strsplit(text, "      - {do: write, item: calibration.current_discharge, value: discharge}\n", 2);
    g_autofree char *edited = g_strjoinv("", parts);
    p = load_text(edited, NULL);
    g_assert_false(profile_has_discharge_gain(p));
    profile_free(p);
}

/* What stands behind a number in memory survives its being read. */
static void test_charge_sign(void)
{
    g_autofree char *text = shipped();
    g_auto(GStrv) parts = g_strsplit(text, "charge_sign: 1", 2);
    g_autofree char *edited = g_strjoinv("charge_sign: -1", parts);
    struct profile *p = load_text(edited, NULL);
    g_assert_nonnull(p);
    g_assert_cmpint(p->charge_sign, ==, -1);
    g_assert_cmpint(p->unit, ==, UNIT_SERIAL_NUMBER);
    g_assert_cmpuint(p->blocks->len, >, 10);
    profile_free(p);
}

/* A list of voltages is no number of cells, whatever its first one says. */
static void test_cells_item(void)
{
    g_autofree char *text = shipped(), *said = NULL;
    g_auto(GStrv) parts = g_strsplit(text, "cells_item: config.cell_count", 2);
    g_autofree char *edited = g_strjoinv("cells_item: calibration.cell", parts);
    struct profile *p = load_text(edited, &said);
    g_assert_nonnull(strstr(said, "'calibration.cell' is no count of cells but a list"));
    profile_free(p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/profile_forms/dates", test_dates);
    g_test_add_func("/profile_forms/refused", test_refused);
    g_test_add_func("/profile_forms/discharge_gain", test_discharge_gain);
    g_test_add_func("/profile_forms/charge_sign", test_charge_sign);
    g_test_add_func("/profile_forms/cells_item", test_cells_item);
    return g_test_run();
}

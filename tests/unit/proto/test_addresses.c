/* A profile that a site completed: only addresses move, known ones say from where, and the profile is the one
 * that was locked. */
#include "proto/board.h"
#include "proto/parameters.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <string.h>

static GBytes *shipped(void)
{
    GError *error = NULL;
    GBytes *bytes = bind_read_file(SOURCE_DIR "/recipes/boards/basen-lt55.yaml", BIND_FILE_MAX, &error);
    g_assert_no_error(error);
    return bytes;
}

static GBytes *give_base(void *context, const char *sha256, GError **error)
{
    (void)sha256;
    if (context)
        return g_bytes_ref(context);
    error_set(error, ERROR_ABSENT, "no such file is kept");
    return NULL;
}

static struct profile *load(const char *text, GBytes *base, char **findings)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new("site.yaml", bytes);
    struct profile *profile = profile_load_from("site.yaml", bytes, give_base, base, report);
    *findings = bind_report_text(report);
    return profile;
}

static char *begun(GBytes *base)
{
    g_autoptr(bind_report_auto) report = bind_report_new("base", base);
    struct profile *profile = profile_load("base", base, report);
    g_assert_nonnull(profile);
    char *text = profile_addresses_text(profile, "site", "basen-lt55.yaml");
    profile_free(profile);
    return text;
}

static char *replace(const char *text, const char *what, const char *by)
{
    g_auto(GStrv) parts = g_strsplit(text, what, 2);
    g_assert_nonnull(parts[1]);
    return g_strjoinv(by, parts);
}

static void test_tables(void)
{
    GError *error = NULL;
    g_assert_true(bind_schema_check(&profile_addresses_schema, &error));
    g_assert_true(bind_schema_check(&parameters_schema, &error));
    g_assert_no_error(error);
}

/* What `profile new` writes is the profile itself, under another name and hash. */
static void test_begun(void)
{
    g_autoptr(GBytes) base = shipped();
    g_autofree char *text = begun(base), *findings = NULL;
    g_autoptr(bind_report_auto) report = bind_report_new("base", base);
    struct profile *was = profile_load("base", base, report), *is = load(text, base, &findings);
    g_assert_cmpstr(findings, ==, "");
    g_assert_cmpstr(is->profile, ==, "site");
    g_assert_cmpstr(is->sha256, !=, was->sha256);
    g_assert_cmpstr(is->evidence, ==, was->evidence);
    g_assert_true(is->has_reference);
    g_assert_cmpuint(is->items->len, ==, was->items->len);
    for (guint i = 0; i < is->items->len; i++) {
        const struct profile_item *a = is->items->pdata[i], *b = was->items->pdata[i];
        g_assert_cmpstr(a->key, ==, b->key);
        g_assert_cmpstr(a->block, ==, b->block);
        g_assert_cmpint(a->offset, ==, b->offset);
        g_assert_cmpint(a->min, ==, b->min);
    }
    profile_free(was);
    profile_free(is);
}

/* When every address is known, the profile is no reference any more and may go onto a physical wire. */
static void test_completed(void)
{
    g_autoptr(GBytes) base = shipped();
    g_autofree char *text = begun(base), *findings = NULL;
    g_auto(GStrv) parts = g_strsplit(text, "evidence: reference}", -1);
    g_autofree char *known = g_strjoinv("evidence: measured, source: \"trace 7\"}", parts);
    g_autofree char *moved = replace(known, "name: alarm, number: 0x0002", "name: alarm, number: 0x0042");
    struct profile *profile = load(moved, base, &findings);
    g_assert_cmpstr(findings, ==, "");
    g_assert_false(profile->has_reference);
    g_assert_cmpint(profile_block_find(profile, "alarm")->number, ==, 0x42);
    g_assert_null(strstr(profile->evidence, "reference"));
    profile_free(profile);
}

static void test_refused(void)
{
    static const struct {
        const char *what, *by, *says;
    } cases[] = {
        {"{key: protect.cell_ov_start, block: protect, offset: 0, evidence: reference}",
         "{key: protect.cell_ov_start, block: protect, offset: 0, evidence: measured}", "without a source"},
        {"key: protect.cell_ov_start,", "key: protect.cell_ov_strat,", "did you mean"},
        {"key: protect.cell_ov_delay, block: protect, offset: 2",
         "key: protect.cell_ov_start, block: protect, offset: 2", "stands twice"},
        {"{name: alarm,", "{name: protect,", "stands twice"},
        {"block: protect, offset: 0, evidence", "block: protect, offset: 105, evidence",
         "with these addresses"},
        {"block: protect, offset: 0, evidence", "block: nowhere, offset: 0, evidence", "nowhere"},
        {"block: protect, offset: 0, evidence", "block: protect, offset: 0, min: 1 V, evidence", "min"},
        {"name: alarm, number: 0x0002, size: 46, in_image: true", "name: alarm, number: 0x0002, size: 46",
         "belongs to the parameter image"},
        {"name: login,", "name: lógin,", "lógin"},
        {"completes_sha256: ", "completes_sha256: 0", "64"},
    };
    g_autoptr(GBytes) base = shipped();
    g_autofree char *text = begun(base);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *findings = NULL, *wrong = replace(text, cases[i].what, cases[i].by);
        g_assert_null(load(wrong, base, &findings));
        if (!strstr(findings, cases[i].says))
            g_error("case %u: '%s' does not say '%s'", (unsigned)i, findings, cases[i].says);
    }
}

/* A profile that changed since, and one that is gone, are not taken in silence. */
static void test_locked(void)
{
    g_autoptr(GBytes) base = shipped();
    g_autofree char *text = begun(base), *findings = NULL, *gone = NULL, *again = NULL;
    gsize n;
    const char *data = g_bytes_get_data(base, &n);
    g_autofree char *whole = g_strndup(data, n);
    g_autofree char *edited = replace(whole, "preset: 3.70 V", "preset: 3.60 V");
    g_autoptr(GBytes) other = g_bytes_new(edited, strlen(edited));
    g_assert_null(load(text, other, &findings));
    g_assert_nonnull(strstr(findings, "is not the locked profile"));
    g_assert_null(load(text, NULL, &gone));
    g_assert_nonnull(strstr(gone, "no such file"));

    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("packline-addresses-XXXXXX", &error);
    g_autofree char *path = g_build_filename(folder, "basen-lt55.yaml", NULL);
    g_autofree char *site = g_build_filename(folder, "site.yaml", NULL);
    g_assert_true(g_file_set_contents(path, edited, -1, &error));
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new(site, bytes);
    g_autofree char *locked = profile_addresses_lock(site, bytes, report, &error);
    g_assert_no_error(error);
    struct profile *profile = load(locked, other, &again);
    g_assert_cmpstr(again, ==, "");
    g_assert_cmpint(profile_item_find(profile, "protect.cell_ov_start")->preset, ==, 3600);
    profile_free(profile);
    g_unlink(path);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/addresses/tables", test_tables);
    g_test_add_func("/addresses/begun", test_begun);
    g_test_add_func("/addresses/completed", test_completed);
    g_test_add_func("/addresses/refused", test_refused);
    g_test_add_func("/addresses/locked", test_locked);
    return g_test_run();
}

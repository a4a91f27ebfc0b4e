#include "station/base/error.h"

#include <gio/gio.h>
#include <stdbool.h>
#include <string.h>

/* Every kind has a whole rule; exit codes are those of the fixed interface, names are unique. */
static void test_rules(void)
{
    static const int codes[ERROR_KINDS] = {
        [ERROR_USAGE] = 2,   [ERROR_AUTHOR] = 3,    [ERROR_ABSENT] = 4,     [ERROR_CABLE] = 5,
        [ERROR_SILENT] = 5,  [ERROR_GARBLED] = 5,   [ERROR_MISMATCH] = 6,   [ERROR_REFUSED] = 1,
        [ERROR_LIMIT] = 1,   [ERROR_RULE] = 7,      [ERROR_TRUST] = 7,      [ERROR_INSTRUMENT] = 8,
        [ERROR_STORAGE] = 9, [ERROR_PRINTER] = 10,  [ERROR_CANCELLED] = 11, [ERROR_BUSY] = 12,
        [ERROR_HOLD] = 13,   [ERROR_INTERNAL] = 70,
    };
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (int kind = 0; kind < ERROR_KINDS; kind++) {
        g_autoptr(GError) error = g_error_new_literal(PACK_ERROR, kind, "x");
        const struct error_rule *rule = error_rule(error);
        g_assert_cmpint(error_kind(error), ==, kind);
        g_assert_cmpint(rule->exit_code, ==, codes[kind]);
        g_assert_true(g_str_has_suffix(rule->advice, "."));
        g_assert_true(g_hash_table_add(names, (gpointer)rule->name));
    }
}

/* A cable or a station's trouble is never counted against the board; only silence and noise are tried again.
 */
static void test_verdicts(void)
{
    for (int kind = 0; kind < ERROR_KINDS; kind++) {
        g_autoptr(GError) error = g_error_new_literal(PACK_ERROR, kind, "x");
        const struct error_rule *rule = error_rule(error);
        bool blames_board = kind == ERROR_SILENT || kind == ERROR_GARBLED || kind == ERROR_MISMATCH ||
                            kind == ERROR_REFUSED || kind == ERROR_LIMIT || kind == ERROR_RULE ||
                            kind == ERROR_TRUST;
        g_assert_cmpint(rule->verdict == ERROR_VERDICT_FAIL, ==, blames_board);
        g_assert_cmpint(rule->retry, ==, kind == ERROR_SILENT || kind == ERROR_GARBLED);
    }
}

static void test_foreign(void)
{
    g_autoptr(GError) foreign = g_error_new_literal(G_IO_ERROR, ERROR_USAGE, "x");
    g_autoptr(GError) beyond = g_error_new_literal(PACK_ERROR, ERROR_KINDS, "x");
    g_autoptr(GError) negative = g_error_new_literal(PACK_ERROR, -1, "x");
    g_assert_cmpint(error_kind(foreign), ==, ERROR_INTERNAL);
    g_assert_cmpint(error_kind(beyond), ==, ERROR_INTERNAL);
    g_assert_cmpint(error_kind(negative), ==, ERROR_INTERNAL);
    g_assert_cmpint(error_kind(NULL), ==, ERROR_INTERNAL);
    g_assert_cmpstr(error_rule(NULL)->name, ==, "internal");
}

static void test_set(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(error_set(&error, ERROR_CABLE, "slot %d: %s", 3, "100%"));
    g_assert_error(error, PACK_ERROR, ERROR_CABLE);
    g_assert_cmpstr(error->message, ==, "slot 3: 100%");
    g_assert_false(error_set(NULL, ERROR_CABLE, "nobody listens"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/rules", test_rules);
    g_test_add_func("/error/verdicts", test_verdicts);
    g_test_add_func("/error/foreign", test_foreign);
    g_test_add_func("/error/set", test_set);
    return g_test_run();
}

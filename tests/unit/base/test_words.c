#include "station/base/words.h"

static void test_nearest(void)
{
    static const char *const words[] = {"timeout_ms", "timeout", "address", "do", "on", "cells", NULL};
    static const struct {
        const char *typed, *near;
    } cases[] = {
        {"timeot_ms", "timeout_ms"},
        {"timeuot", "timeout"},
        {"Timeout-MS", "timeout_ms"},
        {"adress", "address"},
        {"addr", "address"},
        {"addresses", "address"},
        {"od", "do"},

        {"xy", NULL},
        {"d", "do"},
        {"cells_in_series", "cells"},
        {"voltage", NULL},
        {"", NULL},
        {"ce", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].typed);
        g_assert_cmpstr(words_nearest(cases[i].typed, words), ==, cases[i].near);
    }
    g_autofree char *longest = g_strnfill(5000, 'a');
    g_assert_null(words_nearest(longest, words));
}

static void test_shown(void)
{
    g_autofree char *plain = words_shown("ä 字"), *control = words_shown("a\x1b[31m\tb\xc2\x85"),
                    *bidi = words_shown("\xe2\x80\xae"), *broken = words_shown("\xff");
    g_autofree char *hundred = g_strnfill(100, 'x'), *cut = words_shown(hundred),
                    *all = words_printable(hundred);
    g_assert_cmpstr(plain, ==, "'ä 字'");
    g_assert_cmpstr(control, ==, "'a\\x1B[31m\\x09b\\x85'");
    g_assert_cmpstr(bidi, ==, "'\\u202E'");
    g_assert_cmpstr(broken, ==, "'\xef\xbf\xbd'");
    g_assert_cmpuint(g_utf8_strlen(cut, -1), ==, WORDS_SHOWN_MAX + 3);
    g_assert_cmpstr(all, ==, hundred);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/words/nearest", test_nearest);
    g_test_add_func("/words/shown", test_shown);
    return g_test_run();
}

/* How mistakes are shown. */
#include "tests/unit/base/bind_sample.h"

#include "station/base/error.h"

static char *text_of(const char *text)
{
    g_autoptr(bind_report_auto) report = NULL;
    g_assert_null(sample_load(text, &report));
    return bind_report_text(report);
}

static void test_caret(void)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"schema: packline/sample/1\nmodel: a\n",
         "f.yaml:2:8: error: model: 'a' does not have the form [A-Z0-9-]+\n"
         "  model: a\n"
         "         ^\n"},
        /* one column a character, two for a wide one, none for a combining one */
        {"schema: packline/sample/1\nmodel: A\npairs: {ä: x}\n",
         "f.yaml:3:9: error: pairs: 'ä' does not have the "
         "form [a-z_]+\n"
         "  pairs: {ä: x}\n"
         "          ^\n"},
        {"schema: packline/sample/1\nmodel: A\ntexts: [äü, 字字, a\xcc\x81, ~]\n",
         "f.yaml:3:21: error: texts: no value, expected a text\n"
         "  texts: [äü, 字字, a\xcc\x81, ~]\n"
         "                       ^\n"},
        /* a tab before the place stands in both lines */
        {"schema: packline/sample/1\nmodel: A\ntexts: [\"a\tb\", ~]\n",
         "f.yaml:3:16: error: texts: no value, expected a text\n"
         "  texts: [\"a\tb\", ~]\n"
         "            \t    ^\n"},
        {"schema: packline/sample/1\r\nmodel: a\r\n",
         "f.yaml:2:8: error: model: 'a' does not have the form [A-Z0-9-]+\n"
         "  model: a\n"
         "         ^\n"},
        /* beyond the last line there is nothing to show */
        {"schema: packline/sample/1\nmodel: A\ntexts: [\n",
         "f.yaml:4:1: error: YAML: did not find expected node content (while parsing a flow node that starts "
         "at "
         "4:1)\n"},
        {"schema: packline/sample/1\nmodel: \xff\n",
         "f.yaml:2:8: error: byte 0xFF is not UTF-8 (save it as UTF-8)\n"
         "  model: \xef\xbf\xbd\n"
         "         ^\n"},
        {"schema: packline/sample/1\nmodel: \x1b[2J\n",
         "f.yaml:2:8: error: a control character U+001B (remove it)\n"
         "  model: \xef\xbf\xbd[2J\n"
         "         ^\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *shown = text_of(cases[i].text);
        g_assert_cmpstr(shown, ==, cases[i].shown);
    }
}

/* A long line is shown around the place; the caret still stands under it. */
static void test_long_line(void)
{
    g_autofree char *fill = g_strnfill(3000, 'x');
    g_autofree char *text =
        g_strdup_printf("schema: packline/sample/1\nmodel: A\ntexts: [%s, ~, %s]\n", fill, fill);
    g_autofree char *shown = text_of(text);
    g_auto(GStrv) lines = g_strsplit(shown, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 4);
    g_assert_true(g_str_has_prefix(lines[1], "  …xxx"));
    g_assert_true(g_str_has_suffix(lines[1], "xxx…"));
    g_assert_cmpuint(g_utf8_strlen(lines[1], -1), <, 170);
    g_assert_cmpint(g_utf8_offset_to_pointer(lines[1], (glong)strlen(lines[2]) - 1)[0], ==, '~');
}

static void test_order_and_parts(void)
{
    g_autoptr(bind_report_auto) report = bind_report_new("a\x1b.yaml", NULL);
    g_autoptr(GError) error = NULL;
    g_assert_true(bind_report_check(report, &error));
    bind_report_warning(report, (struct bind_place){2, 9}, NULL, "w");
    g_assert_true(bind_report_check(report, &error));
    g_assert_no_error(error);
    bind_report_error(report, (struct bind_place){2, 10}, "h\n", "second %d", 2);
    bind_report_error(report, (struct bind_place){2, 10}, NULL, "third");
    bind_report_error(report, (struct bind_place){0, 0}, NULL, "of the file \x1b");
    g_assert_cmpuint(bind_report_errors(report), ==, 3);
    g_assert_cmpuint(bind_report_warnings(report), ==, 1);
    g_autofree char *text = bind_report_text(report);
    g_assert_cmpstr(text, ==,
                    "a\\x1B.yaml: error: of the file \\x1B\n"
                    "a\\x1B.yaml:2:9: warning: w\n"
                    "a\\x1B.yaml:2:10: error: second 2 (h\\x0A)\n"
                    "a\\x1B.yaml:2:10: error: third\n");
    g_assert_false(bind_report_check(report, &error));
    g_assert_cmpint(error_kind(error), ==, ERROR_AUTHOR);
    g_assert_true(g_str_has_suffix(error->message, "error: third"));
    json_t *array = bind_report_json(report), *expected;
    expected =
        json_pack("[{s:s,s:i,s:i,s:s,s:s,s:n},{s:s,s:i,s:i,s:s,s:s,s:n},{s:s,s:i,s:i,s:s,s:s,s:s},"
                  "{s:s,s:i,s:i,s:s,s:s,s:n}]",
                  "file", "a\\x1B.yaml", "line", 0, "column", 0, "severity", "error", "message",
                  "of the file \\x1B", "hint", "file", "a\\x1B.yaml", "line", 2, "column", 9, "severity",
                  "warning", "message", "w", "hint", "file", "a\\x1B.yaml", "line", 2, "column", 10,
                  "severity", "error", "message", "second 2", "hint", "h\\x0A", "file", "a\\x1B.yaml", "line",
                  2, "column", 10, "severity", "error", "message", "third", "hint");
    g_assert_nonnull(expected);
    g_assert_true(json_equal(array, expected));
    json_decref(array);
    json_decref(expected);
    bind_report_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind/report/caret", test_caret);
    g_test_add_func("/bind/report/long-line", test_long_line);
    g_test_add_func("/bind/report/order", test_order_and_parts);
    return g_test_run();
}

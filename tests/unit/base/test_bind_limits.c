/* Every limit at the limit and one beyond, and texts made to cost time. */
#include "tests/unit/base/bind_sample.h"

#include "station/base/error.h"

#define HEAD        "schema: packline/sample/1\nmodel: A-1\n"
#define PATIENCE_US 1000000 /* a second, also under a sanitizer; the quadratic way needs many */

static char *repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    GString *out = g_string_new(head);
    for (size_t i = 0; i < count; i++)
        g_string_append(out, unit);
    g_string_append(out, tail);
    return g_string_free(out, FALSE);
}

static void expect(const char *text, const char *said)
{
    g_autofree char *got = sample_refusals(text);
    g_assert_cmpstr(got, ==, said);
}

static void test_file_size(void)
{
    g_autofree char *fill = g_strnfill(BIND_FILE_MAX - strlen(HEAD) - 1, 'x');
    g_autofree char *exact = g_strdup_printf("%s#%s", HEAD, fill),
                    *more = g_strdup_printf("%s#%sx", HEAD, fill);
    g_assert_cmpuint(strlen(exact), ==, BIND_FILE_MAX);
    expect(exact, "");
    expect(more, "1:1 a file of 262145 bytes, at most 262144 are accepted\n");
}

static void test_scalar_size(void)
{
    g_autofree char *exact = repeated(HEAD "texts: [", "x", BIND_SCALAR_MAX, "]\n");
    g_autofree char *more = repeated(HEAD "texts: [", "x", BIND_SCALAR_MAX + 1, ", b]\ncells: 99\n");
    g_autofree char *key = repeated(HEAD, "x", 1025, ": 1\n"), *reply = sample_refusals(key);
    expect(exact, "");
    expect(more, "3:9 a value of 4097 bytes, at most 4096 are accepted\n"
                 "4:8 cells: 99 is out of range, expected 1 to 32 (write 32 or less)\n");
    g_assert_nonnull(
        strstr(reply, "YAML: ")); /* a plain key has at most 1024 characters by YAML's own rule */
}

/* Levels: the root map is one, each '[' one more. */
static void test_depth(void)
{
    char open[BIND_DEPTH_MAX + 1] = {0}, close[BIND_DEPTH_MAX + 1] = {0};
    memset(open, '[', BIND_DEPTH_MAX - 1);
    memset(close, ']', BIND_DEPTH_MAX - 1);
    g_autofree char *exact = g_strdup_printf("%sinner: %s%s\n", HEAD, open, close);
    g_autofree char *more = g_strdup_printf("%sinner: [%s%s]\ncells: 99\n", HEAD, open, close);
    expect(exact, "3:8 inner: found a list, expected a map of keys\n");
    expect(more, "3:8 inner: found a list, expected a map of keys\n"
                 "3:23 nested deeper than 16 levels; reading stops here\n");
}

/* Around the elements there are stream, document, root map, three keys, two scalars and the list. */
static void test_events(void)
{
    const size_t around = 2 + 2 + 2 + 3 + 2 + 2, room = BIND_EVENTS_MAX - around;
    g_autofree char *exact = repeated(HEAD "texts: [", "a,", room, "]\n");
    g_autofree char *more = repeated(HEAD "texts: [", "a,", room + 1, "]\n");
    expect(exact, "");
    expect(more, "4:1 more than 20000 YAML events; reading stops here\n");
}

static void test_counts(void)
{
    g_autofree char *exact = repeated(HEAD "numbers: [", "1,", 1000, "]\n");
    g_autofree char *more = repeated(HEAD "numbers: [", "1,", 1001, "]\n");
    expect(exact, "");
    expect(more, "3:10 numbers: 1001 entries, expected 0 to 1000\n");
}

/* Errors are kept up to a hundred and counted beyond. */
static void test_many_errors(void)
{
    g_autofree char *text = repeated(HEAD "numbers: [", "x,", 150, "]\n");
    g_autoptr(bind_report_auto) report = NULL;
    g_assert_null(sample_load(text, &report));
    g_assert_cmpuint(bind_report_errors(report), ==, 150);
    g_autofree char *said = bind_report_text(report);
    g_assert_true(g_str_has_suffix(said, "f.yaml: 50 more, not shown\n"));
    json_t *array = bind_report_json(report);
    g_assert_cmpuint(json_array_size(array), ==, 101);
    g_assert_cmpstr(json_string_value(json_object_get(json_array_get(array, 100), "message")), ==,
                    "50 more, not shown");
    json_decref(array);
}

/* 100 kB of each: libyaml's own tree loader takes many seconds for some of these. */
static void test_bombs(void)
{
    static const char *const units[] = {
        "[", "{",   "- ",   "? ",    "a: ",   "[a,",   "{a: ",   "&a ",   "!a ", "*a ",   "\"",
        "'", "|\n", "a\n",  "\n",    "[]",    "{}",    "a: b\n", "- a\n", "# ",  "'a': ", ",",
        "%", "\t",  "--- ", "---\n", "...\n", "a:\n ", "?\n",    ":\n",   ": ",  "&\n",   "@"};
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        g_autofree char *text = repeated("", units[i], 100000 / strlen(units[i]), "");
        g_autofree char *after = repeated(HEAD, units[i], 100000 / strlen(units[i]), "");
        gint64 start = g_get_monotonic_time();
        g_autofree char *said = sample_refusals(text), *said_after = sample_refusals(after);
        gint64 took = g_get_monotonic_time() - start;
        g_test_message("%zu: %" G_GINT64_FORMAT " us", i, took);
        g_assert_true(said[0] && said_after);
        g_assert_cmpint(took, <, PATIENCE_US);
    }
}

/* Aliases that would grow to 2^26 values. */
static void test_billion_laughs(void)
{
    GString *text = g_string_new(HEAD "texts: &a0 [x]\n");
    for (int i = 1; i < 27; i++)
        g_string_append_printf(text, "k%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    g_autofree char *said = sample_refusals(text->str);
    g_assert_nonnull(strstr(said, "3:8 anchors are not accepted: 'a0'"));
    g_assert_nonnull(strstr(said, "4:10 aliases are not accepted: 'a0'"));
    g_string_free(text, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind/limits/file", test_file_size);
    g_test_add_func("/bind/limits/scalar", test_scalar_size);
    g_test_add_func("/bind/limits/depth", test_depth);
    g_test_add_func("/bind/limits/events", test_events);
    g_test_add_func("/bind/limits/counts", test_counts);
    g_test_add_func("/bind/limits/errors", test_many_errors);
    g_test_add_func("/bind/limits/bombs", test_bombs);
    g_test_add_func("/bind/limits/laughs", test_billion_laughs);
    return g_test_run();
}

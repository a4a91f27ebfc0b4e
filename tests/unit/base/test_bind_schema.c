/* JSON Schema, reference page and self-check made from a table. */
#include "tests/unit/base/bind_sample.h"

#include "station/base/error.h"

static json_t *property(json_t *schema, const char *key)
{
    json_t *found = json_object_get(json_object_get(schema, "properties"), key);
    g_assert_nonnull(found);
    return found;
}

static void expect_json(json_t *value, const char *text)
{
    json_t *expected = json_loads(text, JSON_DECODE_ANY, NULL);
    g_assert_nonnull(expected);
    if (!json_equal(value, expected)) {
        g_autofree char *got = json_dumps(value, JSON_ENCODE_ANY);
        g_assert_cmpstr(got, ==, text);
    }
    json_decref(expected);
}

static void test_json_schema(void)
{
    json_t *schema = bind_json_schema(&sample_schema);
    expect_json(json_object_get(schema, "$schema"), "\"http://json-schema.org/draft-07/schema#\"");
    expect_json(json_object_get(schema, "type"), "\"object\"");
    expect_json(json_object_get(schema, "additionalProperties"), "false");
    expect_json(json_object_get(schema, "required"), "[\"schema\",\"model\"]");
    expect_json(property(schema, "schema"), "{\"const\":\"packline/sample/1\"}");
    expect_json(property(schema, "model"),
                "{\"type\":[\"string\",\"number\",\"boolean\"],\"minLength\":1,\"maxLength\":4096,"
                "\"pattern\":\"^(?:[A-Z0-9-]+)$\",\"description\":\"The board's model.\"}");
    expect_json(property(schema, "cells"),
                "{\"type\":\"integer\",\"minimum\":1,\"maximum\":32,\"default\":16,"
                "\"description\":\"Cells in series.\"}");
    expect_json(property(schema, "flag"),
                "{\"type\":\"boolean\",\"default\":true,\"description\":\"A flag.\"}");
    expect_json(
        property(schema, "mode"),
        "{\"enum\":[\"slow\",\"fast\",\"turbo\"],\"default\":\"fast\",\"description\":\"How it is done.\\n"
        "slow: Takes its time.\\nfast: Hurries.\\nturbo: Hurries more.\"}");
    expect_json(property(schema, "timeout"),
                "{\"type\":\"string\",\"pattern\":\"^-?(0|[1-9][0-9]*)(\\\\.[0-9]+)? (s|ms|us|min|h|d)$\","
                "\"default\":\"30 s\",\"description\":\"How long to wait. (at least 1 ms)\"}");
    expect_json(property(schema, "count"), "{\"type\":\"integer\",\"description\":\"A count.\"}");
    expect_json(json_object_get(property(schema, "inner"), "required"), "[\"name\"]");
    expect_json(json_object_get(property(schema, "inner"), "additionalProperties"), "false");
    expect_json(json_object_get(property(schema, "list"), "maxItems"), "3");
    json_t *kinds = json_object_get(json_object_get(property(schema, "steps"), "items"), "oneOf");
    g_assert_cmpuint(json_array_size(kinds), ==, 2);
    expect_json(property(json_array_get(kinds, 1), "do"), "{\"const\":\"measure\"}");
    expect_json(json_object_get(json_array_get(kinds, 1), "required"), "[\"do\",\"name\"]");
    json_decref(schema);
}

/* The patterns say the same as the loader, as far as a pattern can. */
static void test_patterns_agree(void)
{
    static const struct {
        const char *key, *text;
        bool good;
    } cases[] = {
        {"timeout", "30 s", true},    {"timeout", "30s", false},    {"timeout", "030 s", false},
        {"timeout", "30", false},     {"timeout", "30 V", false},   {"timeout", "1.5 min", true},
        {"timeout", "1e3 s", false},  {"timeout", "+1 s", false},   {"timeout", "30  s", false},
        {"key", "01 02", true},       {"key", "0x0102", true},      {"key", "01 2", false},
        {"key", "01", false},         {"key", "0102030405", false}, {"key", "01020304", true},
        {"date", "2026-11-20", true}, {"date", "2026-1-20", false}, {"model", "A-1", true},
        {"model", "a", false},        {"model", "A B", false},
    };
    json_t *schema = bind_json_schema(&sample_schema);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *pattern = json_string_value(json_object_get(property(schema, cases[i].key), "pattern"));
        bool other = strcmp(cases[i].key, "model") == 0;
        g_autofree char *text = g_strdup_printf("schema: packline/sample/1\n%s%s: '%s'\n",
                                                other ? "" : "model: A\n", cases[i].key, cases[i].text);
        g_autofree char *said = sample_refusals(text);
        g_assert_cmpint(g_regex_match_simple(pattern, cases[i].text, 0, 0), ==, cases[i].good);
        g_assert_cmpint(said[0] == '\0', ==, cases[i].good);
    }
    json_decref(schema);
}

static void test_reference(void)
{
    static const char *const parts[] = {
        "# Sample files\n\nA sample file.\n\nThe first line of the file is `schema: packline/sample/1`.\n",
        "| `model` | text | required | form `[A-Z0-9-]+` | The board's model. |\n",
        "| `cells` | whole number | `16` | 1 to 32 | Cells in series. |\n",
        "| `address` | number, decimal or `0x…` | optional | 0x8000000 to 0x800FFFF | Where it goes \\| is "
        "loaded. |\n",
        "| `timeout` | time in s, ms, us, min, h, d | `30 s` | at least 1 ms | How long to wait. |\n",
        "| `inner` | map [`inner`](#inner) | optional |  | One inner map. |\n",
        "| `list` | list of [`inner`](#inner) | optional | 1 to 3 entries | Many inner maps. |\n",
        "| `pairs` | map of free keys | optional | keys of the form `[a-z_]+` | Free keys. |\n",
        "| `steps` | list of maps, each by its `do`: [`wait`](#stepswait), [`measure`](#stepsmeasure) | "
        "optional |",
        "\n`mode` is one of\n\n- `slow`: Takes its time.\n- `fast`: Hurries.\n",
        "\n## `inner`\n\nAn inner map.\n\n| key | type |",
        "| `name` | text | required | 2 to 16 bytes | Its name. |\n",
        "| `volt` | voltage in V, mV, kV | `3.2 V` | 2 V to 4 V | Its voltage. |\n",
        "\n## `steps[].wait`\n\nWaits.\n\n| key | type |",
        "| `do` | `wait` | required |  |  |\n| `time` | time in ",
    };
    g_autofree char *page = bind_reference(&sample_schema, "Sample files");
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_test_message("%s", parts[i]);
        g_assert_nonnull(strstr(page, parts[i]));
    }
    /* a table used twice is described once */
    char *first = strstr(page, "\n## `inner`");
    g_assert_null(strstr(first + 1, "\n## `inner`"));
}

static void expect_refused(const struct bind_field *fields, size_t size, const char *said)
{
    const struct bind_schema schema = {"t", "", size, 0, fields};
    g_autoptr(GError) error = NULL;
    g_assert_false(bind_schema_check(&schema, &error));
    g_assert_cmpint(error_kind(error), ==, ERROR_INTERNAL);
    g_assert_cmpstr(error->message, ==, said);
}

static void test_self_check(void)
{
    static const struct bind_choice twice[] = {{"a", 1, ""}, {"a", 2, ""}, {NULL, 0, NULL}};
    static const struct {
        struct bind_field fields[3];
        const char *said;
    } cases[] = {
        {{{.key = "a", .type = BIND_INTEGER, .offset = 12, .doc = "d"}},
         "table t: a: the member lies outside the struct"},
        {{{.key = "a", .type = BIND_INTEGER, .doc = "d"},
          {.key = "a", .type = BIND_INTEGER, .offset = 8, .doc = "d"}},
         "table t: a: the key stands twice in the table"},
        {{{.key = "a", .type = BIND_INTEGER, .doc = "d"},
          {.key = "b", .type = BIND_FLAG, .offset = 4, .doc = "d"}},
         "table t: b: the member overlaps another key's"},
        {{{.key = "a", .type = BIND_INTEGER, .min = 5, .max = 6, .preset = "7", .doc = "d"}},
         "table t: a: the preset is refused by the key itself"},
        {{{.key = "a", .type = BIND_INTEGER, .required = true, .preset = "7", .doc = "d"}},
         "table t: a: required keys have no preset"},
        {{{.key = "a", .type = BIND_TEXTS, .preset = "7", .doc = "d"}},
         "table t: a: only scalars have a preset"},
        {{{.key = "a", .type = BIND_TEXT, .pattern = "(", .doc = "d"}},
         "table t: a: the pattern does not compile"},
        {{{.key = "a", .type = BIND_HEX, .pattern = "x", .doc = "d"}},
         "table t: a: a pattern on a type that has none"},
        {{{.key = "a", .type = BIND_CHOICE, .doc = "d"}}, "table t: a: no choices"},
        {{{.key = "a", .type = BIND_CHOICE, .choices = twice, .doc = "d"}},
         "table t: a: a word twice among the choices"},
        {{{.key = "a", .type = BIND_LIST, .doc = "d"}}, "table t: a: no child table"},
        {{{.key = "a", .type = BIND_VARIANTS, .doc = "d"}}, "table t: a: no variants or no tag key"},
        {{{.key = "a", .type = BIND_INTEGER, .min = 5, .max = 4, .doc = "d"}},
         "table t: a: min is above max"},
        {{{.key = "a", .type = BIND_INTEGER}}, "table t: a: no doc"},
        {{{.key = "a", .type = BIND_MAP, .child = &sample_wait, .doc = "d"}},
         "table t: a: an embedded map may not be the first member"},
    };
    g_autoptr(GError) error = NULL;
    bool good = bind_schema_check(&sample_schema, &error);
    g_assert_no_error(error);
    g_assert_true(good);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_refused(cases[i].fields, 16, cases[i].said);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind/schema/json", test_json_schema);
    g_test_add_func("/bind/schema/patterns", test_patterns_agree);
    g_test_add_func("/bind/schema/reference", test_reference);
    g_test_add_func("/bind/schema/self-check", test_self_check);
    return g_test_run();
}

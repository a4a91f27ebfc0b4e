/* What the binder accepts: values, presets, places. */
#include "tests/unit/base/bind_sample.h"

#define HEAD "schema: packline/sample/1\nmodel: A-1\n"

static struct sample *load(const char *text, struct bind_report **report)
{
    struct sample *sample = sample_load(text, report);
    g_autofree char *said = bind_report_text(*report);
    g_assert_cmpstr(said, ==, "");
    g_assert_nonnull(sample);
    return sample;
}

static void test_presets(void)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample = load(HEAD, &report);
    g_assert_cmpstr(sample->model, ==, "A-1");
    g_assert_cmpint(sample->cells, ==, 16);
    g_assert_cmpint(sample->timeout_us, ==, 30000000);
    g_assert_cmpint(sample->mode, ==, 2);
    g_assert_true(sample->flag);
    g_assert_cmpint(sample->address, ==, 0);
    g_assert_cmpint(sample->date_us, ==, 0);
    g_assert_null(sample->key);
    /* an absent map has its keys' presets, no place, and nothing of its required keys */
    g_assert_null(sample->inner.name);
    g_assert_cmpint(sample->inner.volt_mv, ==, 3200);
    g_assert_cmpuint(sample->inner.place.line, ==, 0);
    g_assert_cmpuint(sample->list->len + sample->texts->len + sample->pairs->len + sample->steps->len, ==, 0);
    g_assert_cmpuint(sample->numbers->len, ==, 0);
    g_assert_cmpuint(sample->place.line, ==, 1);
    bind_free(&sample_schema, sample);
    bind_free(&sample_schema, NULL);
}

static void test_scalars(void)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample = load(HEAD "cells: 8\naddress: 0x0800Ff00\ntimeout: '1.5 min'\ndate: 2026-11-20\n"
                                      "count: -3\nflag: false\nmode: \"turbo\"\nkey: 01 a4FF\n",
                                 &report);
    g_assert_cmpint(sample->cells, ==, 8);
    g_assert_cmpint(sample->address, ==, 0x0800ff00);
    g_assert_cmpint(sample->timeout_us, ==, 90000000);
    g_assert_cmpint(sample->date_us, ==, INT64_C(1795132800000000)); /* date -u -d 2026-11-20 +%s */
    g_assert_cmpint(sample->count, ==, -3);
    g_assert_false(sample->flag);
    g_assert_cmpint(sample->mode, ==, 7);
    gsize size = 0;
    const guint8 *data = g_bytes_get_data(sample->key, &size);
    g_assert_cmpmem(data, size, "\x01\xa4\xff", 3);
    bind_free(&sample_schema, sample);
}

/* Another way to write the same, each accepted. */
static void test_forms(void)
{
    static const char *const forms[] = {
        "\xef\xbb\xbf" HEAD,
        "# comment\n\n---\n" HEAD "...\n",
        "schema: packline/sample/1\r\nmodel: A-1\r\n",
        "{schema: packline/sample/1, model: A-1}",
        "\"schema\": 'packline/sample/1'\n'model': \"A-1\"",
        HEAD "address: 134217728\n",
        HEAD "key: 0x0102\n",
        HEAD "key: 01   02\n",
        HEAD "texts: [yes, 1.10, \"null\", 'a\tb', \"\\t\"]\n",
        HEAD "texts:\n- |\n  two\n  lines\n- >-\n  folded\n  line\n",
        HEAD "numbers: [0, 0x1F, -4, 0x7fffffffffffffff]\n",
        HEAD "date: 2028-02-29\n",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *said = sample_refusals(forms[i]);
        g_assert_cmpstr(said, ==, "");
    }
}

static void test_lists(void)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample =
        load(HEAD "list:\n  - name: ab\n  - name: cd\n    volt: 2 V\ntexts: [x, \"y z\"]\n"
                  "numbers: [0x10, 7]\n",
             &report);
    const struct sample_inner *first = sample->list->pdata[0], *second = sample->list->pdata[1];
    g_assert_cmpuint(sample->list->len, ==, 2);
    g_assert_cmpstr(first->name, ==, "ab");
    g_assert_cmpint(first->volt_mv, ==, 3200);
    g_assert_cmpuint(first->place.line, ==, 4);
    g_assert_cmpuint(first->place.column, ==, 5);
    g_assert_cmpint(second->volt_mv, ==, 2000);
    g_assert_cmpuint(sample->texts->len, ==, 2);
    g_assert_cmpstr(sample->texts->pdata[1], ==, "y z");
    g_assert_cmpuint(sample->numbers->len, ==, 2);
    g_assert_cmpint(g_array_index(sample->numbers, int64_t, 0), ==, 16);
    g_assert_cmpint(g_array_index(sample->numbers, int64_t, 1), ==, 7);
    bind_free(&sample_schema, sample);
}

static void test_pairs(void)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample = load(HEAD "pairs:\n  zeta: 3.65 V\n  alpha: '12'\n", &report);
    const struct bind_pair *zeta = sample->pairs->pdata[0], *alpha = sample->pairs->pdata[1];
    g_assert_cmpuint(sample->pairs->len, ==, 2);
    g_assert_cmpstr(zeta->key, ==, "zeta");
    g_assert_cmpstr(zeta->value, ==, "3.65 V");
    g_assert_false(zeta->quoted);
    g_assert_cmpuint(zeta->key_place.line, ==, 4);
    g_assert_cmpuint(zeta->key_place.column, ==, 3);
    g_assert_cmpuint(zeta->value_place.column, ==, 9);
    g_assert_cmpstr(alpha->value, ==, "12");
    g_assert_true(alpha->quoted);
    bind_free(&sample_schema, sample);
}

static void test_variants(void)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample =
        load(HEAD "steps:\n  - do: wait\n    time: 2 s\n  - name: ab\n    do: measure\n", &report);
    const struct bind_variant_value *first = sample->steps->pdata[0], *second = sample->steps->pdata[1];
    const struct sample_wait *wait = first->value;
    const struct sample_inner *measure = second->value;
    g_assert_cmpuint(sample->steps->len, ==, 2);
    g_assert_cmpstr(first->variant->tag, ==, "wait");
    g_assert_cmpint(wait->time_us, ==, 2000000);
    g_assert_cmpuint(wait->place.line, ==, 4);
    g_assert_cmpuint(second->place.line, ==, 6);
    g_assert_cmpstr(measure->name, ==, "ab");
    struct bind_place tag = bind_place_of(sample, measure, "do");
    g_assert_cmpuint(tag.line, ==, 7);
    g_assert_cmpuint(tag.column, ==, 9);
    bind_free(&sample_schema, sample);
}

static void expect_place(const struct sample *sample, const void *map, const char *key, unsigned line,
                         unsigned column)
{
    struct bind_place place = bind_place_of(sample, map, key);
    g_assert_cmpuint(place.line, ==, line);
    g_assert_cmpuint(place.column, ==, column);
}

static void test_places(void)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample = load(
        HEAD "inner:\n  name: ab\nlist:\n- volt: 3 V\n  name: cd\n- {name: ef}\ntexts: [ä, b]\n", &report);
    int outside = 0;
    expect_place(sample, sample, "schema", 1, 9);
    expect_place(sample, sample, "model", 2, 8);
    expect_place(sample, sample, "cells", 1, 1); /* absent: the map's */
    expect_place(sample, sample, "no such key", 1, 1);
    expect_place(sample, sample, "inner", 4, 3);
    expect_place(sample, &sample->inner, "name", 4, 9);
    expect_place(sample, &sample->inner, "volt", 4, 3);
    expect_place(sample, sample->list->pdata[0], "name", 7, 9);
    expect_place(sample, sample->list->pdata[0], "volt", 6, 9);
    expect_place(sample, sample->list->pdata[1], "name", 8, 10);
    expect_place(sample, sample->list->pdata[1], "volt", 8, 3);
    expect_place(sample, sample, "texts", 9, 8);
    expect_place(sample, &outside, "name", 0, 0);
    bind_free(&sample_schema, sample);
    g_autoptr(bind_report_auto) again = NULL;
    sample = load(HEAD, &again);
    expect_place(sample, &sample->inner, "name", 1, 1); /* absent map: the map around it */
    bind_free(&sample_schema, sample);
}

/* Tables without '/' in their name need no `schema:`, and one with a field for it gets it bound. */
static void test_schema_key(void)
{
    struct named {
        char *schema, *name;
    };
    static const struct bind_field fields[] = {
        {.key = "schema",
         .type = BIND_TEXT,
         .offset = offsetof(struct named, schema),
         .required = true,
         .doc = "K."},
        {.key = "name", .type = BIND_TEXT, .offset = offsetof(struct named, name), .doc = "N."},
        {.key = NULL},
    };
    static const struct bind_schema kind = {"packline/named/1", "", sizeof(struct named), 0, fields};
    static const struct bind_schema part = {"named", "", sizeof(struct named), 0, fields + 1};
    g_autoptr(GBytes) whole = g_bytes_new_static("schema: packline/named/1\nname: x\n", 33);
    g_autoptr(GBytes) bare = g_bytes_new_static("name: x\n", 8);
    g_autoptr(bind_report_auto) report = bind_report_new("f", NULL);
    struct named *named = bind_load(&kind, whole, report);
    g_assert_nonnull(named);
    g_assert_cmpstr(named->schema, ==, "packline/named/1");
    bind_free(&kind, named);
    named = bind_load(&part, bare, report);
    g_assert_nonnull(named);
    g_assert_cmpstr(named->name, ==, "x");
    bind_free(&part, named);
    g_assert_null(bind_load(&kind, bare, report));
    g_autofree char *said = bind_report_text(report);
    g_assert_true(g_str_has_prefix(said, "f:1:1: error: missing first key 'schema'"));
    g_assert_null(strstr(said, "missing key 'schema'")); /* one mistake, one error */
}

static void test_peek(void)
{
    static const struct {
        const char *text, *schema;
    } cases[] = {
        {HEAD, "packline/sample/1"},
        {"model: A\nschema: 'packline/other/1'\n", "packline/other/1"},
        {"schema: packline/x/1\nbroken: [\n", "packline/x/1"},
        {"schema: [a]\n", NULL},
        {"schema:\n", NULL},
        {"- schema: a\n", NULL},
        {"", NULL},
        {"\xff", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) bytes = g_bytes_new_static(cases[i].text, strlen(cases[i].text));
        g_autofree char *schema = bind_peek_schema(bytes);
        g_assert_cmpstr(schema, ==, cases[i].schema);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind/values/presets", test_presets);
    g_test_add_func("/bind/values/scalars", test_scalars);
    g_test_add_func("/bind/values/forms", test_forms);
    g_test_add_func("/bind/values/lists", test_lists);
    g_test_add_func("/bind/values/pairs", test_pairs);
    g_test_add_func("/bind/values/variants", test_variants);
    g_test_add_func("/bind/values/places", test_places);
    g_test_add_func("/bind/values/schema-key", test_schema_key);
    g_test_add_func("/bind/values/peek", test_peek);
    return g_test_run();
}

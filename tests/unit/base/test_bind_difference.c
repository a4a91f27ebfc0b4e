/* What differs between two files of one kind: every type of key, and entries that stand in one of them alone.
 */
#include "tests/unit/base/bind_sample.h"

#define HEAD "schema: packline/sample/1\nmodel: A-1\n"

static void note(void *context, const char *where, const char *key, const char *a, const char *b)
{
    g_string_append_printf(context, "%s|%s|%s|%s\n", where, key ? key : "", a ? a : "-", b ? b : "-");
}

static void expect(const char *left, const char *right, const char *expected)
{
    g_autoptr(bind_report_auto) one = NULL, two = NULL;
    struct sample *a = sample_load(left, &one), *b = sample_load(right, &two);
    g_autoptr(GString) said = g_string_new(NULL);
    g_assert_nonnull(a);
    g_assert_nonnull(b);
    bind_difference(&sample_schema, a, b, note, said);
    g_assert_cmpstr(said->str, ==, expected);
    bind_free(&sample_schema, a);
    bind_free(&sample_schema, b);
}

static void test_keys(void)
{
    expect(HEAD, HEAD "cells: 16\nmode: fast\n", "");
    expect(HEAD, HEAD "cells: 8\naddress: 0x08000100\ntimeout: 1 s\nflag: false\nmode: slow\nkey: 01 0A\n",
           "|cells|16|8\n|address|0x0|0x8000100\n|timeout|30 s|1 s\n|flag|true|false\n|mode|fast|slow\n"
           "|key||010A\n");
    expect(HEAD "texts: [a, b]\nnumbers: [1, 2]\npairs:\n  x: 1\n",
           HEAD "texts: [b, a]\nnumbers: [1]\npairs:\n  x: 2\n",
           "|texts|a, b|b, a\n|numbers|1, 2|1\n|pairs|x: 1|x: 2\n");
    expect(HEAD "inner:\n  name: one\n", HEAD "inner:\n  name: one\n  volt: 3 V\n", "inner|volt|3.2 V|3 V\n");
}

static void test_entries(void)
{
    expect(HEAD "list:\n  - name: one\n  - name: two\n",
           HEAD "list:\n  - name: two\n    volt: 3 V\n  - name: six\n",
           "one||there|-\ntwo|volt|3.2 V|3 V\nsix||-|there\n");
    expect(HEAD "list:\n  - name: one\n  - name: one\n", HEAD "list:\n  - name: one\n", "one||there|-\n");
    expect(
        HEAD "steps:\n  - do: wait\n    time: 1 s\n  - do: wait\n    time: 2 s\n",
        HEAD
        "steps:\n  - do: wait\n    time: 1 s\n  - do: wait\n    time: 3 s\n  - do: measure\n    name: pack\n",
        "wait|time|2 s|3 s\nmeasure||-|there\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind/difference/keys", test_keys);
    g_test_add_func("/bind/difference/entries", test_entries);
    return g_test_run();
}

/* What the binder refuses: exact place, message and hint of each. */
#include "tests/unit/base/bind_sample.h"

#include "station/base/error.h"

#define HEAD "schema: packline/sample/1\nmodel: A-1\n"

/* All after HEAD (two lines), so the first line of the text is line 3. */
static const struct {
    const char *text, *said;
} refused[] = {
    /* keys */
    {"timeot: 30 s\n", "3:1 unknown key 'timeot' (did you mean 'timeout'?)\n"},
    {"Cells: 16\n", "3:1 unknown key 'Cells' (did you mean 'cells'?)\n"},
    {"addr: 0x08000000\n", "3:1 unknown key 'addr' (did you mean 'address'?)\n"},
    {"zzz: 1\n",
     "3:1 unknown key 'zzz' (keys here are schema, model, cells, address, timeout, date, count, flag, "
     "mode, key, inner, list, …)\n"},
    {"inner: {name: ab, wolt: 3 V}\n", "3:19 unknown key 'wolt' (did you mean 'volt'?)\n"},
    {"cells: 4\ncells: 5\n", "4:1 duplicate key 'cells', first given at 3:1\n"},
    {"cells: 4\n\"cells\": 5\n", "4:1 duplicate key 'cells', first given at 3:1\n"},
    {"pairs: {a: 1, b: 2, a: 3}\n", "3:21 duplicate key 'a', first given at 3:9\n"},
    {"inner: {name: ab, <<: 3}\n", "3:19 merge keys are not accepted (write the keys out)\n"},
    {"? [a]\n: 1\n", "3:3 a key must be a word, not a list or a map\n"},
    {"? {a: b}\n: 1\n", "3:3 a key must be a word, not a list or a map\n"},
    {"\"\": 1\n", "3:1 a key is empty\n"},
    {"pairs: {Up: 1}\n", "3:9 pairs: 'Up' does not have the form [a-z_]+\n"},
    {"inner: {volt: 3 V}\n", "3:8 missing key 'name', expected a text\n"},
    {"list:\n  - name: ab\n  - volt: 3 V\n", "5:5 missing key 'name', expected a text\n"},
    {"inner: {nane: a}\n", "3:9 unknown key 'nane' (did you mean 'name'?)\n"
                           "3:15 name: 1 bytes, expected 2 to 16\n"},
    /* what YAML could do and this does not */
    {"inner: &x {name: ab}\n",
     "3:8 anchors are not accepted: 'x' (write the value out where it is needed)\n"},
    {"texts: [&y a]\n", "3:9 anchors are not accepted: 'y' (write the value out where it is needed)\n"},
    {"texts: [a, *y]\n", "3:12 aliases are not accepted: 'y' (write the value out where it is needed)\n"},
    {"inner: *y\n", "3:8 aliases are not accepted: 'y' (write the value out where it is needed)\n"},
    {"*y : 1\n", "3:1 aliases are not accepted: 'y' (write the value out where it is needed)\n"},
    {"cells: !!int 4\n", "3:8 tags are not accepted: 'tag:yaml.org,2002:int' (leave it out: the key decides "
                         "what the value is)\n"},
    {"cells: ! 4\n", "3:8 tags are not accepted: '!' (leave it out: the key decides what the value is)\n"},
    {"texts: !!seq [a]\n", "3:8 tags are not accepted: 'tag:yaml.org,2002:seq' (leave it out: the key "
                           "decides what the value is)\n"},
    {"inner: !mine {name: ab}\n",
     "3:8 tags are not accepted: '!mine' (leave it out: the key decides what the value is)\n"},
    {"---\ncells: 4\n",
     "3:1 a second document in one file; reading stops here (put it into a file of its own)\n"},
    {"cells:\t4\n", "3:7 a tab outside quotes (use spaces)\n"},
    {"cells: 4 # \tnote\n", "3:12 a tab outside quotes (use spaces)\n"},
    {"inner:\n\tname: ab\n\tvolt: 3 V\n", "4:1 a tab outside quotes (use spaces)\n"
                                          "5:1 a tab outside quotes (use spaces)\n"},
    {"texts: [\"a\tb\", 'c\td',\te]\n", "3:22 a tab outside quotes (use spaces)\n"},
    {"texts: [\"\\u0007\"]\n", "3:9 a control character in the value\n"},
    {"texts: [\"\\0\"]\n", "3:9 a control character in the value\n"},
    {"texts: [\"\\x9b\"]\n", "3:9 a control character in the value\n"},
    {"texts: [\x1b]\n", "3:9 a control character U+001B (remove it)\n"},
    {"texts: [a\x7f]\n", "3:10 a control character U+007F (remove it)\n"},
    {"texts: [\xef\xbb\xbf]\n", "3:9 a control character U+FEFF (remove it)\n"},
    {"texts: [\xff]\n", "3:9 byte 0xFF is not UTF-8 (save it as UTF-8)\n"},
    {"texts: [ä, \xe4]\n", "3:12 byte 0xE4 is not UTF-8 (save it as UTF-8)\n"},
    {"texts: [\xed\xa0\x80]\n", "3:9 byte 0xED is not UTF-8 (save it as UTF-8)\n"},
    {"texts: [\xc0\x80]\n", "3:9 byte 0xC0 is not UTF-8 (save it as UTF-8)\n"},
    /* flags */
    {"flag: yes\n", "3:7 flag: 'yes' is not a flag (write true or false)\n"},
    {"flag: no\n", "3:7 flag: 'no' is not a flag (write true or false)\n"},
    {"flag: on\n", "3:7 flag: 'on' is not a flag (write true or false)\n"},
    {"flag: off\n", "3:7 flag: 'off' is not a flag (write true or false)\n"},
    {"flag: True\n", "3:7 flag: 'True' is not a flag (write true or false)\n"},
    {"flag: 1\n", "3:7 flag: '1' is not a flag (write true or false)\n"},
    {"flag: \"true\"\n", "3:7 flag: a text in quotes, expected true or false (leave the quotes out)\n"},
    /* numbers */
    {"cells: 010\n", "3:8 cells: '010' has a leading zero, expected a whole number such as 30 (write 10)\n"},
    {"cells: 0o10\n", "3:8 cells: '0o10' is more than a whole number, expected a whole number such as 30 "
                      "(write a whole number)\n"},
    {"cells: 4.0\n",
     "3:8 cells: '4.0' is not a whole number, expected a whole number such as 30 (write a whole number)\n"},
    {"cells: 1e1\n", "3:8 cells: '1e1' has an exponent, expected a whole number such as 30 (write 10)\n"},
    {"cells: +4\n", "3:8 cells: '+4' has a plus sign, expected a whole number such as 30 (write 4)\n"},
    {"cells: 0x10\n",
     "3:8 cells: '0x10' is written in hexadecimal, expected a whole number such as 30 (write 16)\n"},
    {"cells: \"4\"\n", "3:8 cells: a text in quotes, expected a number (leave the quotes out)\n"},
    {"cells: 4 s\n",
     "3:8 cells: '4 s' is a time, expected a whole number such as 30 (write a whole number)\n"},
    {"cells: 0\n", "3:8 cells: 0 is out of range, expected 1 to 32 (write 1 or more)\n"},
    {"cells: 33\n", "3:8 cells: 33 is out of range, expected 1 to 32 (write 32 or less)\n"},
    {"cells: 99999999999999999999\n",
     "3:8 cells: '99999999999999999999' is too large for a whole number (write for example \"30\")\n"},
    {"count: 3.5\n",
     "3:8 count: '3.5' is not a whole number, expected a whole number such as 30 (write a whole number)\n"},
    {"address: 0x08010000\n",
     "3:10 address: 0x8010000 is out of range, expected 0x8000000 to 0x800FFFF (write 0x800FFFF or less)\n"},
    {"address: 0xZZ\n", "3:10 address: '0xZZ' is not a hexadecimal number (write it like 0x08000000)\n"},
    {"address: 0X08000000\n",
     "3:10 address: '0X08000000' is not a hexadecimal number (write it like 0x08000000)\n"},
    {"address: 0x8000000000000000\n",
     "3:10 address: '0x8000000000000000' is not a hexadecimal number (write it like 0x08000000)\n"},
    {"numbers: [1, 08]\n",
     "3:14 numbers: '08' has a leading zero, expected a whole number such as 30 (write 8)\n"},
    {"numbers: [[1]]\n", "3:11 numbers: found a list, expected a number, decimal or 0x…\n"},
    /* quantities */
    {"timeout: 30s\n",
     "3:10 timeout: '30s' has no space before the unit, expected a time such as 30 s (write \"30 s\")\n"},
    {"timeout: 30\n", "3:10 timeout: '30' has no unit, expected a time such as 30 s (write \"30 s\")\n"},
    {"timeout: 3 V\n",
     "3:10 timeout: '3 V' is a voltage, expected a time such as 30 s (units are s, ms, us, min, h, "
     "d)\n"},
    {"timeout: 0.9 ms\n",
     "3:10 timeout: 900 us is out of range, expected at least 1 ms (write 1 ms or more)\n"},
    {"inner: {name: ab, volt: 4.001 V}\n",
     "3:25 volt: 4.001 V is out of range, expected 2 V to 4 V (write 4 V or less)\n"},
    {"inner: {name: ab, volt: 1.999 V}\n",
     "3:25 volt: 1.999 V is out of range, expected 2 V to 4 V (write 2 V or more)\n"},
    {"inner: {name: ab, volt: 3.0005 V}\n",
     "3:25 volt: '3.0005 V' is finer than this voltage can be kept (the finest step is 1 mV)\n"},
    /* words, bytes, dates, texts */
    {"mode: fats\n",
     "3:7 mode: unknown word 'fats', expected one of slow, fast, turbo (did you mean 'fast'?)\n"},
    {"mode: Slow\n",
     "3:7 mode: unknown word 'Slow', expected one of slow, fast, turbo (did you mean 'slow'?)\n"},
    {"mode: gentle\n", "3:7 mode: unknown word 'gentle', expected one of slow, fast, turbo\n"},
    {"key: 01 2\n",
     "3:6 key: '01 2' is not made of pairs of hex digits (write pairs of hex digits such as 01 A4)\n"},
    {"key: 0 12 3\n",
     "3:6 key: '0 12 3' is not made of pairs of hex digits (write pairs of hex digits such as 01 A4)\n"},
    {"key: '01 02 '\n",
     "3:6 key: '01 02 ' is not made of pairs of hex digits (write pairs of hex digits such as 01 A4)\n"},
    {"key: 01\n", "3:6 key: 1 bytes, expected 2 to 4\n"},
    {"key: 0102030405\n", "3:6 key: 5 bytes, expected 2 to 4\n"},
    {"date: 2026-02-29\n", "3:7 date: '2026-02-29' is not a date (write year, month and day: 2026-11-20)\n"},
    {"date: 20.11.2026\n", "3:7 date: '20.11.2026' is not a date (write year, month and day: 2026-11-20)\n"},
    {"date: 2026-1-02\n", "3:7 date: '2026-1-02' is not a date (write year, month and day: 2026-11-20)\n"},
    {"date: 1969-12-31\n", "3:7 date: '1969-12-31' is not a date (write year, month and day: 2026-11-20)\n"},
    {"inner: {name: ä}\n", NULL}, /* two bytes: accepted */
    {"inner: {name: a}\n", "3:15 name: 1 bytes, expected 2 to 16\n"},
    {"inner: {name: abcdefghijklmnopq}\n", "3:15 name: 17 bytes, expected 2 to 16\n"},
    {"texts: ['']\n", "3:9 texts: 0 bytes, expected 1 to 4096\n"},
    /* kinds of nodes */
    {"inner: [a]\n", "3:8 inner: found a list, expected a map of keys\n"},
    {"inner: a\n", "3:8 inner: found a single value, expected a map of keys\n"},
    {"inner:\ncells: 4\n", "3:7 inner: no value, expected a map of keys\n"},
    {"cells: ~\n", "3:8 cells: no value, expected a whole number\n"},
    {"cells: [4]\n", "3:8 cells: found a list, expected a whole number\n"},
    {"flag: {a: b}\n", "3:7 flag: found a map, expected true or false\n"},
    {"texts: a\n", "3:8 texts: found a single value, expected a list of texts\n"},
    {"texts: [a, null, [b]]\n", "3:12 texts: no value, expected a text\n"
                                "3:18 texts: found a list, expected a text\n"},
    {"list: {name: ab}\n", "3:7 list: found a map, expected a list of maps\n"},
    {"list: [ab]\n", "3:8 list: found a single value, expected a map of keys\n"},
    {"list: []\n", "3:7 list: 0 entries, expected 1 to 3\n"},
    {"list: [{name: ab}, {name: ab}, {name: ab}, {name: ab}]\n", "3:7 list: 4 entries, expected 1 to 3\n"},
    {"pairs: [a]\n", "3:8 pairs: found a list, expected a map of keys\n"},
    {"pairs: {a: [b], c: , d: {e: f}}\n", "3:12 a: found a list, expected a text\n"
                                          "3:20 c: no value, expected a text\n"
                                          "3:25 d: found a map, expected a text\n"},
    /* variants */
    {"steps: [{do: wiat, time: 1 s}]\n",
     "3:14 do: unknown word 'wiat', expected one of wait, measure (did you mean 'wait'?)\n"},
    {"steps: [{do: jump}]\n", "3:14 do: unknown word 'jump', expected one of wait, measure\n"},
    {"steps: [{time: 1 s}]\n", "3:9 missing key 'do', expected one of wait, measure\n"},
    {"steps: [{do: [wait]}]\n", "3:14 do: expected one of wait, measure\n"},
    {"steps: [wait]\n", "3:9 steps: found a single value, expected a map of keys\n"},
    {"steps: [{do: wait}]\n", "3:9 missing key 'time', expected a time such as 30 s\n"},
    {"steps: [{do: wait, name: ab, time: 1 s}]\n", "3:20 unknown key 'name' (keys here are do, time)\n"},
};

static void test_refused(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *text = g_strconcat(HEAD, refused[i].text, NULL);
        g_autofree char *said = sample_refusals(text);
        g_assert_cmpstr(said, ==, refused[i].said ? refused[i].said : "");
    }
}

/* Whole files. */
static const struct {
    const char *text, *said;
} files[] = {
    {"", "1:1 the file is empty\n"},
    {"# only a comment\n\n", "1:1 the file is empty\n"},
    {"---\n", "2:1 file: no value, expected a map of keys\n"},
    {"- a\n", "1:1 file: found a list, expected a map of keys\n"},
    {"word\n", "1:1 file: found a single value, expected a map of keys\n"},
    {"schema: packline/sample/1\n", "1:1 missing key 'model', expected a text\n"},
    {"model: A\n", "1:1 missing first key 'schema' (write schema: packline/sample/1)\n"},
    {"model: A\nschema: packline/sample/1\n", "1:1 the first key must be 'schema'\n"},
    {"schema: packline/sample/2\nmodl: A\n",
     "1:9 schema: this file is of the kind 'packline/sample/2', expected 'packline/sample/1' (write schema: "
     "packline/sample/1)\n"},
    {"%YAML 1.2\n---\nschema: packline/sample/1\nmodel: A\n",
     "1:1 % directives are not accepted (leave the line out)\n"},
    {"\xff\xfes\0c\0", "1:1 the file is UTF-16 (save it as UTF-8)\n"},
    {"schema: packline/sample/1\nmodel: a b\n", "2:8 model: 'a b' does not have the form [A-Z0-9-]+\n"},
    {"schema: packline/sample/1\nmodel: |\n  AB\n",
     "2:8 model: 'AB\\x0A' does not have the form [A-Z0-9-]+\n"},
};

static void test_files(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *said = sample_refusals(files[i].text);
        g_assert_cmpstr(said, ==, files[i].said);
    }
}

static void test_nul_byte(void)
{
    static const char text[] = HEAD "cells: 4\0\n";
    g_autoptr(GBytes) bytes = g_bytes_new_static(text, sizeof text - 1);
    g_autoptr(bind_report_auto) report = bind_report_new("f.yaml", bytes);
    g_assert_null(bind_load(&sample_schema, bytes, report));
    g_autofree char *said = bind_report_text(report);
    g_assert_nonnull(strstr(said, "f.yaml:3:9: error: a control character U+0000 (remove it)"));
}

/* libyaml's own errors, with all that stood before them and nothing that could still have come. */
static void test_syntax(void)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {HEAD "cells: 99\ninner:\n  volt: 9 V\n   name: ab\n",
         "3:8 cells: 99 is out of range, expected 1 to 32 (write 32 or less)\n"
         "6:8 YAML: mapping values are not allowed in this context\n"},
        {HEAD "timeot: 3 s\ntexts:\n  - a\n b\n",
         "3:1 unknown key 'timeot' (did you mean 'timeout'?)\n"
         "6:2 YAML: did not find expected key (while parsing a block mapping that starts at 1:1)\n"},
        {"schema: packline/sample/1\nflag: no\ntexts: [a, b\n",
         "2:7 flag: 'no' is not a flag (write true or false)\n"
         "4:1 YAML: did not find expected ',' or ']' (while parsing a flow sequence that starts at 3:8)\n"},
        {"schema: packline/sample/1\nmodel: \"A\n",
         "3:1 YAML: found unexpected end of stream (while scanning a quoted scalar that starts at 2:8)\n"},
        {"]",
         "1:1 YAML: did not find expected node content (while parsing a block node that starts at 1:1)\n"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *said = sample_refusals(cases[i].text);
        g_assert_cmpstr(said, ==, cases[i].said);
    }
}

/* Ten mistakes, ten errors, in the order of the file. */
static void test_all_in_one_pass(void)
{
    g_autofree char *said = sample_refusals("schema: packline/sample/1\n"
                                            "timeout: 30s\n"
                                            "cells: 010\n"
                                            "flag: yes\n"
                                            "mode: fsat\n"
                                            "key: 01 2\n"
                                            "inner: {name: ab, volt: 5 A}\n"
                                            "cells: 4\n"
                                            "texts: &a [b]\n"
                                            "cuont: 1\n");
    g_auto(GStrv) lines = g_strsplit(g_strchomp(said), "\n", -1);
    static const char *const starts[] = {"1:1 missing key 'model'",
                                         "2:10 timeout",
                                         "3:8 cells",
                                         "4:7 flag",
                                         "5:7 mode",
                                         "6:6 key",
                                         "7:25 volt",
                                         "8:1 duplicate key 'cells'",
                                         "9:8 anchors",
                                         "10:1 unknown key 'cuont'"};
    g_assert_cmpuint(g_strv_length(lines), ==, G_N_ELEMENTS(starts));
    for (size_t i = 0; i < G_N_ELEMENTS(starts); i++)
        g_assert_true(g_str_has_prefix(lines[i], starts[i]));
}

/* No text, however broken, is taken or crashes: every prefix and every single changed byte of a good file
 * either loads or says why. */
static void test_mutants(void)
{
    static const char good[] = HEAD "cells: 8\ninner: {name: \"a\\tb\", volt: 3 V}\nlist:\n  - name: 'cd'\n"
                                    "texts: [a, |b, c]\nsteps:\n- {do: wait, time: 1 s}\npairs:\n  x: 'y'\n";
    static const char letters[] = "[]{}:,-?&*!|>'\"%@`#~ \n\t\r\xff\x80<=.0Az";
    size_t length = sizeof good - 1;
    for (size_t i = 0; i <= length; i++) {
        g_autofree char *text = g_strndup(good, i), *said = sample_refusals(text);
        for (size_t j = 0; i < length && j < sizeof letters - 1; j++) {
            g_autofree char *changed = g_strdup(good);
            changed[i] = letters[j];
            g_autofree char *reply = sample_refusals(changed);
            g_assert_nonnull(reply);
        }
        g_assert_true(i > 33 || said[0]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind/refused", test_refused);
    g_test_add_func("/bind/files", test_files);
    g_test_add_func("/bind/nul-byte", test_nul_byte);
    g_test_add_func("/bind/syntax", test_syntax);
    g_test_add_func("/bind/all-in-one-pass", test_all_in_one_pass);
    g_test_add_func("/bind/mutants", test_mutants);
    return g_test_run();
}

#include "station/base/error.h"
#include "station/base/quantity.h"

#include <string.h>

static const struct {
    const char *text;
    enum quantity quantity;
    int64_t value;
} accepted[] = {
    {"3.65 V", QUANTITY_VOLTAGE, 3650},
    {"3650 mV", QUANTITY_VOLTAGE, 3650},
    {"1.2 kV", QUANTITY_VOLTAGE, 1200000},
    {"3.650 V", QUANTITY_VOLTAGE, 3650},
    {"3.65000000000000000000000000000000000 V", QUANTITY_VOLTAGE, 3650},
    {"0 V", QUANTITY_VOLTAGE, 0},
    {"-0 V", QUANTITY_VOLTAGE, 0},
    {"0.001 V", QUANTITY_VOLTAGE, 1},
    {"-0.5 A", QUANTITY_CURRENT, -500},
    {"200 Ah", QUANTITY_CHARGE, 200000},
    {"-5 °C", QUANTITY_TEMPERATURE, -5000},
    {"-5 degC", QUANTITY_TEMPERATURE, -5000},
    {"2.5 K", QUANTITY_TEMPERATURE_DIFFERENCE, 2500},
    {"1000 ms", QUANTITY_TIME, 1000000},
    {"0.5 min", QUANTITY_TIME, 30000000},
    {"1 d", QUANTITY_TIME, INT64_C(86400000000)},
    {"0.0000000125 d", QUANTITY_TIME, 1080},
    {"12.5 mm", QUANTITY_LENGTH, 12500},
    {"80 %", QUANTITY_PERCENT, 80000},
    {"0.001 %", QUANTITY_PERCENT, 1},
    {"115.2 kbit/s", QUANTITY_RATE, 115200},
    {"256 KiB", QUANTITY_SIZE, 262144},
    {"0.5 KiB", QUANTITY_SIZE, 512},
    {"0.0009765625 KiB", QUANTITY_SIZE, 1},
    {"5 mOhm", QUANTITY_RESISTANCE, 5},
    {"30", QUANTITY_NONE, 30},
    {"-30", QUANTITY_NONE, -30},
    {"9223372036854775807", QUANTITY_NONE, INT64_MAX},
    {"-9223372036854775808", QUANTITY_NONE, INT64_MIN},
    {"9223372036854775807 mV", QUANTITY_VOLTAGE, INT64_MAX},
    {"-9223372036854775.808 V", QUANTITY_VOLTAGE, INT64_MIN},
};

static void test_accepted(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(accepted); i++) {
        int64_t value = 4711;
        g_autoptr(GError) error = NULL;
        g_assert_true(quantity_parse(accepted[i].text, accepted[i].quantity, &value, &error));
        g_assert_no_error(error);
        g_assert_cmpint(value, ==, accepted[i].value);
    }
}

static const struct {
    const char *text;
    enum quantity quantity;
    const char *what, *hint; /* parts of what is said; hint NULL = not looked at */
} refused[] = {
    {"30s", QUANTITY_TIME, "no space before the unit", "write \"30 s\""},
    {"5V", QUANTITY_VOLTAGE, "'5V' has no space before the unit, expected a voltage such as 3.65 V",
     "write \"5 V\""},
    {"5  V", QUANTITY_VOLTAGE, "more than one space", "write \"5 V\""},
    {" 5 V", QUANTITY_VOLTAGE, "blanks around", "write \"5 V\""},
    {"5 V ", QUANTITY_VOLTAGE, "blanks around", "write \"5 V\""},
    {"5\tV", QUANTITY_VOLTAGE, "no space before the unit", "write \"5 V\""},
    {"+5 V", QUANTITY_VOLTAGE, "plus sign", "write \"5 V\""},
    {"- 5 V", QUANTITY_VOLTAGE, "is not a number with its unit", NULL},
    {"--5 V", QUANTITY_VOLTAGE, "is not a number with its unit", NULL},
    {"05 V", QUANTITY_VOLTAGE, "leading zero", "write \"5 V\""},
    {"00 V", QUANTITY_VOLTAGE, "leading zero", "write \"0 V\""},
    {"0x10 V", QUANTITY_VOLTAGE, "hexadecimal", "write \"16 V\""},
    {"0x10", QUANTITY_NONE, "hexadecimal", "write 16"},
    {"0x", QUANTITY_NONE, "hexadecimal", NULL},
    {"1e3 V", QUANTITY_VOLTAGE, "exponent", "write \"1000 V\""},
    {"1e3", QUANTITY_NONE, "exponent", "write 1000"},
    {"1.5e3 V", QUANTITY_VOLTAGE, "exponent", NULL},
    {"1e-3 V", QUANTITY_VOLTAGE, "exponent", NULL},
    {"3,65 V", QUANTITY_VOLTAGE, "decimal comma", "write \"3.65 V\""},
    {".5 V", QUANTITY_VOLTAGE, "both sides of the point", "write \"0.5 V\""},
    {"5. V", QUANTITY_VOLTAGE, "both sides of the point", "write \"5 V\""},
    {". V", QUANTITY_VOLTAGE, "is not a number with its unit", NULL},
    {"5.0.1 V", QUANTITY_VOLTAGE, "an unknown unit", "units are V, mV, kV"},
    {"5", QUANTITY_VOLTAGE, "has no unit", "write \"5 V\""},
    {"5 ", QUANTITY_VOLTAGE, "blanks around", NULL},
    {"", QUANTITY_VOLTAGE, "is not a number with its unit", "units are V, mV, kV"},
    {"V", QUANTITY_VOLTAGE, "is not a number with its unit", NULL},
    {"five V", QUANTITY_VOLTAGE, "is not a number with its unit", NULL},
    {"5 v", QUANTITY_VOLTAGE, "an unknown unit", "write \"5 V\""},
    {"5 MV", QUANTITY_VOLTAGE, "an unknown unit", "units are V, mV, kV"},
    {"5 A", QUANTITY_VOLTAGE, "'5 A' is a current, expected a voltage such as 3.65 V", "units are V, mV, kV"},
    {"5 K", QUANTITY_TEMPERATURE, "is a temperature difference, expected a temperature", NULL},
    {"5 C", QUANTITY_TEMPERATURE, "an unknown unit", "write \"5 °C\""},
    {"5 µs", QUANTITY_TIME, "an unknown unit", "write \"5 us\""},
    {"5 sec", QUANTITY_TIME, "an unknown unit", "write \"5 s\""},
    {"5 V V", QUANTITY_VOLTAGE, "an unknown unit", NULL},
    {"5 V\n", QUANTITY_VOLTAGE, "blanks around", "write \"5 V\""},
    {"5\xc2\xa0V", QUANTITY_VOLTAGE, "no space before the unit", "write \"5 V\""},
    {"3.6505 V", QUANTITY_VOLTAGE, "finer than", "the finest step is 1 mV"},
    {"0.5 mV", QUANTITY_VOLTAGE, "finer than", "the finest step is 1 mV"},
    {"0.0001 °C", QUANTITY_TEMPERATURE, "finer than", "the finest step is 0.001 °C"},
    {"0.0000000000000000001 V", QUANTITY_VOLTAGE, "finer than", NULL},
    {"0.00000000001 d", QUANTITY_TIME, "finer than", "the finest step is 1 us"},
    {"0.0000000001 min", QUANTITY_TIME, "finer than", NULL},
    {"9223372036854775808 mV", QUANTITY_VOLTAGE, "too large", NULL},
    {"-9223372036854775809 mV", QUANTITY_VOLTAGE, "too large", NULL},
    {"9223372036854775.808 V", QUANTITY_VOLTAGE, "too large", NULL},
    {"18446744073709551616 mV", QUANTITY_VOLTAGE, "too large", NULL},
    {"99999999999999999999999999 V", QUANTITY_VOLTAGE, "too large", NULL},
    {"9223372036854775808", QUANTITY_NONE, "too large", NULL},
    {"30.0", QUANTITY_NONE, "is not a whole number", NULL},
    {"30 s", QUANTITY_NONE, "is a time, expected a whole number", NULL},
    {"010", QUANTITY_NONE, "leading zero", "write 10"},
    {"1_000", QUANTITY_NONE, "more than a whole number", NULL},
    {"\xff\xfe", QUANTITY_NONE, "not", NULL},
    {"5 \x1b[2J", QUANTITY_VOLTAGE, "'5 \\x1B[2J'", NULL},
};

static void test_refused(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        int64_t value = 4711;
        g_autofree char *what = NULL, *hint = NULL;
        g_autoptr(GError) error = NULL;
        g_assert_false(quantity_read(refused[i].text, refused[i].quantity, &value, &what, &hint));
        g_test_message("%s (%s)", what, hint);
        g_assert_nonnull(strstr(what, refused[i].what));
        if (refused[i].hint)
            g_assert_cmpstr(hint, ==, refused[i].hint);
        g_assert_false(quantity_parse(refused[i].text, refused[i].quantity, &value, &error));
        g_assert_cmpint(error_kind(error), ==, ERROR_AUTHOR);
        g_assert_nonnull(strstr(error->message, what));
        g_assert_nonnull(strstr(error->message, hint));
        g_assert_cmpint(value, ==, 4711);
    }
}

/* Whatever a hint says to write must be accepted when it is written. */
static void test_hints_are_accepted(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        int64_t value;
        g_autofree char *what = NULL, *hint = NULL;
        g_assert_false(quantity_read(refused[i].text, refused[i].quantity, &value, &what, &hint));
        if (!g_str_has_prefix(hint, "write \""))
            continue;
        g_autofree char *spelling = g_strndup(hint + 7, strlen(hint) - 8);
        g_assert_true(quantity_parse(spelling, refused[i].quantity, &value, NULL));
    }
}

static const struct {
    enum quantity quantity;
    int64_t value;
    const char *text;
} formats[] = {
    {QUANTITY_NONE, INT64_MIN, "-9223372036854775808"},
    {QUANTITY_VOLTAGE, 3650, "3.65 V"},
    {QUANTITY_VOLTAGE, 0, "0 V"},
    {QUANTITY_VOLTAGE, -5, "-5 mV"},
    {QUANTITY_VOLTAGE, 100, "100 mV"},
    {QUANTITY_VOLTAGE, 12000, "12 V"},
    {QUANTITY_VOLTAGE, 1200000, "1200 V"},
    {QUANTITY_CURRENT, -100000, "-100 A"},
    {QUANTITY_CHARGE, 200000, "200 Ah"},
    {QUANTITY_TEMPERATURE, -5000, "-5 °C"},
    {QUANTITY_TEMPERATURE, 500, "0.5 °C"},
    {QUANTITY_TEMPERATURE, 25500, "25.5 °C"},
    {QUANTITY_TIME, 1000000, "1 s"},
    {QUANTITY_TIME, 250000, "250 ms"},
    {QUANTITY_TIME, 1500000, "1.5 s"},
    {QUANTITY_TIME, 30000000, "30 s"},
    {QUANTITY_TIME, INT64_C(86400000000), "1 d"},
    {QUANTITY_TIME, 1, "1 us"},
    {QUANTITY_PERCENT, 80000, "80 %"},
    {QUANTITY_PERCENT, 1, "0.001 %"},
    {QUANTITY_RATE, 115200, "115200 bit/s"},
    {QUANTITY_SIZE, 262144, "256 KiB"},
    {QUANTITY_SIZE, 1048577, "1048577 B"},
    {QUANTITY_RESISTANCE, 5, "5 mOhm"},
};

static void test_formats(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *text = quantity_format(formats[i].quantity, formats[i].value);
        g_assert_cmpstr(text, ==, formats[i].text);
    }
}

static void round_trip(enum quantity quantity, int64_t value)
{
    int64_t back = ~value;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = quantity_format(quantity, value);
    g_assert_true(quantity_parse(text, quantity, &back, &error));
    g_assert_no_error(error);
    g_assert_cmpint(back, ==, value);
}

static void test_round_trip(void)
{
    static const int64_t edges[] = {
        0,    1,    9,        10,       999,         1000,      1001,          1023,
        1024, 1025, 59999999, 60000000, 86400000000, INT64_MAX, INT64_MAX - 1, INT64_MAX / 10};
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261120);
    for (int quantity = 0; quantity < QUANTITIES; quantity++) {
        for (size_t i = 0; i < G_N_ELEMENTS(edges); i++) {
            round_trip((enum quantity)quantity, edges[i]);
            round_trip((enum quantity)quantity, -edges[i]);
        }
        round_trip((enum quantity)quantity, INT64_MIN);
        for (int i = 0; i < 5000; i++) {
            uint64_t bits = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
            round_trip((enum quantity)quantity, (int64_t)(bits >> g_rand_int_range(rand, 0, 64)));
            round_trip((enum quantity)quantity, (int64_t)bits);
        }
    }
}

/* Any text is either refused with both parts said, or means what its format says again. */
static void test_any_text(void)
{
    static const char letters[] = "0123456789.,-+ eExVmAhskKMiBbt/%°C\t";
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    for (int i = 0; i < 50000; i++) {
        char text[12] = {0};
        int64_t value = 0;
        g_autofree char *what = NULL, *hint = NULL;
        enum quantity quantity = (enum quantity)g_rand_int_range(rand, 0, QUANTITIES);
        for (int j = g_rand_int_range(rand, 0, 11); j >= 0; j--)
            text[j] = letters[g_rand_int_range(rand, 0, (int)sizeof letters)];
        if (quantity_read(text, quantity, &value, &what, &hint)) {
            g_assert_null(what);
            round_trip(quantity, value);
        } else {
            g_assert_true(what && hint && *what && *hint);
        }
    }
}

static void test_tables(void)
{
    for (int i = 0; i < QUANTITIES; i++) {
        int64_t value;
        g_assert_true(quantity_parse(quantity_example((enum quantity)i), (enum quantity)i, &value, NULL));
        g_assert_true(quantity_name((enum quantity)i)[0]);
        for (const char *const *unit = quantity_units((enum quantity)i); *unit; unit++) {
            g_autofree char *one = g_strdup_printf("1 %s", *unit);
            g_assert_true(quantity_parse(one, (enum quantity)i, &value, NULL));
            g_assert_cmpint(value, >=, 1);
        }
    }
    g_assert_null(quantity_units(QUANTITY_NONE)[0]);
    g_assert_cmpstr(quantity_units(QUANTITY_TIME)[0], ==, "s");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quantity/accepted", test_accepted);
    g_test_add_func("/quantity/refused", test_refused);
    g_test_add_func("/quantity/hints", test_hints_are_accepted);
    g_test_add_func("/quantity/formats", test_formats);
    g_test_add_func("/quantity/round-trip", test_round_trip);
    g_test_add_func("/quantity/any-text", test_any_text);
    g_test_add_func("/quantity/tables", test_tables);
    return g_test_run();
}

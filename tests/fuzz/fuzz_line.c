/* What people write on a command line about a link: the line's settings, and values for items of a board.
 * What is read is printed and read the same again. */
#include "tests/fuzz/fuzz.h"

#include "proto/profile.h"

static struct profile *profile;

static void settings(const char *text)
{
    g_autoptr(GError) error = NULL;
    struct wire_line line, again;
    bool ok = wire_line_parse(text, &line, &error);
    g_assert_true(ok == (error == NULL));
    if (!ok)
        return;
    g_autofree char *printed = wire_line_format(&line);
    g_assert_true(wire_line_parse(printed, &again, NULL));
    g_assert_true(memcmp(&line, &again, sizeof line) == 0);
    g_assert_true(wire_line_is_can(&line) || wire_line_bits(&line) >= 9);
}

/* Behind a path that cannot be opened, so that only the words after it are looked at. */
static void link_options(const char *text)
{
    g_autofree char *url = g_strconcat("unix:/dev/null/none?", text, NULL);
    struct tick_virtual clock;
    g_autoptr(GError) error = NULL;
    tick_virtual_init(&clock, 0);
    const struct wire_options options = {{9600, 8, WIRE_PARITY_NONE, 1}, &clock.tick, NULL};
    g_assert_null(wire_open(url, &options, &error));
    g_assert_nonnull(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!profile) {
        g_autoptr(GBytes) bytes = fuzz_source("recipes/boards/basen-lt55.yaml");
        g_autoptr(bind_report_auto) report = bind_report_new("profile", bytes);
        profile = profile_load("profile", bytes, report);
        g_assert_nonnull(profile);
    }
    if (size == 0)
        return 0;
    const struct profile_item *item = g_ptr_array_index(profile->items, data[0] % profile->items->len);
    g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
    g_autoptr(GError) error = NULL;
    struct item_value value = {0}, again = {0};
    settings(text);
    link_options(text);
    bool ok = profile_value_parse(item, text, &value, &error);
    g_assert_true(ok == (error == NULL));
    if (!ok || item->secret)
        return 0;
    g_autofree char *shown = profile_value_format(&value);
    g_assert_true(profile_value_parse(item, shown, &again, &error));
    g_assert_true(value.raw == again.raw && value.value == again.value &&
                  strcmp(value.text, again.text) == 0);
    return 0;
}

/* What a value may not be, for every item of every shipped profile: values that do not fit, are none of a
 * list, are too long or no ASCII are refused by name before a board hears of them; what a board holds and no
 * recipe could have written is told; what is not there is no number. */
#include "bad_wire.h"

#include "proto/board.h"
#include "station/base/error.h"
#include "station/base/quantity.h"

#define MANY 300

/* Settings are numbers that somebody may write. */
static bool is_setting(const struct profile_item *item)
{
    return item->access == ACCESS_SERVICE || item->access == ACCESS_ENGINEERING;
}

static bool is_number(const struct profile_item *item)
{
    return item->type != ITEM_TEXT && item->type != ITEM_BYTES && item->type != ITEM_DATE &&
           item->type != ITEM_FLAG && item->type != ITEM_REAL32 && item->type != ITEM_VERSION;
}

static void refuse(const struct profile_item *item, const char *text)
{
    struct item_value value;
    g_autoptr(GError) error = NULL;
    if (profile_value_parse(item, text, &value, &error))
        g_error("%s takes '%s'", item->key, text);
    g_assert_error(error, PACK_ERROR, ERROR_AUTHOR);
    if (!strstr(error->message, item->key))
        g_error("%s is not named: %s", item->key, error->message);
    if (item->secret && *text && strstr(error->message, text))
        g_error("%s: the message shows the secret", item->key);
}

static void refuse_number(const struct profile_item *item, int64_t value)
{
    g_autofree char *text = quantity_format((enum quantity)item->quantity, value);
    refuse(item, text);
}

static unsigned refuse_numbers(const struct profile_item *item)
{
    const bool is_signed = item->type == ITEM_I8 || item->type == ITEM_I16 || item->type == ITEM_I32;
    const int64_t wide = INT64_C(1) << (8 * item->width - (is_signed ? 1 : 0));
    refuse_number(item, wide * item->step + item->origin);
    refuse_number(item, (is_signed ? -wide - 1 : -1) * item->step + item->origin);
    if (item->has_range) {
        refuse_number(item, item->max + item->step);
        refuse_number(item, item->min - item->step);
    }
    return 2;
}

static unsigned refuse_unlisted(const struct profile_item *item)
{
    unsigned refused = 0;
    for (int64_t raw = 0; item->valid->len > 0 && raw < 256; raw++) {
        bool listed = false;
        for (guint k = 0; k < item->valid->len; k++)
            listed |= g_array_index(item->valid, int64_t, k) == raw;
        if (!listed && raw < (INT64_C(1) << (8 * item->width - 1))) {
            refuse_number(item, raw * item->step + item->origin);
            refused++;
        }
    }
    return refused;
}

static unsigned refuse_texts(const struct profile_item *item)
{
    char text[MANY] = "";
    memset(text, 'A', (size_t)item->length + 1);
    refuse(item, text);
    /* Three characters, six bytes. */
    refuse(item, "Gr\xc3\xb6\xc3\x9f"
                 "e");
    refuse(item, "A\tB");
    refuse(item, "\xff\xfe");
    refuse(item, "");
    return 5;
}

static void test_refused(gconstpointer data)
{
    struct profile *profile = bad_profile(data);
    unsigned refused = 0;
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        if (is_setting(item) && is_number(item))
            refused += refuse_numbers(item) + refuse_unlisted(item);
        if (is_setting(item) && item->type == ITEM_TEXT)
            refused += refuse_texts(item);
    }
    g_test_message("%u values refused", refused);
    g_assert_true(refused > 0 || ((const struct bad_family *)data)->takes == BAD_NOTHING);
    profile_free(profile);
}

/* What decodes and is no value that could be written is told; what could be written, is not. */
static void test_found(gconstpointer data)
{
    struct profile *profile = bad_profile(data);
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        if (!is_setting(item) || !is_number(item) || item->secret)
            continue;
        for (unsigned raw = 0; raw < 256; raw++) {
            struct item_value value, again;
            uint8_t bytes[8] = {0};
            bytes[item->width - 1] = (uint8_t)raw;
            profile_value_decode(item, bytes, &value);
            g_autofree char *text = quantity_format((enum quantity)item->quantity, value.value);
            g_autofree char *finding = profile_value_finding(&value);
            const bool writable = profile_value_parse(item, text, &again, NULL);
            if (!value.absent && writable == (finding != NULL))
                g_error("%s holds %s: %s", item->key, text, finding ? finding : "nothing is told");
            if (finding && !strstr(finding, item->key))
                g_error("%s is not named: %s", item->key, finding);
            if (writable)
                g_assert_true(profile_value_same(&value, &again));
        }
    }
    profile_free(profile);
}

/* A text that holds a byte which is no character equals none that can be written. */
static void test_text(void)
{
    char key[] = "t";
    const struct profile_item item = {.key = key, .type = ITEM_TEXT, .length = 4, .width = 4};
    struct item_value written, found;
    g_assert_true(profile_value_parse(&item, "A?C", &written, NULL));
    profile_value_decode(&item, (const uint8_t *)"A?C", &found);
    g_assert_true(profile_value_same(&written, &found));
    profile_value_decode(&item,
                         (const uint8_t *)"A\x81"
                                          "C",
                         &found);
    g_assert_cmpstr(found.text, ==, "A?C");
    g_assert_false(profile_value_same(&written, &found));
    profile_value_decode(&item, (const uint8_t *)"\xff\xff\xff\xff", &found);
    g_assert_true(found.absent);
}

/* Readings: temperatures that say 'not there' are absent, in the words each family has for it. */
static void test_absent(gconstpointer data)
{
    struct profile *profile = bad_profile(data);
    for (guint i = 0; i < profile->telemetry->len; i++) {
        const struct profile_reading *reading = g_ptr_array_index(profile->telemetry, i);
        const struct profile_item *item = reading->in;
        struct item_value value;
        uint8_t bytes[8];
        if (item->quantity != QUANTITY_TEMPERATURE)
            continue;
        const int64_t raw = (-40000 - item->origin) / item->step;
        for (unsigned k = 0; k < item->width; k++)
            bytes[k] = (uint8_t)((uint64_t)raw >> (8 * (item->width - 1 - k)));
        profile_value_decode(item, bytes, &value);
        if (value.value == -40000 && !value.absent)
            g_error("%s: -40 °C is a temperature", item->key);
        for (guint k = 0; k < item->absent->len; k++) {
            const int64_t code = g_array_index(item->absent, int64_t, k);
            for (unsigned b = 0; b < item->width; b++)
                bytes[b] = (uint8_t)((uint64_t)code >> (8 * (item->width - 1 - b)));
            profile_value_decode(item, bytes, &value);
            g_assert_true(value.absent);
        }
    }
    profile_free(profile);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bad-values/text", test_text);
    for (const struct bad_family *f = bad_families; f->name; f++) {
        g_autofree char *refused = g_strdup_printf("/bad-values/%s/refused", f->name);
        g_autofree char *found = g_strdup_printf("/bad-values/%s/found", f->name);
        g_autofree char *absent = g_strdup_printf("/bad-values/%s/absent", f->name);
        g_test_add_data_func(refused, f, test_refused);
        g_test_add_data_func(found, f, test_found);
        g_test_add_data_func(absent, f, test_absent);
    }
    return g_test_run();
}

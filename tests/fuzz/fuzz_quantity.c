/* Quantities as people write them; what is read is printed and read the same again. */
#include "tests/fuzz/fuzz.h"

#include "station/base/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum quantity quantity = data[0] % QUANTITIES;
    g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
    g_autoptr(GError) error = NULL;
    int64_t value, again;
    if (!quantity_parse(text, quantity, &value, &error)) {
        g_assert_nonnull(error);
        return 0;
    }
    g_autofree char *printed = quantity_format(quantity, value);
    g_assert_true(quantity_parse(printed, quantity, &again, NULL));
    g_assert_cmpint(value, ==, again);
    return 0;
}

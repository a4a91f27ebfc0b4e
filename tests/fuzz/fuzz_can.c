/* Texts of CAN frames and the ASCII of adapters: a frame that is believed prints to text that reads the same
 * again, in every form. */
#include "tests/fuzz/fuzz.h"

#include "proto/can.h"

static void same(const struct can_message *a, const struct can_message *b)
{
    g_assert_true(a->id == b->id && a->extended == b->extended && a->remote == b->remote &&
                  a->error == b->error && a->n == b->n);
    g_assert_cmpmem(a->data, a->n, b->data, b->n);
}

static void every_form(const struct can_message *message)
{
    char text[CAN_TEXT_MAX], line[SLCAN_MAX];
    uint8_t record[CAN_RECORD];
    struct can_message again;
    can_format(message, text);
    g_assert_true(can_parse(text, &again, NULL));
    same(message, &again);
    can_to_record(message, record);
    g_assert_true(can_from_record(record, &again));
    if (message->error)
        return;
    same(message, &again);
    struct slcan_decoder decoder = {0};
    enum slcan_state state = SLCAN_MORE;
    size_t n = slcan_encode(message, line);
    for (size_t i = 0; i < n; i++) {
        g_assert_cmpint(state, ==, SLCAN_MORE);
        state = slcan_decode(&decoder, (uint8_t)line[i], &again);
    }
    g_assert_cmpint(state, ==, SLCAN_FRAME);
    same(message, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    struct can_message message;
    struct can_logged logged;
    struct slcan_decoder decoder = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) log_error = NULL;
    if (can_parse(text, &message, &error))
        every_form(&message);
    if (can_parse_log(text, &logged, &log_error))
        every_form(&logged.message);
    for (size_t i = 0; i < size; i++)
        if (slcan_decode(&decoder, data[i], &message) == SLCAN_FRAME)
            every_form(&message);
    return 0;
}

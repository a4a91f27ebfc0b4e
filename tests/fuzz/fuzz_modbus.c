/* Modbus: whatever comes, an answer that is believed fits the request that was sent.
 *
 * Input: framing, line echoes, function, unit, address, count (8 bytes), then what arrives. */
#include "tests/fuzz/fuzz.h"

#include "proto/modbus.h"

static void check(const struct modbus_decoder *decoder, const struct modbus_answer *answer)
{
    const struct modbus_request *r = &decoder->request;
    size_t data = r->function == MODBUS_READ_COILS ? (r->count + 7u) / 8
                  : r->function == MODBUS_READ_HOLDING || r->function == MODBUS_READ_INPUT ? 2u * r->count
                                                                                           : 0;
    g_assert_cmpuint(answer->n, ==, answer->exception ? 0 : data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct modbus_decoder decoder = {0};
    struct modbus_request request = {0};
    struct modbus_answer answer;
    uint8_t frame[MODBUS_FRAME_MAX];
    enum modbus_framing framing;
    if (size < 8)
        return 0;
    framing = data[0] & 1 ? MODBUS_TCP : MODBUS_RTU;
    decoder.line_echoes = data[1] & 1;
    request = (struct modbus_request){.function = data[2],
                                      .unit = data[3],
                                      .address = (uint16_t)(data[4] << 8 | data[5]),
                                      .count = (uint16_t)(data[6] << 8 | data[7])};
    if (request.function == MODBUS_WRITE_COIL || request.function == MODBUS_WRITE_REGISTER)
        request.n = 2;
    else if (request.function == MODBUS_WRITE_COILS && request.count <= MODBUS_WRITE_COILS_MAX)
        request.n = (request.count + 7u) / 8;
    else if (request.function == MODBUS_WRITE_REGISTERS && request.count <= MODBUS_WRITE_MAX)
        request.n = 2u * request.count;
    size_t n = modbus_encode(framing, 0x0101, &request, frame);
    if (n == 0)
        return 0;
    g_assert_cmpuint(n, <=, sizeof frame);
    modbus_expect(&decoder, framing, 0x0101, &request);
    for (size_t i = 8; i < size; i++)
        if (modbus_decode(&decoder, data[i], &answer) == MODBUS_ANSWER) {
            check(&decoder, &answer);
            modbus_expect(&decoder, framing, 0x0101, &request);
        }
    return 0;
}

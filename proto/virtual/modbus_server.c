#include "proto/virtual/modbus_server.h"

#include <string.h>

#define REPLY_MS   5
#define SILENCE_US 50000 /* a new frame begins after it */
#define MBAP       6     /* of a TCP frame in front of the unit */
#define BODY_MAX   254

static unsigned check_sum(const uint8_t *bytes, unsigned n)
{
    unsigned sum = 0xffff;
    while (n--) {
        sum ^= *bytes++;
        for (int i = 0; i < 8; i++)
            sum = sum & 1 ? sum >> 1 ^ 0xa001 : sum >> 1;
    }
    return sum;
}

/* Length of the body that begins here: 0 = not known yet, UINT_MAX = only the silence behind it tells. */
static unsigned body_length(const uint8_t *body, unsigned n)
{
    if (n < 2)
        return 0;
    switch (body[1]) {
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x04:
    case 0x05:
    case 0x06:
        return 6;
    case 0x0f:
    case 0x10:
        return n < 7 ? 0 : 7u + body[6];
    default:
        return UINT_MAX;
    }
}

static bool knows(const struct vb_modbus_kind *kind, uint8_t function)
{
    return function != 0 && strchr((const char *)kind->functions, function);
}

static bool is_read(uint8_t function)
{
    return function <= 0x04;
}

/* Unit, function and what follows; the length of the answer, which has room for BODY_MAX. */
static unsigned serve(struct vboard *board, const struct vb_modbus_kind *kind, const uint8_t *body,
                      unsigned n, uint8_t *reply, int64_t now_us)
{
    struct vb_answer answer = {0};
    struct vb_request request = {.function = body[1]};
    enum vb_exception result = VB_BAD_FUNCTION;
    if (knows(kind, body[1]) && n >= 6) {
        const bool one = body[1] == 0x05 || body[1] == 0x06;
        request.first = vb_get16(body + 2);
        request.count = one ? 1 : vb_get16(body + 4);
        request.data = one ? body + 4 : n > 7 ? body + 7 : NULL;
        const unsigned bytes = body[1] == 0x10   ? 2 * request.count
                               : body[1] == 0x0f ? (request.count + 7) / 8
                                                 : 0;
        const bool fits = is_read(body[1]) || one || (n > 7 && n == 7 + bytes && body[6] == bytes);
        result = request.count == 0 || !fits ? VB_BAD_VALUE : kind->serve(board, &request, &answer, now_us);
    }
    reply[0] = body[0];
    reply[1] = body[1];
    if (result != VB_FINE) {
        reply[1] |= 0x80;
        reply[2] = (uint8_t)result;
        return 3;
    }
    if (!is_read(body[1])) {
        memcpy(reply + 2, body + 2, 4);
        return 6;
    }
    reply[2] = (uint8_t)answer.n;
    memcpy(reply + 3, answer.data, answer.n);
    return 3 + answer.n;
}

static void answer_rtu(struct vboard *board, struct vb_modbus *m, const struct vb_modbus_kind *kind,
                       int64_t now_us)
{
    uint8_t reply[BODY_MAX + 2];
    const unsigned n = m->n;
    m->n = 0;
    if (n < 4 || check_sum(m->frame, n) != 0 || m->frame[0] != board->address)
        return;
    const unsigned length = serve(board, kind, m->frame, n - 2, reply, now_us);
    const unsigned sum = check_sum(reply, length);
    reply[length] = (uint8_t)sum;
    reply[length + 1] = (uint8_t)(sum >> 8);
    vb_send(board, reply, length + 2, now_us + vb_ms(board, REPLY_MS));
}

static void answer_tcp(struct vboard *board, struct vb_modbus *m, const struct vb_modbus_kind *kind,
                       int64_t now_us)
{
    uint8_t reply[MBAP + BODY_MAX];
    const unsigned n = m->n;
    m->n = 0;
    if (vb_get16(m->frame + 2) != 0 || m->frame[MBAP] != board->address)
        return;
    const unsigned length = serve(board, kind, m->frame + MBAP, n - MBAP, reply + MBAP, now_us);
    memcpy(reply, m->frame, 4);
    vb_put16(reply + 4, length);
    vb_send(board, reply, MBAP + length, now_us + vb_ms(board, REPLY_MS));
}

void vb_modbus_tick(struct vboard *board, struct vb_modbus *m, const struct vb_modbus_kind *kind,
                    int64_t now_us)
{
    if (m->n == 0 || now_us - m->heard_us < SILENCE_US)
        return;
    if (!kind->tcp && body_length(m->frame, m->n) == UINT_MAX)
        answer_rtu(board, m, kind, now_us);
    m->n = 0;
}

int64_t vb_modbus_next_us(const struct vb_modbus *m)
{
    return m->n ? m->heard_us + SILENCE_US : INT64_MAX;
}

void vb_modbus_byte(struct vboard *board, struct vb_modbus *m, const struct vb_modbus_kind *kind,
                    uint8_t byte, int64_t now_us)
{
    vb_modbus_tick(board, m, kind, now_us);
    m->heard_us = now_us;
    if (m->n < sizeof m->frame)
        m->frame[m->n++] = byte;
    if (kind->tcp && m->n > MBAP + 1 && m->n == MBAP + vb_get16(m->frame + 4))
        answer_tcp(board, m, kind, now_us);
    if (!kind->tcp && body_length(m->frame, m->n) + 2 == m->n && m->n >= 4)
        answer_rtu(board, m, kind, now_us);
}

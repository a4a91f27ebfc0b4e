#include "proto/modbus.h"

#include <string.h>

enum { RTU_MAX = 256, MBAP = 6, TCP_LENGTH_MAX = 254, EXCEPTION_FLAG = 0x80 };

uint16_t modbus_crc(const uint8_t *bytes, size_t n)
{
    uint16_t crc = 0xffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (uint16_t)(crc >> 1 ^ 0xa001) : (uint16_t)(crc >> 1);
    }
    return crc;
}

static bool crc_good(const uint8_t *frame, size_t n)
{
    uint16_t crc = modbus_crc(frame, n - 2);
    return frame[n - 2] == (uint8_t)crc && frame[n - 1] == crc >> 8;
}

const char *modbus_exception_name(uint8_t code)
{
    static const char *const names[] = {
        [0x01] = "illegal function",
        [0x02] = "illegal data address",
        [0x03] = "illegal data value",
        [0x04] = "device failure",
        [0x05] = "acknowledged, still working",
        [0x06] = "device busy",
        [0x08] = "memory parity error",
        [0x0a] = "gateway path unavailable",
        [0x0b] = "gateway target did not respond",
    };
    return code < sizeof names / sizeof *names ? names[code] : NULL;
}

static size_t coil_bytes(unsigned count)
{
    return (count + 7) / 8;
}

/* How many of them one request may name, and the data bytes it then carries. */
static bool allowed(const struct modbus_request *r)
{
    size_t data = 0;
    unsigned max = 1;
    switch (r->function) {
    case MODBUS_READ_COILS:
        max = MODBUS_READ_COILS_MAX;
        break;
    case MODBUS_READ_HOLDING:
    case MODBUS_READ_INPUT:
        max = MODBUS_READ_MAX;
        break;
    case MODBUS_WRITE_COIL:
    case MODBUS_WRITE_REGISTER:
        data = 2;
        break;
    case MODBUS_WRITE_COILS:
        max = MODBUS_WRITE_COILS_MAX;
        data = coil_bytes(r->count);
        break;
    case MODBUS_WRITE_REGISTERS:
        max = MODBUS_WRITE_MAX;
        data = 2u * r->count;
        break;
    default:
        return false;
    }
    return r->count >= 1 && r->count <= max && r->n == data && (unsigned)r->address + r->count <= 0x10000;
}

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* Unit, function and data: what both framings wrap. */
static size_t encode_body(const struct modbus_request *r, uint8_t *out)
{
    size_t n = 4;
    out[0] = r->unit;
    out[1] = r->function;
    put16(out + 2, r->address);
    if (r->function != MODBUS_WRITE_COIL && r->function != MODBUS_WRITE_REGISTER) {
        put16(out + n, r->count);
        n += 2;
    }
    if (r->function == MODBUS_WRITE_COILS || r->function == MODBUS_WRITE_REGISTERS)
        out[n++] = (uint8_t)r->n;
    memcpy(out + n, r->data, r->n);
    return n + r->n;
}

size_t modbus_encode(enum modbus_framing framing, uint16_t transaction, const struct modbus_request *request,
                     uint8_t *out)
{
    if (!allowed(request))
        return 0;
    if (framing == MODBUS_TCP) {
        size_t n = encode_body(request, out + MBAP);
        put16(out, transaction);
        put16(out + 2, 0);
        put16(out + 4, (unsigned)n);
        return MBAP + n;
    }
    size_t n = encode_body(request, out);
    uint16_t crc = modbus_crc(out, n);
    out[n] = (uint8_t)crc;
    out[n + 1] = (uint8_t)(crc >> 8);
    return n + 2;
}

void modbus_expect(struct modbus_decoder *d, enum modbus_framing framing, uint16_t transaction,
                   const struct modbus_request *request)
{
    bool line_echoes = d->line_echoes;
    memset(d, 0, sizeof *d);
    d->line_echoes = line_echoes;
    d->framing = framing;
    d->transaction = transaction;
    d->request = *request;
    d->request_n = modbus_encode(framing, transaction, request, d->request_bytes);
    d->following = d->request_n > 0;
}

/* Data bytes behind the byte count of a read's answer. */
static size_t read_bytes(const struct modbus_request *r)
{
    return r->function == MODBUS_READ_COILS ? coil_bytes(r->count) : 2u * r->count;
}

static bool is_read(const struct modbus_request *r)
{
    return r->function == MODBUS_READ_COILS || r->function == MODBUS_READ_HOLDING ||
           r->function == MODBUS_READ_INPUT;
}

/* Unit, function, then byte count and data, or address and count or value. */
static size_t body_length(const struct modbus_request *r)
{
    return is_read(r) ? 3 + read_bytes(r) : 6;
}

static bool body_answers(const struct modbus_decoder *d, const uint8_t *body, size_t n,
                         struct modbus_answer *answer)
{
    const struct modbus_request *r = &d->request;
    const uint8_t *asked = d->request_bytes + (d->framing == MODBUS_TCP ? MBAP : 0);
    if (body[0] != r->unit)
        return false;
    if (n == 3 && body[1] == (r->function | EXCEPTION_FLAG) && body[2] != 0) {
        *answer = (struct modbus_answer){.exception = body[2]};
        return true;
    }
    if (n != body_length(r) || body[1] != r->function)
        return false;
    if (!is_read(r)) {
        *answer = (struct modbus_answer){0};
        return memcmp(body, asked, 6) == 0;
    }
    if (body[2] != read_bytes(r))
        return false;
    *answer = (struct modbus_answer){.n = read_bytes(r)};
    memcpy(answer->data, body + 3, answer->n);
    return true;
}

/* Follows a copy of the request from the first byte that came; true when it is whole. */
static bool follow_echo(struct modbus_decoder *d, uint8_t byte)
{
    if (d->following)
        d->following = byte == d->request_bytes[d->echo_at++];
    if (!d->following || d->echo_at < d->request_n)
        return false;
    d->following = false;
    return true;
}

static enum modbus_state decode_rtu(struct modbus_decoder *d, uint8_t byte, struct modbus_answer *answer)
{
    const size_t lengths[] = {body_length(&d->request) + 2, 5};
    if (d->n == RTU_MAX)
        memmove(d->bytes, d->bytes + 1, --d->n);
    d->bytes[d->n++] = byte;
    bool whole_echo = follow_echo(d, byte);
    /* Functions 05 and 06 are answered with the request itself. */
    bool twin = whole_echo && d->request_n == lengths[0] &&
                (d->request.function == MODBUS_WRITE_COIL || d->request.function == MODBUS_WRITE_REGISTER);
    if (whole_echo && (!twin || d->line_echoes)) {
        d->echoed = true;
        d->n = 0;
        return MODBUS_MORE;
    }
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        if (d->n < lengths[i])
            continue;
        const uint8_t *frame = d->bytes + d->n - lengths[i];
        bool inside_echo = d->following && frame != d->bytes;
        if (!inside_echo && frame[0] == d->request.unit && crc_good(frame, lengths[i]) &&
            body_answers(d, frame, lengths[i] - 2, answer))
            return MODBUS_ANSWER;
    }
    d->why = d->following ? NULL : "no whole frame that answers the request";
    return MODBUS_MORE;
}

static enum modbus_state decode_tcp(struct modbus_decoder *d, uint8_t byte, struct modbus_answer *answer)
{
    if (d->lost) /* the stream is out of step: only closing it helps */
        return MODBUS_MORE;
    d->bytes[d->n++] = byte;
    if (d->n < MBAP)
        return MODBUS_MORE;
    size_t length = get16(d->bytes + 4);
    if (get16(d->bytes + 2) != 0 || length < 3 || length > TCP_LENGTH_MAX) {
        d->why = "no Modbus header";
        d->lost = true;
        return MODBUS_MORE;
    }
    if (d->n < MBAP + length)
        return MODBUS_MORE;
    d->n = 0;
    if (get16(d->bytes) != d->transaction) {
        d->why = "an answer to another transaction";
        return MODBUS_MORE;
    }
    if (body_answers(d, d->bytes + MBAP, length, answer))
        return MODBUS_ANSWER;
    d->why = d->bytes[MBAP] == d->request.unit ? "an answer that does not fit the request"
                                               : "an answer of another unit";
    return MODBUS_MORE;
}

enum modbus_state modbus_decode(struct modbus_decoder *decoder, uint8_t byte, struct modbus_answer *answer)
{
    return decoder->framing == MODBUS_TCP ? decode_tcp(decoder, byte, answer)
                                          : decode_rtu(decoder, byte, answer);
}

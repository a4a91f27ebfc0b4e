/* Modbus, both framings. Pure: bytes in, bytes out, no I/O, no clock.
 *
 * RTU: unit, function, data, CRC-16 with the low byte first (Modbus over Serial Line V1.02). TCP:
 * transaction, protocol 0, length, unit, function, data (Modbus Messaging on TCP/IP V1.0b). Numbers are
 * big-endian (Modbus Application Protocol V1.1b3). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum modbus_framing { MODBUS_RTU, MODBUS_TCP };

enum modbus_function {
    MODBUS_READ_COILS = 0x01,
    MODBUS_READ_HOLDING = 0x03,
    MODBUS_READ_INPUT = 0x04,
    MODBUS_WRITE_COIL = 0x05,
    MODBUS_WRITE_REGISTER = 0x06,
    MODBUS_WRITE_COILS = 0x0f,
    MODBUS_WRITE_REGISTERS = 0x10
};

#define MODBUS_READ_MAX        125  /* registers */
#define MODBUS_READ_COILS_MAX  2000 /* coils */
#define MODBUS_WRITE_MAX       123
#define MODBUS_WRITE_COILS_MAX 1968
#define MODBUS_DATA_MAX        250
#define MODBUS_FRAME_MAX       260 /* a TCP frame; an RTU frame has at most 256 bytes */

struct modbus_request {
    uint8_t unit, function;
    uint16_t address;
    uint16_t count; /* registers or coils; 1 for functions 05 and 06 */
    size_t n;       /* bytes of data */
    uint8_t
        data[MODBUS_DATA_MAX]; /* what is written, as it stands on the wire: registers high byte first,
                                  coils 8 in a byte, low bit first; a coil of function 05 as FF00 or 0000 */
};

/* The frame into out, which takes MODBUS_FRAME_MAX; 0 when the standard does not allow the request: function
 * not above, no or too many registers, data that do not fit the count, addresses past 65535. */
size_t modbus_encode(enum modbus_framing framing, uint16_t transaction, const struct modbus_request *request,
                     uint8_t *out);

struct modbus_answer {
    uint8_t exception; /* 0 = none */
    size_t n;
    uint8_t data[MODBUS_DATA_MAX]; /* of a read */
};

enum modbus_state { MODBUS_MORE, MODBUS_ANSWER };

/* Finds the answer to one request in what arrives. An RTU answer has one of two lengths, both known from the
 * request, so it is looked for at the end of what has come: rubbish in front, frames of other units and the
 * echo of an RS-485 adapter are passed over. A TCP stream is followed by its lengths; answers to other
 * transactions are passed over. */
struct modbus_decoder {
    enum modbus_framing framing;
    uint16_t transaction;
    struct modbus_request request;
    bool line_echoes; /* known from earlier: the first copy of an 05 or 06 request is no answer */
    bool echoed;      /* out: the request itself was seen */
    const char *why;  /* out: what came and was no answer; NULL = nothing of note */
    bool following, lost;
    size_t request_n, echo_at, n;
    uint8_t request_bytes[MODBUS_FRAME_MAX], bytes[MODBUS_FRAME_MAX];
};
void modbus_expect(struct modbus_decoder *decoder, enum modbus_framing framing, uint16_t transaction,
                   const struct modbus_request *request);
enum modbus_state modbus_decode(struct modbus_decoder *decoder, uint8_t byte, struct modbus_answer *answer);

uint16_t modbus_crc(const uint8_t *bytes, size_t n);
/* "illegal data address"; NULL for codes the standard does not name. */
const char *modbus_exception_name(uint8_t code);

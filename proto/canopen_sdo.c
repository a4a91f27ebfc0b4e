#include "proto/canopen_sdo.h"

#include <glib.h>
#include <string.h>

/* Command specifiers, bits 7 to 5 of the first byte; the client's and the server's are numbered apart. */
enum client {
    ASK_DOWNLOAD_SEGMENT = 0 << 5,
    ASK_DOWNLOAD = 1 << 5,
    ASK_UPLOAD = 2 << 5,
    ASK_UPLOAD_SEGMENT = 3 << 5
};
enum server {
    SAYS_UPLOAD_SEGMENT = 0 << 5,
    SAYS_DOWNLOAD_SEGMENT = 1 << 5,
    SAYS_UPLOAD = 2 << 5,
    SAYS_DOWNLOAD = 3 << 5
};
enum bits {
    SPECIFIER = 7 << 5,
    ABORT = 4 << 5,
    TOGGLE = 1 << 4,
    LAST = 1 << 0,      /* of a segment */
    EXPEDITED = 1 << 1, /* of an initiate */
    SIZED = 1 << 0
};
#define IN_FRAME   4 /* bytes of an expedited transfer */
#define IN_SEGMENT 7

static void start_frame(struct sdo *sdo, unsigned command)
{
    memset(sdo->out, 0, SDO_FRAME);
    sdo->out[0] = (uint8_t)command;
}

static void address(struct sdo *sdo)
{
    sdo->out[1] = (uint8_t)sdo->index;
    sdo->out[2] = (uint8_t)(sdo->index >> 8);
    sdo->out[3] = sdo->sub;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void sdo_upload(struct sdo *sdo, uint16_t index, uint8_t sub, uint8_t *to, size_t size)
{
    *sdo = (struct sdo){.state = SDO_UPLOAD, .index = index, .sub = sub, .to = to, .size = size};
    start_frame(sdo, ASK_UPLOAD);
    address(sdo);
}

void sdo_download(struct sdo *sdo, uint16_t index, uint8_t sub, const uint8_t *from, size_t size)
{
    const bool fits = size > 0 && size <= IN_FRAME;
    *sdo = (struct sdo){.state = SDO_DOWNLOAD, .index = index, .sub = sub, .from = from, .size = size};
    start_frame(sdo, fits ? ASK_DOWNLOAD | (unsigned)(IN_FRAME - size) << 2 | EXPEDITED | SIZED
                          : ASK_DOWNLOAD | SIZED);
    address(sdo);
    if (fits)
        memcpy(sdo->out + 4, from, size);
    else
        put32(sdo->out + 4, (uint32_t)size);
}

void sdo_give_up(struct sdo *sdo, uint32_t reason)
{
    sdo->state = SDO_IDLE;
    sdo->abort = reason;
    start_frame(sdo, ABORT);
    address(sdo);
    put32(sdo->out + 4, reason);
}

static enum sdo_step broken(struct sdo *sdo, uint32_t reason)
{
    sdo_give_up(sdo, reason);
    return SDO_BROKEN;
}

static enum sdo_step finished(struct sdo *sdo)
{
    sdo->state = SDO_IDLE;
    return SDO_DONE;
}

static bool take(struct sdo *sdo, const uint8_t *bytes, size_t n)
{
    if (n > sdo->size - sdo->done)
        return false;
    memcpy(sdo->to + sdo->done, bytes, n);
    sdo->done += n;
    return true;
}

static enum sdo_step ask_segment(struct sdo *sdo)
{
    start_frame(sdo, ASK_UPLOAD_SEGMENT | (sdo->toggle ? TOGGLE : 0));
    return SDO_SEND;
}

static enum sdo_step upload_begun(struct sdo *sdo, const uint8_t in[SDO_FRAME])
{
    if (in[0] & EXPEDITED) {
        size_t n = in[0] & SIZED ? IN_FRAME - (in[0] >> 2 & 3) : IN_FRAME;
        sdo->vague = !(in[0] & SIZED);
        if (sdo->vague)
            n = MIN(n, sdo->size);
        return take(sdo, in + 4, n) ? finished(sdo) : broken(sdo, SDO_ABORT_TOO_LONG);
    }
    sdo->announced = in[0] & SIZED;
    sdo->expected = get32(in + 4);
    if (sdo->announced && sdo->expected > sdo->size)
        return broken(sdo, SDO_ABORT_MEMORY);
    sdo->state = SDO_UPLOAD_SEGMENT;
    return ask_segment(sdo);
}

static enum sdo_step upload_segment(struct sdo *sdo, const uint8_t in[SDO_FRAME])
{
    if (!(in[0] & TOGGLE) == sdo->toggle)
        return broken(sdo, SDO_ABORT_TOGGLE);
    if (!take(sdo, in + 1, IN_SEGMENT - (in[0] >> 1 & 7)) || (sdo->announced && sdo->done > sdo->expected))
        return broken(sdo, SDO_ABORT_TOO_LONG);
    sdo->toggle = !sdo->toggle;
    if (!(in[0] & LAST))
        return ask_segment(sdo);
    return sdo->announced && sdo->done < sdo->expected ? broken(sdo, SDO_ABORT_SHORT) : finished(sdo);
}

static enum sdo_step send_segment(struct sdo *sdo)
{
    size_t n = MIN(sdo->size - sdo->done, (size_t)IN_SEGMENT);
    bool last = sdo->done + n == sdo->size;
    start_frame(sdo, ASK_DOWNLOAD_SEGMENT | (sdo->toggle ? TOGGLE : 0) | (unsigned)(IN_SEGMENT - n) << 1 |
                         (last ? LAST : 0));
    if (n)
        memcpy(sdo->out + 1, sdo->from + sdo->done, n);
    return SDO_SEND;
}

static enum sdo_step download_begun(struct sdo *sdo)
{
    if (sdo->size > 0 && sdo->size <= IN_FRAME) {
        sdo->done = sdo->size;
        return finished(sdo);
    }
    sdo->state = SDO_DOWNLOAD_SEGMENT;
    return send_segment(sdo);
}

static enum sdo_step download_segment(struct sdo *sdo, const uint8_t in[SDO_FRAME])
{
    if (!(in[0] & TOGGLE) == sdo->toggle)
        return broken(sdo, SDO_ABORT_TOGGLE);
    const bool last = sdo->out[0] & LAST;
    sdo->done += MIN(sdo->size - sdo->done, (size_t)IN_SEGMENT);
    sdo->toggle = !sdo->toggle;
    return last ? finished(sdo) : send_segment(sdo);
}

enum sdo_step sdo_answer(struct sdo *sdo, const uint8_t in[SDO_FRAME])
{
    const bool ours = (in[1] | in[2] << 8) == sdo->index && in[3] == sdo->sub;
    const unsigned said = in[0] & SPECIFIER;
    if (sdo->state == SDO_IDLE)
        return SDO_OTHER;
    if (said == ABORT) {
        if (!ours)
            return SDO_OTHER;
        sdo->state = SDO_IDLE;
        sdo->abort = get32(in + 4);
        return SDO_ABORTED;
    }
    if (sdo->state == SDO_UPLOAD)
        return said == SAYS_UPLOAD && ours ? upload_begun(sdo, in) : SDO_OTHER;
    if (sdo->state == SDO_DOWNLOAD)
        return said == SAYS_DOWNLOAD && ours ? download_begun(sdo) : SDO_OTHER;
    /* Segments carry no address: one of the wrong kind cannot be told from a damaged conversation. */
    if (sdo->state == SDO_UPLOAD_SEGMENT)
        return said == SAYS_UPLOAD_SEGMENT ? upload_segment(sdo, in) : broken(sdo, SDO_ABORT_COMMAND);
    return said == SAYS_DOWNLOAD_SEGMENT ? download_segment(sdo, in) : broken(sdo, SDO_ABORT_COMMAND);
}

const char *sdo_abort_name(uint32_t code)
{
    static const struct {
        uint32_t code;
        const char *name;
    } names[] = {{SDO_ABORT_TOGGLE, "toggle bit not alternated"},
                 {SDO_ABORT_TIMEOUT, "protocol timed out"},
                 {SDO_ABORT_COMMAND, "command specifier not valid or unknown"},
                 {0x05040002, "invalid block size"},
                 {0x05040003, "invalid sequence number"},
                 {0x05040004, "CRC error"},
                 {SDO_ABORT_MEMORY, "out of memory"},
                 {0x06010000, "unsupported access to an object"},
                 {0x06010001, "attempt to read a write-only object"},
                 {0x06010002, "attempt to write a read-only object"},
                 {0x06020000, "object does not exist"},
                 {0x06040041, "object cannot be mapped to the PDO"},
                 {0x06040042, "mapped objects would exceed the PDO length"},
                 {0x06040043, "general parameter incompatibility"},
                 {0x06040047, "general internal incompatibility in the device"},
                 {0x06060000, "access failed because of a hardware error"},
                 {0x06070010, "data type or length does not match"},
                 {SDO_ABORT_TOO_LONG, "data type or length does not match: too long"},
                 {SDO_ABORT_SHORT, "data type or length does not match: too short"},
                 {0x06090011, "sub-index does not exist"},
                 {0x06090030, "invalid value for the parameter"},
                 {0x06090031, "value of the parameter too high"},
                 {0x06090032, "value of the parameter too low"},
                 {0x06090036, "maximum value is less than the minimum value"},
                 {0x060a0023, "resource not available"},
                 {0x08000000, "general error"},
                 {0x08000020, "data cannot be transferred or stored"},
                 {0x08000021, "data cannot be transferred or stored because of local control"},
                 {0x08000022, "data cannot be transferred or stored in the present device state"},
                 {0x08000023, "no object dictionary is present"},
                 {0x08000024, "no data available"}};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].code == code)
            return names[i].name;
    return NULL;
}

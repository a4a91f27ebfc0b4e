#include "proto/yd1363.h"

#include <string.h>

#define SOI    '~'
#define EOI    '\r'
#define HEADER 12 /* characters from VER to LENGTH */

static const char digits[] = "0123456789ABCDEF";

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t put_byte(char *out, uint8_t byte)
{
    out[0] = digits[byte >> 4];
    out[1] = digits[byte & 15];
    return 2;
}

static size_t put_word(char *out, uint16_t word)
{
    return put_byte(out, (uint8_t)(word >> 8)) + put_byte(out + 2, (uint8_t)word);
}

/* Value of count hexadecimal characters, -1 when one is none. */
static long get(const char *text, size_t count)
{
    long value = 0;
    for (size_t i = 0; i < count; i++) {
        int d = digit(text[i]);
        if (d < 0)
            return -1;
        value = value << 4 | d;
    }
    return value;
}

static uint16_t length_word(size_t lenid)
{
    unsigned sum = (unsigned)((lenid >> 8 & 15) + (lenid >> 4 & 15) + (lenid & 15));
    return (uint16_t)((-sum & 15) << 12 | lenid);
}

static uint16_t checksum(const char *text, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (unsigned char)text[i];
    return (uint16_t)-sum;
}

size_t yd1363_encode(const struct yd1363_frame *frame, char *out)
{
    size_t n = 0;
    out[n++] = SOI;
    n += put_byte(out + n, frame->version);
    n += put_byte(out + n, frame->address);
    n += put_byte(out + n, frame->cid1);
    n += put_byte(out + n, frame->cid2);
    n += put_word(out + n, length_word(2 * frame->n));
    for (size_t i = 0; i < frame->n; i++)
        n += put_byte(out + n, frame->info[i]);
    n += put_word(out + n, checksum(out + 1, n - 1));
    out[n++] = EOI;
    return n;
}

void yd1363_reset(struct yd1363_decoder *decoder)
{
    decoder->n = 0;
    decoder->why = NULL;
}

static enum yd1363_state bad(struct yd1363_decoder *decoder, const char *why)
{
    decoder->n = 0;
    decoder->why = why;
    return YD1363_BAD;
}

/* Characters of the whole frame once LENGTH is known, 0 before, -1 when LENGTH is damaged. */
static long frame_length(const struct yd1363_decoder *decoder)
{
    if (decoder->n < 1 + HEADER)
        return 0;
    long word = get(decoder->text + 9, 4);
    if (word < 0 || length_word((size_t)(word & 0xfff)) != word || word & 1)
        return -1;
    return 1 + HEADER + (word & 0xfff) + 4 + 1;
}

static enum yd1363_state finish(struct yd1363_decoder *decoder, struct yd1363_frame *frame)
{
    const char *text = decoder->text;
    size_t body = decoder->n - 6; /* characters between SOI and CHKSUM */
    if (text[decoder->n - 1] != EOI)
        return bad(decoder, "no CR where LENGTH says the frame ends");
    if (get(text + 1 + body, 4) != checksum(text + 1, body))
        return bad(decoder, "wrong checksum");
    frame->version = (uint8_t)get(text + 1, 2);
    frame->address = (uint8_t)get(text + 3, 2);
    frame->cid1 = (uint8_t)get(text + 5, 2);
    frame->cid2 = (uint8_t)get(text + 7, 2);
    frame->n = (body - HEADER) / 2;
    for (size_t i = 0; i < frame->n; i++)
        frame->info[i] = (uint8_t)get(text + 1 + HEADER + 2 * i, 2);
    decoder->n = 0;
    return YD1363_FRAME;
}

enum yd1363_state yd1363_decode(struct yd1363_decoder *decoder, uint8_t byte, struct yd1363_frame *frame)
{
    if (byte == SOI) {
        decoder->n = 0;
        decoder->text[decoder->n++] = SOI;
        return YD1363_MORE;
    }
    if (decoder->n == 0)
        return YD1363_MORE; /* rubbish before the first SOI */
    decoder->text[decoder->n++] = (char)byte;
    long length = frame_length(decoder);
    bool last = length > 0 && decoder->n == (size_t)length;
    if (length < 0)
        return bad(decoder, "wrong LENGTH");
    if (!last && digit((char)byte) < 0)
        return bad(decoder, "a character that is no hexadecimal digit");
    return last ? finish(decoder, frame) : YD1363_MORE;
}

struct rtn {
    uint8_t rtn;
    const char *name, *advice;
};
static const struct rtn rtns[] = {
    {0x00, "normal", ""},
    {0x01, "wrong VER", "frame.version of the profile is not this board's"},
    {0x02, "wrong CHKSUM", "the line spoils requests: look at cable, ground and termination"},
    {0x03, "wrong LCHKSUM", "the line spoils requests: look at cable, ground and termination"},
    {0x04, "unknown command", "this board has not what the profile describes"},
    {0x05, "wrong command format", "this board takes the request in another form than the profile describes"},
    {0x06, "data invalid", "the board does not take this value"},
    {0x07, "no history", "there is no record, or the log is not open"},
    {0x09, "operation failed",
     "the board's own conditions are not met: look at its current and what is active"},
    {0x90, "wrong ADR", "the address of the request is not the board's: look at its DIP switch"},
    {0x91, "internal communication failed", "restart the board, then take it to quality"},
    {0xa0, "transfer failed", "nothing was written: restart the board, then take it to quality"},
    {0xe1, "wrong CID1", "frame.equipment of the profile is not this board's"},
    {0xe2, "execution failed",
     "the board's own conditions are not met: look at its current and what is active"},
    {0xe3, "device fault", "take the board to quality"},
    {0xe4, "no permission", "log in first, and with a password of the level it needs"},
};

static const struct rtn *find_rtn(uint8_t rtn)
{
    for (size_t i = 0; i < sizeof rtns / sizeof rtns[0]; i++)
        if (rtns[i].rtn == rtn)
            return &rtns[i];
    return NULL;
}

const char *yd1363_rtn_name(uint8_t rtn)
{
    const struct rtn *found = find_rtn(rtn);
    return found ? found->name : NULL;
}

const char *yd1363_rtn_advice(uint8_t rtn)
{
    const struct rtn *found = find_rtn(rtn);
    return found ? found->advice : NULL;
}

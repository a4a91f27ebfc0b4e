#include "proto/virtual/ascii.h"

#include <string.h>

#define FIXED 16 /* characters of a frame without INFO, '~' and CR left out */

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Value of two characters; -1 when they are no digits. */
static int octet(const char *p)
{
    int high = nibble(p[0]), low = nibble(p[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static unsigned sum_of(const char *text, unsigned n)
{
    unsigned sum = 0;
    while (n--)
        sum += (unsigned char)*text++;
    return -sum & 0xffff;
}

static bool length_right(const char *text, unsigned chars)
{
    int high = octet(text + 8), low = octet(text + 10);
    if (high < 0 || low < 0)
        return false;
    unsigned word = (unsigned)(high << 8 | low);
    unsigned digits = (word >> 12) + (word >> 8 & 15) + (word >> 4 & 15) + (word & 15);
    return digits % 16 == 0 && (word & 0xfff) == chars && chars % 2 == 0;
}

static bool parse(const struct vb_ascii *line, struct vb_request *request)
{
    const char *t = line->text;
    if (line->n < FIXED || (line->n - FIXED) / 2 > VB_ASCII_INFO ||
        octet(t + line->n - 4) * 256 + octet(t + line->n - 2) != (int)sum_of(t, line->n - 4) ||
        !length_right(t, line->n - FIXED))
        return false;
    for (unsigned i = 0; i < line->n; i++)
        if (nibble(t[i]) < 0)
            return false;
    request->version = (unsigned)octet(t);
    request->address = (unsigned)octet(t + 2);
    request->equipment = (unsigned)octet(t + 4);
    request->command = (unsigned)octet(t + 6);
    request->n = (line->n - FIXED) / 2;
    for (unsigned i = 0; i < request->n; i++)
        request->info[i] = (uint8_t)octet(t + 12 + (size_t)2 * i);
    return true;
}

bool vb_ascii_take(struct vb_ascii *line, uint8_t byte, struct vb_request *request)
{
    if (byte == '~') {
        line->in_frame = true;
        line->n = 0;
    } else if (line->in_frame && byte == '\r') {
        line->in_frame = false;
        return parse(line, request);
    } else if (line->in_frame && line->n < sizeof line->text) {
        line->text[line->n++] = (char)byte;
    } else {
        line->in_frame = false;
    }
    return false;
}

void vb_ascii_send(struct vboard *board, const struct vb_answer *answer, int64_t due_us)
{
    unsigned n = answer->code ? 0 : answer->n, chars = 2 * n;
    unsigned check = (0x10 - ((chars >> 8) + (chars >> 4 & 15) + (chars & 15)) % 16) & 15;
    g_autoptr(GString) text = g_string_new("~");
    g_string_append_printf(text, "%02X%02X%02X%02X%X%03X", answer->version, answer->address,
                           answer->equipment, answer->code, check, chars);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(text, "%02X", answer->info[i]);
    g_string_append_printf(text, "%04X\r", sum_of(text->str + 1, (unsigned)text->len - 1));
    vb_send(board, text->str, (unsigned)text->len, due_us);
}

#include "proto/virtual/main/adapter.h"

#include <string.h>

#define RECORD       16
#define WORD_MAX     32
#define RATE_OF_BUS  '5' /* 250 kbit/s */
#define FLAG_LONG    0x80000000u
#define FLAG_REMOTE  0x40000000u
#define ID_LONG_MAX  0x1fffffffu
#define ID_SHORT_MAX 0x7ffu

struct adapter {
    char line[WORD_MAX + 1];
    unsigned n;
    bool open, overlong;
    char rate; /* of the last S command; 0 = none yet */
};

struct adapter *adapter_new(void)
{
    return g_new0(struct adapter, 1);
}

void adapter_free(struct adapter *adapter)
{
    g_free(adapter);
}

static bool hex(const char *text, unsigned digits, uint32_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (!g_ascii_isxdigit(text[i]))
            return false;
        *value = *value * 16 + (uint32_t)g_ascii_xdigit_value(text[i]);
    }
    return true;
}

/* t, T, r or R with its id, length and bytes. */
static bool transmit(struct adapter *a, GByteArray *records)
{
    const bool is_long = a->line[0] == 'T' || a->line[0] == 'R',
               remote = a->line[0] == 'r' || a->line[0] == 'R';
    const unsigned id_digits = is_long ? 8 : 3;
    uint8_t record[RECORD] = {0};
    uint32_t id, byte;
    if (!a->open || a->n < id_digits + 2 || !hex(a->line + 1, id_digits, &id) ||
        id > (is_long ? ID_LONG_MAX : ID_SHORT_MAX))
        return false;
    const unsigned length = (unsigned)(a->line[id_digits + 1] - '0'), at = id_digits + 2;
    if (length > 8 || a->n != at + (remote ? 0 : 2 * length))
        return false;
    for (unsigned i = 0; !remote && i < length; i++) {
        if (!hex(a->line + at + 2 * i, 2, &byte))
            return false;
        record[8 + i] = (uint8_t)byte;
    }
    id |= (is_long ? FLAG_LONG : 0) | (remote ? FLAG_REMOTE : 0);
    memcpy(record, &id, sizeof id);
    record[4] = (uint8_t)length;
    /* At another rate than the board's nobody understands it. */
    if (a->rate == RATE_OF_BUS)
        g_byte_array_append(records, record, sizeof record);
    return true;
}

static bool command(struct adapter *a, GByteArray *records, GString *line)
{
    switch (a->line[0]) {
    case '\0':
        return true;
    case 'S':
        if (a->open || a->n != 2 || a->line[1] < '0' || a->line[1] > '8')
            return false;
        a->rate = a->line[1];
        return true;
    case 'O':
        if (a->open || !a->rate)
            return false;
        a->open = true;
        return true;
    case 'C':
        if (!a->open)
            return false;
        a->open = false;
        return true;
    case 'V':
        g_string_append(line, "V1013");
        return true;
    case 'N':
        g_string_append(line, "NA123");
        return true;
    case 't':
    case 'T':
    case 'r':
    case 'R':
        if (!transmit(a, records))
            return false;
        g_string_append_c(line, g_ascii_islower(a->line[0]) ? 'z' : 'Z');
        return true;
    default:
        return false;
    }
}

void adapter_host(struct adapter *a, const uint8_t *text, size_t n, GByteArray *records, GString *line)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\r' && a->n < WORD_MAX) {
            a->line[a->n++] = (char)text[i];
            continue;
        }
        a->overlong |= text[i] != '\r';
        if (text[i] != '\r')
            continue;
        a->line[a->n] = '\0';
        g_string_append_c(line, !a->overlong && command(a, records, line) ? '\r' : '\a');
        a->n = 0;
        a->overlong = false;
    }
}

void adapter_board(struct adapter *a, const uint8_t *records, size_t n, GString *line)
{
    for (size_t at = 0; a->open && at + RECORD <= n; at += RECORD) {
        const uint8_t *record = records + at;
        uint32_t id;
        memcpy(&id, record, sizeof id);
        const bool is_long = id & FLAG_LONG, remote = id & FLAG_REMOTE;
        g_string_append_printf(line, is_long ? "%c%08X%u" : "%c%03X%u",
                               remote ? (is_long ? 'R' : 'r') : (is_long ? 'T' : 't'),
                               id & (is_long ? ID_LONG_MAX : ID_SHORT_MAX), record[4]);
        for (unsigned i = 0; !remote && i < record[4] && i < 8; i++)
            g_string_append_printf(line, "%02X", record[8 + i]);
        g_string_append_c(line, '\r');
    }
}

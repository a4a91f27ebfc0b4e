#include "proto/can.h"

#include "station/base/error.h"

#include <string.h>

/* Flags beside the id in struct can_frame (linux/can.h), which is in the byte order of the machine. */
#define FLAG_EXTENDED 0x80000000u
#define FLAG_REMOTE   0x40000000u
#define FLAG_ERROR    0x20000000u
#define ID_EXTENDED   0x1fffffffu
#define ID_STANDARD   0x7ffu
#define LENGTH_AT     4
#define DATA_AT       8

void can_to_record(const struct can_message *m, uint8_t record[CAN_RECORD])
{
    uint32_t id = m->id | (m->extended ? FLAG_EXTENDED : 0) | (m->remote ? FLAG_REMOTE : 0) |
                  (m->error ? FLAG_ERROR : 0);
    memset(record, 0, CAN_RECORD);
    memcpy(record, &id, sizeof id);
    record[LENGTH_AT] = m->n;
    if (!m->remote)
        memcpy(record + DATA_AT, m->data, MIN(m->n, CAN_DATA));
}

bool can_from_record(const uint8_t record[CAN_RECORD], struct can_message *m)
{
    uint32_t id;
    memcpy(&id, record, sizeof id);
    *m = (struct can_message){.extended = id & FLAG_EXTENDED,
                              .remote = id & FLAG_REMOTE,
                              .error = id & FLAG_ERROR,
                              .n = record[LENGTH_AT]};
    m->id = id & (m->extended || m->error ? ID_EXTENDED : ID_STANDARD);
    if (m->n > CAN_DATA)
        return false;
    if (!m->remote)
        memcpy(m->data, record + DATA_AT, m->n);
    return true;
}

unsigned can_bits(const struct can_message *m)
{
    /* Start, id, control, CRC, acknowledge, end and the three bits between frames. */
    return (m->extended ? 67 : 47) + (m->remote ? 0 : 8u * m->n);
}

void can_format(const struct can_message *m, char text[CAN_TEXT_MAX])
{
    uint32_t id = m->error ? m->id | FLAG_ERROR : m->id;
    int at = g_snprintf(text, CAN_TEXT_MAX, m->extended || m->error ? "%08X#" : "%03X#", id);
    if (m->remote && m->n)
        g_snprintf(text + at, (gulong)(CAN_TEXT_MAX - at), "R%u", m->n);
    else if (m->remote)
        g_strlcat(text, "R", CAN_TEXT_MAX);
    for (unsigned i = 0; !m->remote && i < m->n && i < CAN_DATA; i++)
        at += g_snprintf(text + at, (gulong)(CAN_TEXT_MAX - at), "%02X", m->data[i]);
}

static bool hex_number(const char *text, size_t digits, uint32_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = g_ascii_xdigit_value(text[i]);
        if (digit < 0)
            return false;
        *number = *number << 4 | (uint32_t)digit;
    }
    return true;
}

static bool parse_id(const char *text, size_t digits, struct can_message *m)
{
    uint32_t id;
    if ((digits != 3 && digits != 8) || !hex_number(text, digits, &id))
        return false;
    m->extended = digits == 8;
    m->error = m->extended && (id & FLAG_ERROR);
    m->id = m->error ? id & ~FLAG_ERROR : id;
    return id <= (m->error ? FLAG_ERROR | ID_EXTENDED : m->extended ? ID_EXTENDED : ID_STANDARD);
}

static bool parse_remote(const char *text, struct can_message *m)
{
    m->remote = true;
    m->n = *text >= '0' && *text <= '8' ? (uint8_t)(*text++ - '0') : 0;
    return *text == '\0';
}

static bool parse_data(const char *text, struct can_message *m)
{
    while (*text) {
        uint32_t byte;
        if (m->n == CAN_DATA || !hex_number(text, 2, &byte))
            return false;
        m->data[m->n++] = (uint8_t)byte;
        text += text[2] == '.' && text[3] ? 3 : 2;
    }
    return true;
}

bool can_parse(const char *text, struct can_message *m, GError **error)
{
    const char *hash = strchr(text, '#');
    *m = (struct can_message){0};
    if (hash && hash[1] == '#')
        return error_set(error, ERROR_AUTHOR, "'%s' is a CAN FD frame; only classical ones are known", text);
    if (hash && parse_id(text, (size_t)(hash - text), m) &&
        (hash[1] == 'R' || hash[1] == 'r' ? parse_remote(hash + 2, m) : parse_data(hash + 1, m)))
        return true;
    return error_set(error, ERROR_AUTHOR,
                     "'%s' is no CAN frame: expected 3 or 8 hexadecimal digits, '#', and up to 8 bytes, such "
                     "as 601#4018100100000000",
                     text);
}

static bool parse_instant(const char *text, int64_t *at_us)
{
    char *end = NULL;
    guint64 seconds = g_ascii_strtoull(text + 1, &end, 10), micros;
    if (text[0] != '(' || !g_ascii_isdigit(text[1]) || *end != '.' || seconds > G_MAXINT32)
        return false;
    const char *fraction = end + 1;
    micros = g_ascii_strtoull(fraction, &end, 10);
    *at_us = (int64_t)(seconds * 1000000 + micros);
    return end - fraction == 6 && g_ascii_isdigit(*fraction) && strcmp(end, ")") == 0;
}

bool can_parse_log(const char *line, struct can_logged *logged, GError **error)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 5);
    guint n = g_strv_length(words);
    *logged = (struct can_logged){0};
    if (n < 3 || n > 4 || !parse_instant(words[0], &logged->at_us) || !words[1][0] ||
        strlen(words[1]) >= sizeof logged->interface ||
        (n == 4 && strcmp(words[3], "R") != 0 && strcmp(words[3], "T") != 0))
        return error_set(error, ERROR_AUTHOR,
                         "'%s' is no line of candump -L, such as (1436509052.249713) can0 123#DEADBEEF",
                         line);
    g_strlcpy(logged->interface, words[1], sizeof logged->interface);
    return can_parse(words[2], &logged->message, error);
}

size_t slcan_encode(const struct can_message *m, char text[SLCAN_MAX])
{
    const char kind = m->remote ? (m->extended ? 'R' : 'r') : (m->extended ? 'T' : 't');
    int at = g_snprintf(text, SLCAN_MAX, m->extended ? "%c%08X%u" : "%c%03X%u", kind, m->id, m->n);
    for (unsigned i = 0; !m->remote && i < m->n && i < CAN_DATA; i++)
        at += g_snprintf(text + at, (gulong)(SLCAN_MAX - at), "%02X", m->data[i]);
    text[at++] = '\r';
    return (size_t)at;
}

const char *slcan_rate(unsigned bits_per_second)
{
    static const struct {
        unsigned rate;
        const char *command;
    } rates[] = {{10000, "S0"},  {20000, "S1"},  {50000, "S2"},  {100000, "S3"}, {125000, "S4"},
                 {250000, "S5"}, {500000, "S6"}, {800000, "S7"}, {1000000, "S8"}};
    for (gsize i = 0; i < G_N_ELEMENTS(rates); i++)
        if (rates[i].rate == bits_per_second)
            return rates[i].command;
    return NULL;
}

/* A frame as the adapter shows it; four digits of a time stamp may stand behind it. */
static bool slcan_frame(const char *text, unsigned n, struct can_message *m)
{
    const unsigned id_digits = g_ascii_isupper(text[0]) ? 8 : 3;
    uint32_t byte;
    *m = (struct can_message){.extended = id_digits == 8, .remote = text[0] == 'r' || text[0] == 'R'};
    if (n < 2 + id_digits || !hex_number(text + 1, id_digits, &m->id) || text[1 + id_digits] < '0' ||
        text[1 + id_digits] > '8' || m->id > (m->extended ? ID_EXTENDED : ID_STANDARD))
        return false;
    m->n = (uint8_t)(text[1 + id_digits] - '0');
    unsigned at = 2 + id_digits, end = at + (m->remote ? 0 : 2u * m->n);
    if (n != end && n != end + 4)
        return false;
    for (unsigned i = 0; at < end; i++, at += 2) {
        if (!hex_number(text + at, 2, &byte))
            return false;
        m->data[i] = (uint8_t)byte;
    }
    return n == end || hex_number(text + end, 4, &byte);
}

static enum slcan_state line_ended(struct slcan_decoder *d, struct can_message *m)
{
    const unsigned n = d->n;
    const bool overlong = d->overlong;
    d->n = 0;
    d->overlong = false;
    if (overlong)
        return SLCAN_BAD;
    /* z and Z: a frame was taken. */
    if (n == 0 || d->text[0] == 'z' || d->text[0] == 'Z' || strchr("VvNF", d->text[0]))
        return SLCAN_DONE;
    return strchr("tTrR", d->text[0]) && slcan_frame(d->text, n, m) ? SLCAN_FRAME : SLCAN_BAD;
}

enum slcan_state slcan_decode(struct slcan_decoder *d, uint8_t byte, struct can_message *m)
{
    if (byte == '\r' || byte == '\n')
        return byte == '\n' && d->n == 0 ? SLCAN_MORE : line_ended(d, m);
    if (byte == '\a') {
        d->n = 0;
        d->overlong = false;
        return SLCAN_REFUSED;
    }
    if (d->n < sizeof d->text - 1) {
        d->text[d->n++] = (char)byte;
        d->text[d->n] = '\0';
    } else {
        d->overlong = true;
    }
    return SLCAN_MORE;
}

/* Motorola S-records (M68000 Family Programmer's Reference Manual, appendix C): S0 to S9 without the reserved
 * S4. Count records are checked against the data records before them. */
#include "firmware/image_parse.h"

#include <string.h>

enum srec_role { SREC_HEADER, SREC_DATA, SREC_COUNT, SREC_END, SREC_RESERVED };

static const struct srec_type {
    enum srec_role role;
    unsigned address; /* bytes of the address field */
} types[10] = {
    {SREC_HEADER, 2}, {SREC_DATA, 2},  {SREC_DATA, 3}, {SREC_DATA, 4}, {SREC_RESERVED, 0},
    {SREC_COUNT, 2},  {SREC_COUNT, 3}, {SREC_END, 4},  {SREC_END, 3},  {SREC_END, 2},
};

struct srec_record {
    char digit;
    const struct srec_type *type;
    uint32_t address;
    const uint8_t *data;
    uint32_t size;
    uint8_t bytes[IMAGE_RECORD_MAX];
};

struct srec_state {
    uint32_t data_records;
    bool is_ended;
};

static bool recognise(const uint8_t *bytes, size_t size)
{
    return size > 1 && bytes[0] == 'S' && g_ascii_isdigit((char)bytes[1]);
}

static bool record_sum(const struct image_parse *parse, const uint8_t *bytes, size_t count, GError **error)
{
    uint8_t sum = 0;
    for (size_t i = 0; i + 1 < count; i++)
        sum = (uint8_t)(sum + bytes[i]);
    uint8_t expected = (uint8_t)~sum;
    return bytes[count - 1] == expected ||
           image_parse_error(parse, parse->line, error, "bad checksum: expected %02X, found %02X", expected,
                             bytes[count - 1]);
}

static bool record_type(const struct image_parse *parse, const char *text, size_t length,
                        struct srec_record *record, GError **error)
{
    if (length < 2 || text[0] != 'S' || !g_ascii_isdigit(text[1]))
        return image_parse_rubbish(parse, text, length, "S0 to S9 at the start of a record", error);
    record->digit = text[1];
    record->type = &types[text[1] - '0'];
    return record->type->role != SREC_RESERVED ||
           image_parse_error(parse, parse->line, error,
                             "unknown record type S%c; expected S0 to S3 or S5 to S9", text[1]);
}

static bool record_read(const struct image_parse *parse, const char *text, size_t length,
                        struct srec_record *record, GError **error)
{
    size_t count;
    uint32_t line = parse->line;
    if (!record_type(parse, text, length, record, error) ||
        !image_parse_digits(parse, text, length, 2, record->bytes, &count, error))
        return false;
    unsigned address = record->type->address, least = address + 2; /* count, address, checksum */
    if (count < least)
        return image_parse_error(parse, line, error,
                                 "wrong record length: S%c has at least %u bytes, found %zu", record->digit,
                                 least, count);
    if (record->bytes[0] != count - 1)
        return image_parse_error(parse, line, error,
                                 "wrong record length: it states %u bytes after the count, found %zu",
                                 record->bytes[0], count - 1);
    if (!record_sum(parse, record->bytes, count, error))
        return false;
    record->address = 0;
    for (unsigned i = 1; i <= address; i++)
        record->address = record->address << 8 | record->bytes[i];
    record->data = record->bytes + 1 + address;
    record->size = (uint32_t)(count - least);
    if ((record->type->role == SREC_COUNT || record->type->role == SREC_END) && record->size > 0)
        return image_parse_error(parse, line, error, "wrong record length: S%c has no data, found %u bytes",
                                 record->digit, record->size);
    return true;
}

static bool record_take(struct image_parse *parse, struct srec_state *state, const struct srec_record *record,
                        GError **error)
{
    switch (record->type->role) {
    case SREC_DATA:
        state->data_records++;
        return image_parse_add(parse, parse->line, record->address, record->data, record->size, error);
    case SREC_COUNT:
        return record->address == state->data_records ||
               image_parse_error(parse, parse->line, error,
                                 "count record states %u data records, found %u: lines are missing or extra",
                                 record->address, state->data_records);
    case SREC_END:
        state->is_ended = true;
        /* Writers without a start address put 0 here, so 0 is no entry. */
        parse->has_entry = record->address != 0;
        parse->entry = record->address;
        return true;
    default:
        return true;
    }
}

static bool parse_srec(struct image_parse *parse, GError **error)
{
    struct srec_state state = {.is_ended = false};
    struct srec_record record;
    const char *text;
    size_t length;
    while (!state.is_ended) {
        if (!image_parse_line(parse, &text, &length, error))
            return false;
        if (!text)
            return image_parse_error(parse, parse->line, error,
                                     "no end record; expected S7, S8 or S9: is the file cut off?");
        if (!record_read(parse, text, length, &record, error) || !record_take(parse, &state, &record, error))
            return false;
    }
    return image_parse_end(parse, error);
}

const struct image_kind image_kind_srec = {
    .name = "srec", .by_line = true, .recognise = recognise, .parse = parse_srec};

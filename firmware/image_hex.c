/* Intel HEX, "Hexadecimal Object File Format Specification", Intel, revision A, 1988: all six record types.
 */
#include "firmware/image_parse.h"

enum { HEX_DATA, HEX_END, HEX_SEGMENT, HEX_START_SEGMENT, HEX_LINEAR, HEX_START_LINEAR, HEX_TYPES };
#define HEX_FRAME        5 /* count, address (2), type, checksum */
#define HEX_SEGMENT_SIZE 0x10000

/* Data bytes a type must have; -1 = any. */
static const int type_length[HEX_TYPES] = {-1, 0, 2, 4, 2, 4};

struct hex_record {
    uint8_t type, length;
    uint16_t offset;
    uint8_t bytes[IMAGE_RECORD_MAX]; /* the whole record; data from 4 on */
};

struct hex_state {
    uint32_t base;
    bool is_segment; /* base from record 02: the offset may not run over 64 KiB */
    bool is_ended;
    uint32_t start_line; /* 0 = no start address yet */
};

static bool recognise(const uint8_t *bytes, size_t size)
{
    return size > 0 && bytes[0] == ':';
}

static uint32_t big(const uint8_t *bytes, unsigned n)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool record_sum(const struct image_parse *parse, const uint8_t *bytes, size_t count, GError **error)
{
    uint8_t sum = 0;
    for (size_t i = 0; i + 1 < count; i++)
        sum = (uint8_t)(sum + bytes[i]);
    uint8_t expected = (uint8_t)-sum;
    return bytes[count - 1] == expected ||
           image_parse_error(parse, parse->line, error, "bad checksum: expected %02X, found %02X", expected,
                             bytes[count - 1]);
}

static bool record_read(const struct image_parse *parse, const char *text, size_t length,
                        struct hex_record *record, GError **error)
{
    size_t count;
    uint32_t line = parse->line;
    if (text[0] != ':')
        return image_parse_rubbish(parse, text, length, "':' at the start of a record", error);
    if (!image_parse_digits(parse, text, length, 1, record->bytes, &count, error))
        return false;
    if (count < HEX_FRAME)
        return image_parse_error(parse, line, error, "record of %zu bytes; expected at least %d", count,
                                 HEX_FRAME);
    record->length = record->bytes[0];
    record->offset = (uint16_t)big(record->bytes + 1, 2);
    record->type = record->bytes[3];
    if (count != (size_t)record->length + HEX_FRAME)
        return image_parse_error(parse, line, error, "wrong record length: it states %u data bytes, found %d",
                                 record->length, (int)count - HEX_FRAME);
    if (!record_sum(parse, record->bytes, count, error))
        return false;
    if (record->type >= HEX_TYPES)
        return image_parse_error(parse, line, error, "unknown record type %02X; expected 00 to 05",
                                 record->type);
    if (type_length[record->type] >= 0 && record->length != type_length[record->type])
        return image_parse_error(parse, line, error,
                                 "wrong record length: type %02X has %d data bytes, found %u", record->type,
                                 type_length[record->type], record->length);
    if (record->type != HEX_DATA && record->offset != 0)
        return image_parse_error(parse, line, error, "type %02X has address 0000, found %04X", record->type,
                                 record->offset);
    return true;
}

static bool data_take(struct image_parse *parse, const struct hex_state *state,
                      const struct hex_record *record, GError **error)
{
    uint32_t line = parse->line;
    if (state->is_segment && record->offset + record->length > HEX_SEGMENT_SIZE)
        return image_parse_error(parse, line, error,
                                 "%u bytes at offset %04X run over the end of their 64 KiB segment; expected "
                                 "the last byte at FFFF or below",
                                 record->length, record->offset);
    /* base is a multiple of 64 KiB in linear mode, so this sum fits 32 bits. */
    return image_parse_add(parse, line, state->base + record->offset, record->bytes + 4, record->length,
                           error);
}

static bool start_take(struct image_parse *parse, struct hex_state *state, uint32_t entry, GError **error)
{
    if (state->start_line)
        return image_parse_error(parse, parse->line, error,
                                 "second start address; expected one only, line %u gave it",
                                 state->start_line);
    state->start_line = parse->line;
    parse->has_entry = true;
    parse->entry = entry;
    return true;
}

static bool record_take(struct image_parse *parse, struct hex_state *state, const struct hex_record *record,
                        GError **error)
{
    const uint8_t *data = record->bytes + 4;
    switch (record->type) {
    case HEX_DATA:
        return data_take(parse, state, record, error);
    case HEX_SEGMENT:
    case HEX_LINEAR:
        state->is_segment = record->type == HEX_SEGMENT;
        state->base = big(data, 2) << (state->is_segment ? 4 : 16);
        return true;
    case HEX_START_SEGMENT:
        return start_take(parse, state, (big(data, 2) << 4) + big(data + 2, 2), error);
    case HEX_START_LINEAR:
        return start_take(parse, state, big(data, 4), error);
    default:
        state->is_ended = true;
        return true;
    }
}

static bool parse_hex(struct image_parse *parse, GError **error)
{
    struct hex_state state = {.is_ended = false};
    struct hex_record record;
    const char *text;
    size_t length;
    while (!state.is_ended) {
        if (!image_parse_line(parse, &text, &length, error))
            return false;
        if (!text)
            return image_parse_error(parse, parse->line, error,
                                     "no end record; expected :00000001FF: is the file cut off?");
        if (!record_read(parse, text, length, &record, error) || !record_take(parse, &state, &record, error))
            return false;
    }
    return image_parse_end(parse, error);
}

const struct image_kind image_kind_hex = {
    .name = "ihex", .by_line = true, .recognise = recognise, .parse = parse_hex};

/* Inside the image room: what the parsers of all formats share. A parser walks the file once and adds pieces;
 * image.c sorts them, refuses overlaps and merges neighbours. */
#pragma once

#include "firmware/image.h"

/* Data of one record or segment as it stood in the file. */
struct image_piece {
    uint32_t address;
    uint32_t offset; /* in image_parse.data */
    uint32_t size;
    uint32_t where; /* line, or file offset for binary formats */
};

struct image_kind;

struct image_parse {
    const char *name; /* for messages */
    const struct image_kind *kind;
    const uint8_t *bytes; /* the file */
    uint32_t size;
    uint32_t position; /* of the next line */
    uint32_t line;     /* that image_parse_line gave last */
    bool has_base;
    uint32_t base;
    GArray *pieces; /* struct image_piece, none empty */
    GByteArray *data;
    bool has_entry;
    uint32_t entry;
};

/* One format. */
struct image_kind {
    const char *name;
    bool by_line; /* places are lines; otherwise file offsets */
    bool (*recognise)(const uint8_t *bytes, size_t size);
    bool (*parse)(struct image_parse *parse, GError **error);
};
extern const struct image_kind image_kind_elf, image_kind_hex, image_kind_srec, image_kind_bin;

/* Longest record: 'S' or ':' and type, then count, address, data and checksum of at most 260 bytes. */
#define IMAGE_RECORD_MAX 264
#define IMAGE_LINE_MAX   (2 + 2 * IMAGE_RECORD_MAX)

/* Sets kind AUTHOR with "name:line: " or "name: offset 0x…: " before the text; returns false. */
bool image_parse_error(const struct image_parse *parse, uint32_t where, GError **error, const char *format,
                       ...) G_GNUC_PRINTF(4, 5);
/* Takes a copy of the bytes; size 0 adds nothing. Refuses an end beyond 32 bits. */
bool image_parse_add(struct image_parse *parse, uint32_t where, uint32_t address, const uint8_t *bytes,
                     uint32_t size, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The next line that is not empty, without its LF or CRLF; *text points into the file. At the end of the file
 * *text is NULL. */
bool image_parse_line(struct image_parse *parse, const char **text, size_t *length,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Pairs of hex digits of the current line, from column `skip` on, to at most IMAGE_RECORD_MAX bytes. */
bool image_parse_digits(const struct image_parse *parse, const char *text, size_t length, size_t skip,
                        uint8_t bytes[IMAGE_RECORD_MAX], size_t *count,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Error for a line that does not start as a record, or stands after the end record. */
bool image_parse_rubbish(const struct image_parse *parse, const char *text, size_t length,
                         const char *expected, GError **error);
/* After the end record of line `end` only empty lines may follow. */
bool image_parse_end(struct image_parse *parse, GError **error) G_GNUC_WARN_UNUSED_RESULT;

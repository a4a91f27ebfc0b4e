#include "firmware/image_parse.h"

#include "station/base/error.h"

#include <string.h>

#define QUOTE_MAX 24 /* characters of a bad line shown in a message */

/* The first that recognises the content; raw binary recognises everything. */
static const struct image_kind *const kinds[] = {&image_kind_elf, &image_kind_hex, &image_kind_srec,
                                                 &image_kind_bin};

bool image_parse_error(const struct image_parse *parse, uint32_t where, GError **error, const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (parse->kind->by_line)
        return error_set(error, ERROR_AUTHOR, "%s:%u: %s", parse->name, where, text);
    return error_set(error, ERROR_AUTHOR, "%s: offset 0x%X: %s", parse->name, where, text);
}

bool image_parse_add(struct image_parse *parse, uint32_t where, uint32_t address, const uint8_t *bytes,
                     uint32_t size, GError **error)
{
    if (size == 0)
        return true;
    if ((uint64_t)address + size > UINT64_C(0x100000000))
        return image_parse_error(
            parse, where, error,
            "%u bytes at 0x%08X end beyond 32 bits; expected the last byte at 0xFFFFFFFF or below", size,
            address);
    struct image_piece piece = {.address = address, .offset = parse->data->len, .size = size, .where = where};
    g_byte_array_append(parse->data, bytes, size);
    g_array_append_val(parse->pieces, piece);
    return true;
}

bool image_parse_line(struct image_parse *parse, const char **text, size_t *length, GError **error)
{
    *text = NULL;
    *length = 0;
    while (parse->position < parse->size) {
        const char *start = (const char *)parse->bytes + parse->position;
        size_t left = parse->size - parse->position;
        const char *newline = memchr(start, '\n', left);
        size_t n = newline ? (size_t)(newline - start) : left;
        parse->position += (uint32_t)(newline ? n + 1 : n);
        parse->line++;
        if (newline && n > 0 && start[n - 1] == '\r')
            n--;
        if (n > IMAGE_LINE_MAX)
            return image_parse_error(parse, parse->line, error,
                                     "line of %zu characters; expected a record of at most %d", n,
                                     IMAGE_LINE_MAX);
        if (n > 0) {
            *text = start;
            *length = n;
            return true;
        }
    }
    return true;
}

/* A character as a person can read it. */
static char *shown(char c)
{
    return g_ascii_isgraph(c) ? g_strdup_printf("'%c'", c) : g_strdup_printf("byte 0x%02X", (uint8_t)c);
}

bool image_parse_digits(const struct image_parse *parse, const char *text, size_t length, size_t skip,
                        uint8_t bytes[IMAGE_RECORD_MAX], size_t *count, GError **error)
{
    *count = 0;
    for (size_t i = skip; i < length; i++) {
        if (!g_ascii_isxdigit(text[i])) {
            g_autofree char *found = shown(text[i]);
            return image_parse_error(parse, parse->line, error,
                                     "column %zu: expected a hexadecimal digit, found %s", i + 1, found);
        }
    }
    if ((length - skip) % 2 != 0)
        return image_parse_error(parse, parse->line, error,
                                 "odd number of digits (%zu); expected pairs: is the line cut off?",
                                 length - skip);
    if ((length - skip) / 2 > IMAGE_RECORD_MAX)
        return image_parse_error(parse, parse->line, error, "%zu bytes; expected a record of at most %d",
                                 (length - skip) / 2, IMAGE_RECORD_MAX);
    for (size_t i = skip; i < length; i += 2)
        bytes[(*count)++] = (uint8_t)(g_ascii_xdigit_value(text[i]) << 4 | g_ascii_xdigit_value(text[i + 1]));
    return true;
}

bool image_parse_rubbish(const struct image_parse *parse, const char *text, size_t length,
                         const char *expected, GError **error)
{
    g_autofree char *start = g_strndup(text, MIN(length, QUOTE_MAX));
    g_autofree char *quote = g_strescape(start, NULL);
    return image_parse_error(parse, parse->line, error, "expected %s, found \"%s%s\"", expected, quote,
                             length > QUOTE_MAX ? "…" : "");
}

bool image_parse_end(struct image_parse *parse, GError **error)
{
    const char *text;
    size_t length;
    uint32_t end = parse->line;
    if (!image_parse_line(parse, &text, &length, error))
        return false;
    if (!text)
        return true;
    g_autofree char *expected = g_strdup_printf("nothing after the end record of line %u", end);
    return image_parse_rubbish(parse, text, length, expected, error);
}

static int piece_compare(gconstpointer a, gconstpointer b)
{
    const struct image_piece *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->where < y->where ? -1 : x->where > y->where;
}

static uint64_t piece_end(const struct image_piece *piece)
{
    return (uint64_t)piece->address + piece->size;
}

static bool overlap_error(const struct image_parse *parse, const struct image_piece *a,
                          const struct image_piece *b, GError **error)
{
    const struct image_piece *late = a->where > b->where ? a : b, *early = late == a ? b : a;
    g_autofree char *other = g_strdup_printf(parse->kind->by_line ? "line %u" : "offset 0x%X", early->where);
    return image_parse_error(parse, late->where, error,
                             "data 0x%08X…0x%08X overlaps 0x%08X…0x%08X of %s; expected each address once",
                             late->address, (uint32_t)(piece_end(late) - 1), early->address,
                             (uint32_t)(piece_end(early) - 1), other);
}

/* Sorts the pieces and counts the regions they make; refuses overlaps and what is over a limit. */
static bool pieces_check(const struct image_parse *parse, unsigned *regions, GError **error)
{
    const struct image_piece *first = NULL, *before = NULL;
    *regions = 0;
    g_array_sort(parse->pieces, piece_compare);
    for (unsigned i = 0; i < parse->pieces->len; i++) {
        const struct image_piece *piece = &g_array_index(parse->pieces, struct image_piece, i);
        first = first ? first : piece;
        if (before && piece->address < piece_end(before))
            return overlap_error(parse, before, piece, error);
        if (piece_end(piece) - first->address > IMAGE_SPAN_MAX)
            return image_parse_error(parse, piece->where, error,
                                     "data at 0x%08X is %u bytes above the lowest data at 0x%08X; expected a "
                                     "span of at most %u bytes: is it for another memory?",
                                     piece->address, piece->address - first->address, first->address,
                                     IMAGE_SPAN_MAX);
        if (!before || piece->address != piece_end(before))
            ++*regions;
        if (*regions > IMAGE_REGIONS_MAX)
            return image_parse_error(parse, piece->where, error,
                                     "more than %u separate regions; expected contiguous data",
                                     IMAGE_REGIONS_MAX);
        before = piece;
    }
    return true;
}

/* One region from the neighbours that start at pieces[i]; returns the index after them. */
static unsigned region_build(const struct image_parse *parse, unsigned i, struct image_region *region)
{
    const struct image_piece *pieces = (const struct image_piece *)(void *)parse->pieces->data;
    unsigned end = i;
    uint32_t size = 0;
    while (end < parse->pieces->len && (end == i || pieces[end].address == piece_end(&pieces[end - 1])))
        size += pieces[end++].size;
    *region = (struct image_region){.address = pieces[i].address, .size = size, .bytes = g_malloc(size)};
    uint32_t done = 0;
    for (; i < end; i++) {
        memcpy(region->bytes + done, parse->data->data + pieces[i].offset, pieces[i].size);
        done += pieces[i].size;
    }
    return end;
}

static struct image *image_build(const struct image_parse *parse, GError **error)
{
    unsigned regions;
    if (parse->pieces->len == 0) {
        image_parse_error(parse, parse->line, error, "no data; expected at least one byte of firmware");
        return NULL;
    }
    if (!pieces_check(parse, &regions, error))
        return NULL;
    struct image *image = g_new0(struct image, 1);
    image->format = parse->kind->name;
    image->has_entry = parse->has_entry;
    image->entry = parse->entry;
    image->count = regions;
    image->regions = g_new0(struct image_region, regions);
    unsigned i = 0;
    for (unsigned r = 0; r < regions; r++)
        i = region_build(parse, i, &image->regions[r]);
    return image;
}

static const struct image_kind *kind_of(const uint8_t *bytes, size_t size)
{
    unsigned i = 0;
    while (i + 1 < G_N_ELEMENTS(kinds) && !kinds[i]->recognise(bytes, size))
        i++;
    return kinds[i];
}

struct image *image_parse(const char *name, GBytes *file, bool has_base, uint32_t base, GError **error)
{
    gsize size;
    const uint8_t *bytes = g_bytes_get_data(file, &size);
    if (size == 0 || size > IMAGE_FILE_MAX) {
        error_set(error, ERROR_AUTHOR, "%s:1: file of %zu bytes; expected a firmware image of 1 to %d bytes",
                  name, (size_t)size, IMAGE_FILE_MAX);
        return NULL;
    }
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(struct image_piece));
    g_autoptr(GByteArray) data = g_byte_array_new();
    struct image_parse parse = {.name = name,
                                .kind = kind_of(bytes, size),
                                .bytes = bytes,
                                .size = (uint32_t)size,
                                .has_base = has_base,
                                .base = base,
                                .pieces = pieces,
                                .data = data};
    return parse.kind->parse(&parse, error) ? image_build(&parse, error) : NULL;
}

void image_free(struct image *image)
{
    if (!image)
        return;
    for (unsigned i = 0; i < image->count; i++)
        g_free(image->regions[i].bytes);
    g_free(image->regions);
    g_free(image);
}

uint64_t image_size(const struct image *image)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < image->count; i++)
        size += image->regions[i].size;
    return size;
}

uint32_t image_first(const struct image *image)
{
    return image->regions[0].address;
}

uint64_t image_end(const struct image *image)
{
    const struct image_region *last = &image->regions[image->count - 1];
    return (uint64_t)last->address + last->size;
}

void image_sha256(const struct image *image, char hex[65])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (unsigned i = 0; i < image->count; i++)
        g_checksum_update(sum, image->regions[i].bytes, image->regions[i].size);
    g_strlcpy(hex, g_checksum_get_string(sum), 65);
}

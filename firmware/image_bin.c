/* Raw binary: the bytes are the image, the address comes from outside. Files of other formats must not slip
 * through here as if they were code, so well-known beginnings are refused. */
#include "firmware/image_parse.h"

#include <string.h>

#define TEXT_DIGITS 8 /* hexadecimal digits after ':' or S1 that make a file text for sure */

static const struct {
    const char *magic;
    unsigned size;
    const char *what;
} foreign[] = {
    {"DfuSe", 5, "a DfuSe container"},
    {"UF2\n", 4, "a UF2 container"},
    {"PK\003\004", 4, "a ZIP archive"},
    {"\037\213\010", 3, "a gzip archive"},
};

static bool recognise(const uint8_t *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return true;
}

/* Length of what stands before the first record of a text file; 0 when this is none. */
static uint32_t text_offset(const struct image_parse *parse)
{
    const char *text = (const char *)parse->bytes;
    uint32_t i = parse->size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (i < parse->size && g_ascii_isspace(text[i]))
        i++;
    uint32_t digits = 0;
    if (i < parse->size && (text[i] == ':' || text[i] == 'S'))
        while (i + 1 + digits < parse->size && g_ascii_isxdigit(text[i + 1 + digits]))
            digits++;
    return digits >= TEXT_DIGITS ? i : 0;
}

static bool parse_bin(struct image_parse *parse, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(foreign); i++)
        if (parse->size >= foreign[i].size && memcmp(parse->bytes, foreign[i].magic, foreign[i].size) == 0)
            return image_parse_error(parse, 0, error,
                                     "this is %s; expected ELF, Intel HEX, S-records or raw binary",
                                     foreign[i].what);
    if (text_offset(parse) > 0)
        return image_parse_error(parse, 0, error,
                                 "%u bytes before the first record; expected ':' or 'S' as the first "
                                 "character: save the file without byte-order mark and leading blanks",
                                 text_offset(parse));
    if (!parse->has_base)
        return image_parse_error(parse, 0, error,
                                 "neither ELF, Intel HEX nor S-records; raw binary needs its load address");
    return image_parse_add(parse, 0, parse->base, parse->bytes, parse->size, error);
}

const struct image_kind image_kind_bin = {.name = "binary", .recognise = recognise, .parse = parse_bin};

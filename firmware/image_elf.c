/* ELF executables for 32-bit little-endian Arm (System V ABI, chapters 4 and 5; ELF for the Arm
 * Architecture). What is flashed is every PT_LOAD segment's file content at its physical address. */
#include "firmware/image_parse.h"

#include <string.h>

enum {
    ELF_HEADER = 52,
    ELF_PHDR = 32,
    ELF_CLASS_32 = 1,
    ELF_LITTLE = 1,
    ELF_CURRENT = 1,
    ELF_EXECUTABLE = 2,
    ELF_ARM = 40,
    ELF_LOAD = 1,
};

struct elf_field {
    uint32_t offset;
    unsigned size;
    uint32_t expected;
    const char *what, *hint;
};

static const struct elf_field fields[] = {
    {4, 1, ELF_CLASS_32, "class", "1 (32-bit)"},
    {5, 1, ELF_LITTLE, "data encoding", "1 (little-endian)"},
    {6, 1, ELF_CURRENT, "identification version", "1"},
    {16, 2, ELF_EXECUTABLE, "file type", "2 (executable): link it first"},
    {18, 2, ELF_ARM, "machine", "40 (Arm): is it built for the board?"},
    {20, 4, ELF_CURRENT, "version", "1"},
    {42, 2, ELF_PHDR, "program header size", "32"},
};

static bool recognise(const uint8_t *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "\177ELF", 4) == 0;
}

/* The caller has checked the bounds. */
static uint32_t little(const struct image_parse *parse, uint32_t offset, unsigned n)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value |= (uint32_t)parse->bytes[offset + i] << (8 * i);
    return value;
}

static bool header_check(const struct image_parse *parse, GError **error)
{
    if (parse->size < ELF_HEADER)
        return image_parse_error(parse, 0, error, "file of %u bytes; expected an ELF header of %d: cut off?",
                                 parse->size, ELF_HEADER);
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        uint32_t found = little(parse, fields[i].offset, fields[i].size);
        if (found != fields[i].expected)
            return image_parse_error(parse, fields[i].offset, error, "ELF %s is %u; expected %s",
                                     fields[i].what, found, fields[i].hint);
    }
    return true;
}

static bool segment_take(struct image_parse *parse, uint32_t header, GError **error)
{
    uint32_t offset = little(parse, header + 4, 4), address = little(parse, header + 12, 4);
    uint32_t in_file = little(parse, header + 16, 4), in_memory = little(parse, header + 20, 4);
    if (little(parse, header, 4) != ELF_LOAD || in_file == 0)
        return true;
    if (offset > parse->size || in_file > parse->size - offset)
        return image_parse_error(parse, header, error,
                                 "segment of %u bytes at file offset 0x%X; expected it inside the file of %u "
                                 "bytes: cut off?",
                                 in_file, offset, parse->size);
    if (offset < ELF_HEADER)
        return image_parse_error(
            parse, header, error,
            "segment loads the ELF header itself to 0x%08X; expected code and data only: "
            "name the program headers in the linker script, or convert the file with "
            "objcopy -O ihex",
            address);
    if (in_memory < in_file)
        return image_parse_error(
            parse, header, error,
            "segment of %u bytes in the file has %u in memory; expected at least as many", in_file,
            in_memory);
    return image_parse_add(parse, header, address, parse->bytes + offset, in_file, error);
}

static bool parse_elf(struct image_parse *parse, GError **error)
{
    if (!header_check(parse, error))
        return false;
    uint32_t table = little(parse, 28, 4), count = little(parse, 44, 2);
    if (count == 0 || count > IMAGE_REGIONS_MAX)
        return image_parse_error(parse, 44, error, "%u program headers; expected 1 to %d", count,
                                 IMAGE_REGIONS_MAX);
    if (table > parse->size || count * ELF_PHDR > parse->size - table)
        return image_parse_error(parse, 28, error,
                                 "%u program headers at file offset 0x%X; expected them inside the file of "
                                 "%u bytes: cut off?",
                                 count, table, parse->size);
    for (uint32_t i = 0; i < count; i++)
        if (!segment_take(parse, table + i * ELF_PHDR, error))
            return false;
    parse->entry = little(parse, 24, 4);
    parse->has_entry = parse->entry != 0;
    return true;
}

const struct image_kind image_kind_elf = {.name = "elf", .recognise = recognise, .parse = parse_elf};

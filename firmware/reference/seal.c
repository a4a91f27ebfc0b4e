/* Host tool: seal IN.elf OUT.elf writes image length and CRC-32 into the descriptor of a linked image. The
 * image is every PT_LOAD segment's file content by physical address, without gaps; the descriptor stands at
 * 0x200 from its start (docs/families/basen.md). */
#include "descriptor.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_SIZE (1024u * 1024u)
#define SEGMENTS_MAX  8u
#define HEADER_SIZE   52u /* ELF32, System V ABI chapter 4 */
#define SEGMENT_SIZE  32u
#define SEGMENT_LOAD  1u

struct segment {
    uint32_t address, offset, size;
};

struct elf {
    uint8_t bytes[FILE_MAX_SIZE];
    uint32_t size;
    struct segment segments[SEGMENTS_MAX]; /* ascending by address */
    unsigned count;
};

static bool refuse(const char *what)
{
    fprintf(stderr, "seal: %s\n", what);
    return false;
}

static uint32_t get(const uint8_t *bytes, unsigned n)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

static void put(uint8_t *bytes, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static bool elf_read(struct elf *elf, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return refuse("cannot open the input");
    elf->size = (uint32_t)fread(elf->bytes, 1, FILE_MAX_SIZE, file);
    bool ok = !ferror(file) && elf->size >= HEADER_SIZE && elf->size < FILE_MAX_SIZE;
    fclose(file);
    return (ok && memcmp(elf->bytes, "\177ELF\001\001\001", 7) == 0) ||
           refuse("the input is no 32-bit little-endian ELF");
}

static bool segment_add(struct elf *elf, const uint8_t *header)
{
    const struct segment new = {get(header + 12, 4), get(header + 4, 4), get(header + 16, 4)};
    if (get(header, 4) != SEGMENT_LOAD || new.size == 0)
        return true;
    if (new.offset > elf->size || new.size > elf->size - new.offset || elf->count == SEGMENTS_MAX)
        return refuse("segments outside the file, or too many");
    unsigned i = elf->count++;
    for (; i > 0 && elf->segments[i - 1].address > new.address; i--)
        elf->segments[i] = elf->segments[i - 1];
    elf->segments[i] = new;
    return true;
}

static bool segments_read(struct elf *elf)
{
    uint32_t table = get(elf->bytes + 28, 4), count = get(elf->bytes + 44, 2);
    if (get(elf->bytes + 42, 2) != SEGMENT_SIZE || table > elf->size ||
        count * SEGMENT_SIZE > elf->size - table)
        return refuse("bad program headers");
    for (uint32_t i = 0; i < count; i++)
        if (!segment_add(elf, elf->bytes + table + i * SEGMENT_SIZE))
            return false;
    for (unsigned i = 1; i < elf->count; i++)
        if (elf->segments[i].address != elf->segments[i - 1].address + elf->segments[i - 1].size)
            return refuse("gap or overlap between segments; the image must be contiguous");
    return true;
}

static uint32_t crc32(const struct elf *elf)
{
    uint32_t value = 0xFFFFFFFFu;
    for (unsigned s = 0; s < elf->count; s++) {
        for (uint32_t i = 0; i < elf->segments[s].size; i++) {
            value ^= elf->bytes[elf->segments[s].offset + i];
            for (int bit = 0; bit < 8; bit++)
                value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
        }
    }
    return ~value;
}

static bool descriptor_fill(struct elf *elf)
{
    uint32_t length = 0;
    for (unsigned i = 0; i < elf->count; i++)
        length += elf->segments[i].size;
    if (elf->count == 0 || elf->segments[0].size < DESCRIPTOR_OFFSET + sizeof(struct descriptor))
        return refuse("the first segment ends before the descriptor");
    uint8_t *descriptor = elf->bytes + elf->segments[0].offset + DESCRIPTOR_OFFSET;
    if (get(descriptor, 4) != DESCRIPTOR_MAGIC)
        return refuse("no descriptor at 0x200");
    if (length % 4 != 0)
        return refuse("the image length is no multiple of 4");
    put(descriptor + DESCRIPTOR_LENGTH, length);
    put(descriptor + DESCRIPTOR_CRC, 0);
    put(descriptor + DESCRIPTOR_CRC, crc32(elf));
    return true;
}

static bool elf_write(const struct elf *elf, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return refuse("cannot make the output");
    bool ok = fwrite(elf->bytes, 1, elf->size, file) == elf->size;
    ok = fclose(file) == 0 && ok;
    return ok || refuse("cannot write the output");
}

int main(int argc, char **argv)
{
    struct elf *elf = calloc(1, sizeof *elf);
    bool ok = argc == 3 ? elf != NULL : refuse("usage: seal IN.elf OUT.elf");
    ok =
        ok && elf_read(elf, argv[1]) && segments_read(elf) && descriptor_fill(elf) && elf_write(elf, argv[2]);
    free(elf);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Firmware images: raw binary, Intel HEX, Motorola S-record, ELF, all to the same thing: bytes at addresses.
 *
 * Limits: file at most IMAGE_FILE_MAX, span at most IMAGE_SPAN_MAX, at most IMAGE_REGIONS_MAX regions.
 * Overlaps, bad checksums, missing end records, rubbish after the end, data outside 32 bits are errors of
 * kind AUTHOR that begin with "file:line: " (offset for binary formats) and say what was expected. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define IMAGE_FILE_MAX    (16 * 1024 * 1024)
#define IMAGE_SPAN_MAX    (4 * 1024 * 1024)
#define IMAGE_REGIONS_MAX 256

struct image_region {
    uint32_t address;
    uint32_t size;
    uint8_t *bytes;
};

struct image {
    struct image_region *regions; /* ascending, disjoint, never adjacent (merged) */
    unsigned count;
    const char *format; /* "binary" "ihex" "srec" "elf" */
    bool has_entry;
    uint32_t entry;
};

/* Format from content (ELF magic, ':' or 'S' first); otherwise raw binary, which needs has_base. name is for
 * messages. */
struct image *image_parse(const char *name, GBytes *file, bool has_base, uint32_t base,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void image_free(struct image *image);
uint64_t image_size(const struct image *image);  /* bytes in all regions */
uint32_t image_first(const struct image *image); /* lowest address */
uint64_t image_end(const struct image *image);   /* one past the highest */
/* SHA-256 over the bytes of all regions in address order, 64 hex digits. */
void image_sha256(const struct image *image, char hex[65]);

typedef struct image image_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(image_auto, image_free)

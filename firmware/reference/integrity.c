/* The whole image is checked before the first output is switched. Four tables take four bytes a turn, so that
 * even a full flash of 128 KiB is checked within 50 ms at 16 MHz. */
#include "program.h"

#include "crc_tables.h" /* static const uint32_t crc_tables[4][256], made by tables.c */

extern const uint32_t image_start[]; /* of reference.ld */

bool image_is_intact(uint32_t *crc)
{
    const uint32_t crc_word = (DESCRIPTOR_OFFSET + DESCRIPTOR_CRC) / 4, words = descriptor.length / 4;
    uint32_t value = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < words; i++) {
        value ^= i == crc_word ? 0 : image_start[i];
        value = crc_tables[3][value & 0xFF] ^ crc_tables[2][value >> 8 & 0xFF] ^
                crc_tables[1][value >> 16 & 0xFF] ^ crc_tables[0][value >> 24];
    }
    *crc = ~value;
    return *crc == descriptor.crc;
}

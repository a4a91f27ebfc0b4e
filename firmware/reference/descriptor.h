/* The image descriptor that stands at DESCRIPTOR_OFFSET from the start of the image. Length and checksum are
 * filled in after linking, by seal.c. */
#pragma once

#include <stdint.h>

#define DESCRIPTOR_OFFSET 0x200u
#define DESCRIPTOR_MAGIC  0x444C4B50u /* "PKLD" as a little-endian word */
#define DESCRIPTOR_LENGTH 4u          /* offsets of members */
#define DESCRIPTOR_CRC    8u

struct descriptor {
    uint32_t magic;
    uint32_t length; /* of the image in bytes, a multiple of 4 */
    uint32_t crc;    /* CRC-32 of the image with this member taken as zero */
    char version[16], product[16], hardware[16];
    uint32_t zero;
};

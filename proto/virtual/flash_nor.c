/* The flash array and the rule by which the board decides whether its application is whole. */
#include "proto/virtual/parts.h"

#include <string.h>

#define DESCRIPTOR    0x200u
#define FACTORY_BYTES (4u * 1024)
#define ODD_BLOCK     0x100u /* where the flash defects bite */

static uint32_t get_le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

/* CRC-32 as in IEEE 802.3, reflected. */
static uint32_t crc32_step(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int i = 0; i < 8; i++)
        crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    return crc;
}

static uint32_t image_crc(const uint8_t *image, uint32_t length)
{
    uint32_t crc = 0xffffffffu;
    for (uint32_t i = 0; i < length; i++)
        crc = crc32_step(crc, i >= DESCRIPTOR + 8 && i < DESCRIPTOR + 12 ? 0 : image[i]);
    return ~crc;
}

bool vb_flash_intact(const struct vboard *board, char version[17], char product[17])
{
    const uint8_t *image = board->nvm.flash, *d = image + DESCRIPTOR;
    uint32_t length = get_le(d + 4), stack = get_le(image), entry = get_le(image + 4);
    memset(version, 0, 17);
    memset(product, 0, 17);
    if (memcmp(d, "PKLD", 4) != 0 || length % 4 || length < DESCRIPTOR + 64 || length > VB_FLASH_SIZE)
        return false;
    if (stack < 0x20000000u || stack > 0x20020000u || !(entry & 1) || entry < VB_FLASH_ADDRESS ||
        entry >= VB_FLASH_ADDRESS + length || image_crc(image, length) != get_le(d + 8))
        return false;
    memcpy(version, d + 12, 16);
    memcpy(product, d + 28, 16);
    return true;
}

void vb_flash_factory(struct vboard *board)
{
    uint8_t *image = board->nvm.flash, *d = image + DESCRIPTOR;
    uint64_t state = 4711;
    for (unsigned i = 0; i < FACTORY_BYTES; i++)
        image[i] = (uint8_t)vb_random(&state);
    put_le(image, 0x20020000u);
    put_le(image + 4, VB_FLASH_ADDRESS + 0x301);
    memset(d, 0, 64);
    memcpy(d, "PKLD", 4);
    put_le(d + 4, FACTORY_BYTES);
    memcpy(d + 12, "0.9.0", 5);
    memcpy(d + 28, "B200LT55", 8);
    memcpy(d + 44, "HY-PT003", 8);
    put_le(d + 8, image_crc(image, FACTORY_BYTES));
}

void vb_flash_erase(struct vboard *board, unsigned first_page, unsigned count)
{
    for (unsigned p = first_page; p < first_page + count && (p + 1) * VB_PAGE <= VB_FLASH_SIZE; p++)
        memset(board->nvm.flash + p * VB_PAGE, 0xff, VB_PAGE);
}

bool vb_flash_program(struct vboard *board, unsigned offset, const uint8_t *bytes, unsigned n)
{
    uint8_t *to = board->nvm.flash + offset;
    bool stuck = vb_defect(board, "stuck-bit") && offset == vb_defect_number(board, "stuck-bit", ODD_BLOCK);
    if (offset == ODD_BLOCK && (vb_defect(board, "ack-no-write") || vb_defect(board, "cached-readback")))
        return true;
    for (unsigned i = 0; i < n; i++)
        if (to[i] != 0xff && to[i] != bytes[i])
            return false;
    for (unsigned i = 0; i < n; i++) {
        to[i] = bytes[i];
        if (stuck && !(bytes[i] & 1)) {
            to[i] |= 1;
            stuck = false;
        }
    }
    return true;
}

/* The ROM bootloader on the UART, written from ST's AN3155 and docs/families/basen.md. */
#include "proto/virtual/parts.h"

#include <string.h>

#define ACK         0x79
#define NACK        0x1f
#define VERSION     0x31
#define STALL_US    1000000 /* a command that is not finished by then is forgotten */
#define PAGE_MS     20
#define WORD_US     50 /* per 8 bytes */
#define RESPONSE_US 50

enum phase { SYNC, COMMAND, COMPLEMENT, ADDRESS, COUNT, DATA, PAGES, CRC_SIZE, CRC_POLY, CRC_INIT };

struct vb_boot {
    enum phase phase;
    uint8_t command;
    uint8_t buffer[2 * 513 + 8];
    unsigned n, wanted;
    uint32_t address, crc_words, crc_poly, crc_init;
    int64_t last_us, busy_until_us;
    bool written; /* a flash write came since reset */
    uint32_t cached_address;
    uint8_t cached[256];
    unsigned cached_n;
};

struct vb_boot *vb_boot_new(void)
{
    return g_new0(struct vb_boot, 1);
}

void vb_boot_free(struct vb_boot *boot)
{
    g_free(boot);
}

void vb_boot_reset(struct vb_boot *boot)
{
    int64_t busy = boot->busy_until_us;
    memset(boot, 0, sizeof *boot);
    boot->busy_until_us = busy;
}

static int64_t respond_at(struct vboard *board, int64_t now_us)
{
    return MAX(now_us, board->boot->busy_until_us) + (board->fast ? RESPONSE_US / 50 : RESPONSE_US);
}

static void answer(struct vboard *board, const void *bytes, unsigned n, int64_t now_us)
{
    vb_send(board, bytes, n, respond_at(board, now_us));
}

static void ack(struct vboard *board, int64_t now_us)
{
    const uint8_t byte = ACK;
    answer(board, &byte, 1, now_us);
}

static void nack(struct vboard *board, int64_t now_us)
{
    const uint8_t byte = NACK;
    answer(board, &byte, 1, now_us);
    board->boot->phase = COMMAND;
}

static void expect(struct vb_boot *boot, enum phase phase, unsigned wanted)
{
    boot->phase = phase;
    boot->wanted = wanted;
    boot->n = 0;
}

static void busy(struct vboard *board, int64_t now_us, int64_t us)
{
    board->boot->busy_until_us = MAX(board->boot->busy_until_us, now_us) + (board->fast ? us / 100 : us);
}

static const uint8_t *memory_at(const struct vboard *board, uint32_t address, unsigned n)
{
    static const uint8_t flash_size[2] = {128, 0}; /* KiB, at 1FFF7A22H */
    const uint64_t end = (uint64_t)address + n;
    if (address >= VB_FLASH_ADDRESS && end <= VB_FLASH_ADDRESS + VB_FLASH_SIZE)
        return board->nvm.flash + (address - VB_FLASH_ADDRESS);
    if (address >= VB_UID_ADDRESS && end <= VB_UID_ADDRESS + 12)
        return board->nvm.unique_id + (address - VB_UID_ADDRESS);
    if (address >= 0x1FFF7A22u && end <= 0x1FFF7A24u)
        return flash_size + (address - 0x1FFF7A22u);
    return NULL;
}

static void say_commands(struct vboard *board, int64_t now_us)
{
    static const uint8_t list[] = {0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0xa1};
    unsigned count = sizeof list - (vb_defect(board, "no-crc") ? 1 : 0);
    uint8_t head[2] = {(uint8_t)count, VERSION};
    answer(board, head, 2, now_us);
    answer(board, list, count, now_us);
    ack(board, now_us);
}

static void start_command(struct vboard *board, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    boot->phase = COMMAND;
    switch (boot->command) {
    case 0x00:
        ack(board, now_us);
        say_commands(board, now_us);
        break;
    case 0x01: {
        const uint8_t version[] = {VERSION, 0, 0};
        ack(board, now_us);
        answer(board, version, sizeof version, now_us);
        ack(board, now_us);
        break;
    }
    case 0x02: {
        const uint8_t id[] = {1, 0x04, vb_defect(board, "wrong-mcu") ? 0x19 : 0x13};
        ack(board, now_us);
        answer(board, id, sizeof id, now_us);
        ack(board, now_us);
        break;
    }
    case 0x11:
    case 0x21:
    case 0x31:
        ack(board, now_us);
        expect(boot, ADDRESS, 5);
        break;
    case 0x44:
        ack(board, now_us);
        expect(boot, PAGES, 2);
        break;
    case 0xa1:
        if (!vb_defect(board, "no-crc")) {
            ack(board, now_us);
            expect(boot, ADDRESS, 5);
            break;
        }
        /* fall through */
    default:
        nack(board, now_us);
        break;
    }
}

static uint8_t xor_of(const uint8_t *bytes, unsigned n)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum ^= bytes[i];
    return sum;
}

/* A 32-bit value and its XOR, as it came in. */
static bool take_word(const struct vb_boot *boot, uint32_t *word)
{
    const uint8_t *p = boot->buffer;
    *word = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return xor_of(p, 5) == 0;
}

static void take_address(struct vboard *board, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    bool good = take_word(boot, &boot->address) && memory_at(board, boot->address, 1);
    if (boot->command == 0x31 || boot->command == 0xa1)
        good = good && boot->address >= VB_FLASH_ADDRESS &&
               boot->address < VB_FLASH_ADDRESS + VB_FLASH_SIZE && boot->address % 4 == 0;
    if (!good) {
        nack(board, now_us);
        return;
    }
    ack(board, now_us);
    switch (boot->command) {
    case 0x11:
        expect(boot, COUNT, 2);
        break;
    case 0x31:
        expect(boot, DATA, 1);
        break;
    case 0xa1:
        expect(boot, CRC_SIZE, 5);
        break;
    default: /* GO */
        if (vb_defect(board, "uid-after-reset"))
            board->nvm.unique_id[0] ^= 0xff;
        boot->phase = SYNC;
        vb_change_mode(board, vb_defect(board, "silent-after-flash") ? VB_ASLEEP : VB_STARTING,
                       respond_at(board, now_us) + vb_ms(board, 1));
        break;
    }
}

static void take_count(struct vboard *board, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    unsigned n = boot->buffer[0] + 1u;
    const uint8_t *from = memory_at(board, boot->address, n);
    if ((boot->buffer[0] ^ boot->buffer[1]) != 0xff || !from) {
        nack(board, now_us);
        return;
    }
    ack(board, now_us);
    if (boot->cached_n && boot->address == boot->cached_address && n == boot->cached_n)
        from = boot->cached;
    answer(board, from, n, now_us);
    boot->phase = COMMAND;
}

static void take_data(struct vboard *board, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    unsigned n = boot->buffer[0] + 1u, offset = boot->address - VB_FLASH_ADDRESS;
    if (boot->n == 1) {
        boot->wanted = n + 2; /* count, data, XOR */
        return;
    }
    if (xor_of(boot->buffer, n + 2) != 0 || n % 4 || offset + n > VB_FLASH_SIZE) {
        nack(board, now_us);
        return;
    }
    if (!boot->written && vb_defect(board, "swapped-while-flashing"))
        board->nvm.unique_id[1] ^= 0xff;
    boot->written = true;
    if (vb_defect(board, "cached-readback") && offset == 0x100) {
        boot->cached_address = boot->address;
        boot->cached_n = n;
        memcpy(boot->cached, boot->buffer + 1, n);
    }
    bool ok = vb_flash_program(board, offset, boot->buffer + 1, n);
    busy(board, now_us, (int64_t)(n + 7) / 8 * WORD_US);
    vb_dirty(board, now_us);
    if (ok)
        ack(board, now_us);
    else
        nack(board, now_us);
    boot->phase = COMMAND;
}

static void erase_pages(struct vboard *board, unsigned count, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    for (unsigned i = 0; i < count; i++) {
        unsigned page = (unsigned)boot->buffer[2 + 2 * i] << 8 | boot->buffer[3 + 2 * i];
        if (page >= VB_FLASH_SIZE / VB_PAGE) {
            nack(board, now_us);
            return;
        }
    }
    for (unsigned i = 0; i < count; i++)
        vb_flash_erase(board, (unsigned)boot->buffer[2 + 2 * i] << 8 | boot->buffer[3 + 2 * i], 1);
    busy(board, now_us, (int64_t)count * PAGE_MS * 1000);
    vb_dirty(board, now_us);
    ack(board, now_us);
    boot->phase = COMMAND;
}

static void take_pages(struct vboard *board, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    unsigned head = (unsigned)boot->buffer[0] << 8 | boot->buffer[1];
    if (boot->n == 2) {
        bool special = head >= 0xfff0;
        if (!special && head + 1 > VB_FLASH_SIZE / VB_PAGE) {
            nack(board, now_us);
            return;
        }
        boot->wanted = special ? 3 : 2 + 2 * (head + 1) + 1;
        return;
    }
    if (xor_of(boot->buffer, boot->wanted) != 0) {
        nack(board, now_us);
    } else if (head == 0xffff) {
        vb_flash_erase(board, 0, VB_FLASH_SIZE / VB_PAGE);
        busy(board, now_us, PAGE_MS * 1000);
        vb_dirty(board, now_us);
        ack(board, now_us);
        boot->phase = COMMAND;
    } else if (head >= 0xfff0) {
        nack(board, now_us); /* bank erases: this part has one bank */
    } else {
        erase_pages(board, head + 1, now_us);
    }
}

static uint32_t device_crc(const struct vboard *board)
{
    const struct vb_boot *boot = board->boot;
    const uint8_t *p = board->nvm.flash + (boot->address - VB_FLASH_ADDRESS);
    uint32_t crc = boot->crc_init;
    for (uint32_t i = 0; i < boot->crc_words; i++, p += 4) {
        crc ^= (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
        for (int k = 32; k > 0; k--)
            crc = (crc << 1) ^ (crc >> 31 ? boot->crc_poly : 0);
    }
    return crc;
}

static void take_crc_word(struct vboard *board, uint32_t *word, enum phase next, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    if (!take_word(boot, word)) {
        nack(board, now_us);
        return;
    }
    ack(board, now_us);
    expect(boot, next, 5);
    if (next != COMMAND)
        return;
    uint64_t end = (uint64_t)boot->address + (uint64_t)boot->crc_words * 4;
    if (end > VB_FLASH_ADDRESS + VB_FLASH_SIZE) {
        nack(board, now_us);
        return;
    }
    uint32_t crc = device_crc(board);
    uint8_t out[5] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc, 0};
    out[4] = xor_of(out, 4);
    busy(board, now_us, boot->crc_words / 16);
    ack(board, now_us);
    answer(board, out, 5, now_us);
}

static void finish_phase(struct vboard *board, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    switch (boot->phase) {
    case ADDRESS:
        take_address(board, now_us);
        break;
    case COUNT:
        take_count(board, now_us);
        break;
    case DATA:
        take_data(board, now_us);
        break;
    case PAGES:
        take_pages(board, now_us);
        break;
    case CRC_SIZE:
        take_crc_word(board, &boot->crc_words, CRC_POLY, now_us);
        break;
    case CRC_POLY:
        take_crc_word(board, &boot->crc_poly, CRC_INIT, now_us);
        break;
    case CRC_INIT:
        take_crc_word(board, &boot->crc_init, COMMAND, now_us);
        break;
    default:
        break;
    }
}

void vb_boot_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_boot *boot = board->boot;
    if (boot->phase > COMMAND && now_us - boot->last_us > STALL_US)
        boot->phase = COMMAND;
    boot->last_us = now_us;
    switch (boot->phase) {
    case SYNC:
        if (byte == 0x7f) {
            ack(board, now_us);
            boot->phase = COMMAND;
        }
        break;
    case COMMAND:
        boot->command = byte;
        boot->phase = COMPLEMENT;
        break;
    case COMPLEMENT:
        if ((boot->command ^ byte) == 0xff)
            start_command(board, now_us);
        else
            nack(board, now_us);
        break;
    default:
        boot->buffer[boot->n++] = byte;
        if (boot->n >= boot->wanted)
            finish_phase(board, now_us);
        break;
    }
}

/* Primitives of the STM32 ROM bootloader over UART, as ST's AN3155 names them.
 *
 * A command is one byte and its complement; addresses and data carry an XOR byte; each phase is answered ACK
 * or NACK. GET CHECKSUM (A1H) is listed by some bootloaders only. */
#include "proto/loader.h"
#include "station/base/error.h"

#include <string.h>

extern const struct loader_kind loader_an3155_kind;

#define SYNC 0x7f
#define ACK  0x79
#define NACK 0x1f

enum command {
    GET = 0x00,
    GET_ID = 0x02,
    READ_MEMORY = 0x11,
    GO = 0x21,
    WRITE_MEMORY = 0x31,
    EXTENDED_ERASE = 0x44,
    GET_CHECKSUM = 0xa1
};

#define BLOCK            256 /* bytes of one READ or WRITE */
#define COMMANDS_MAX     32
#define SYNC_TRIES       5
#define SYNC_WAIT_MS     150
#define COMMAND_MS       500 /* answer to a command or address phase */
#define CRC_MS_PER_64KIB 500
#define QUIET_MS         20 /* a bootloader that has something to say has said it */
#define REPAIR_TRIES     5
#define CRC_POLY         0x04c11db7u /* RM0090 4.2: the CRC unit */
#define CRC_INIT         0xffffffffu

struct an3155 {
    uint8_t commands[COMMANDS_MAX];
    unsigned count;
};

static const char *name_of(enum command command)
{
    switch (command) {
    case GET:
        return "GET";
    case GET_ID:
        return "GET ID";
    case READ_MEMORY:
        return "READ MEMORY";
    case GO:
        return "GO";
    case WRITE_MEMORY:
        return "WRITE MEMORY";
    case EXTENDED_ERASE:
        return "EXTENDED ERASE";
    case GET_CHECKSUM:
        return "GET CHECKSUM";
    }
    return "?";
}

static int64_t in_ms(const struct loader *loader, int64_t ms)
{
    return tick_deadline_ms(loader->wire->tick, ms);
}

/* Time that n bytes need on the line itself, so that a slow line is not taken for silence. */
static int64_t line_ms(const struct loader *loader, size_t n)
{
    return (int64_t)n * wire_line_bits(&loader->wire->line) * 1000 / loader->wire->line.baud;
}

static bool expect_ack(struct loader *loader, int64_t ms, const char *what, GError **error)
{
    uint8_t answer;
    if (!wire_receive_all(loader->wire, &answer, 1, in_ms(loader, ms), error)) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    if (answer == ACK)
        return true;
    if (answer == NACK)
        return error_set(error, ERROR_REFUSED, "%s: the bootloader answered NACK", what);
    return error_set(error, ERROR_GARBLED, "%s: the bootloader answered %02X, neither ACK nor NACK", what,
                     answer);
}

static bool send_phase(struct loader *loader, const void *bytes, size_t n, int64_t ms, const char *what,
                       GError **error)
{
    int64_t deadline = in_ms(loader, COMMAND_MS + line_ms(loader, n));
    if (!wire_send(loader->wire, bytes, n, deadline, error)) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    return expect_ack(loader, ms + line_ms(loader, n), what, error);
}

/* A byte too many of the last answer would shift every answer from here on. */
static bool send_command(struct loader *loader, enum command command, GError **error)
{
    const uint8_t bytes[] = {(uint8_t)command, (uint8_t)~command};
    return wire_discard(loader->wire, error) &&
           send_phase(loader, bytes, sizeof bytes, COMMAND_MS, name_of(command), error);
}

/* A 32-bit word, most significant byte first, and the XOR of its bytes. */
static void put_word(uint8_t out[5], uint32_t word)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(word >> (24 - 8 * i));
    out[4] = out[0] ^ out[1] ^ out[2] ^ out[3];
}

static bool send_word(struct loader *loader, enum command command, uint32_t word, GError **error)
{
    uint8_t bytes[5];
    put_word(bytes, word);
    if (send_phase(loader, bytes, sizeof bytes, COMMAND_MS, name_of(command), error))
        return true;
    g_prefix_error(error, "0x%08X: ", word);
    return false;
}

/* 7FH starts the autobaud; a bootloader that already runs takes it for half a command and answers NACK to a
 * second. */
static bool sync_line(struct loader *loader, GError **error)
{
    for (int i = 0; i < SYNC_TRIES; i++) {
        const uint8_t sync = SYNC;
        uint8_t answer;
        g_autoptr(GError) silent = NULL;
        if (!wire_discard(loader->wire, error) ||
            !wire_send(loader->wire, &sync, 1, in_ms(loader, COMMAND_MS), error))
            return false;
        if (wire_receive_all(loader->wire, &answer, 1, in_ms(loader, SYNC_WAIT_MS), &silent)) {
            if (answer == ACK || answer == NACK)
                return true;
            continue;
        }
        if (error_kind(silent) != ERROR_SILENT) {
            g_propagate_error(error, g_steal_pointer(&silent));
            return false;
        }
    }
    return error_set(error, ERROR_SILENT, "no bootloader answers on this line");
}

static bool get(struct loader *loader, GError **error)
{
    struct an3155 *an = loader->driver;
    uint8_t head[2];
    if (!send_command(loader, GET, error) ||
        !wire_receive_all(loader->wire, head, 2, in_ms(loader, COMMAND_MS), error))
        return false;
    if (head[0] > COMMANDS_MAX)
        return error_set(error, ERROR_GARBLED, "GET: %u commands, at most %d are believed", head[0],
                         COMMANDS_MAX);
    an->count = head[0];
    loader->identity.bootloader = head[1];
    if (!wire_receive_all(loader->wire, an->commands, an->count, in_ms(loader, COMMAND_MS), error) ||
        !expect_ack(loader, COMMAND_MS, "GET", error))
        return false;
    loader->identity.has_device_crc = memchr(an->commands, GET_CHECKSUM, an->count) != NULL;
    return true;
}

static bool get_id(struct loader *loader, GError **error)
{
    uint8_t answer[3];
    if (!send_command(loader, GET_ID, error) ||
        !wire_receive_all(loader->wire, answer, sizeof answer, in_ms(loader, COMMAND_MS), error) ||
        !expect_ack(loader, COMMAND_MS, "GET ID", error))
        return false;
    if (answer[0] != 1)
        return error_set(error, ERROR_GARBLED, "GET ID: %u bytes of id, 2 were expected", answer[0] + 1);
    loader->identity.mcu_id = (uint16_t)(answer[1] << 8 | answer[2]);
    return true;
}

/* Waits until nothing comes any more: what is still on its way is no answer to what follows. */
static bool drain(struct loader *loader, int64_t first_ms, GError **error)
{
    for (int i = 0; i < 2 * BLOCK; i++) {
        uint8_t byte;
        g_autoptr(GError) quiet = NULL;
        if (wire_receive_all(loader->wire, &byte, 1, in_ms(loader, i ? QUIET_MS : first_ms), &quiet))
            continue;
        if (error_kind(quiet) == ERROR_SILENT)
            return true;
        g_propagate_error(error, g_steal_pointer(&quiet));
        return false;
    }
    return error_set(error, ERROR_GARBLED, "the line is never quiet");
}

/* Brings a disturbed dialogue back to where a command may start: half a command is completed by rubbish until
 * NACK. Only a NACK that follows a byte of ours counts; one that came before may be rubbish itself, or the
 * answer to a byte too many. */
static bool resync(struct loader *loader, int64_t first_ms, GError **error)
{
    if (!drain(loader, first_ms, error))
        return false;
    for (int i = 0; i < 2 * BLOCK + 8; i++) {
        const uint8_t rubbish = SYNC;
        uint8_t answer = 0;
        g_autoptr(GError) silent = NULL;
        if (!wire_send(loader->wire, &rubbish, 1, in_ms(loader, COMMAND_MS), error))
            return false;
        if (wire_receive_all(loader->wire, &answer, 1, in_ms(loader, QUIET_MS), &silent)) {
            if (!drain(loader, QUIET_MS, error))
                return false;
            if (answer == NACK)
                return true;
        } else if (error_kind(silent) != ERROR_SILENT) {
            g_propagate_error(error, g_steal_pointer(&silent));
            return false;
        }
    }
    return error_set(error, ERROR_SILENT, "the bootloader does not come back");
}

/* A NACK may be the answer to a byte that was damaged on the way, so it is worth as many tries as silence. */
static bool may_repair(const GError *failure)
{
    enum error_kind kind = error_kind(failure);
    return kind == ERROR_SILENT || kind == ERROR_GARBLED || kind == ERROR_REFUSED;
}

static bool repair(struct loader *loader, const GError *failure, GError **error)
{
    return resync(loader, error_kind(failure) == ERROR_SILENT ? COMMAND_MS : QUIET_MS, error);
}

static bool read_once(struct loader *loader, uint32_t address, uint8_t *bytes, size_t n, GError **error)
{
    const uint8_t count[] = {(uint8_t)(n - 1), (uint8_t) ~(n - 1)};
    if (!send_command(loader, READ_MEMORY, error) || !send_word(loader, READ_MEMORY, address, error) ||
        !send_phase(loader, count, sizeof count, COMMAND_MS, "READ MEMORY", error))
        return false;
    return wire_receive_all(loader->wire, bytes, n, in_ms(loader, COMMAND_MS + line_ms(loader, n)), error);
}

static bool read_block(struct loader *loader, uint32_t address, uint8_t *bytes, size_t n, GError **error)
{
    for (int i = 0; i < REPAIR_TRIES; i++) {
        g_autoptr(GError) failure = NULL;
        if (read_once(loader, address, bytes, n, &failure))
            return true;
        if (i + 1 == REPAIR_TRIES || !may_repair(failure)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "reading 0x%08X: ", address);
            return false;
        }
        if (!repair(loader, failure, error))
            return false;
    }
    return false;
}

static bool an3155_read(struct loader *loader, uint32_t address, uint8_t *bytes, size_t n, GError **error)
{
    for (size_t done = 0; done < n; done += BLOCK)
        if (!read_block(loader, address + (uint32_t)done, bytes + done, MIN(n - done, BLOCK), error))
            return false;
    return true;
}

static bool write_once(struct loader *loader, uint32_t address, const uint8_t *bytes, size_t n,
                       GError **error)
{
    uint8_t packet[2 + BLOCK] = {(uint8_t)(n - 1)};
    uint8_t sum = packet[0];
    memcpy(packet + 1, bytes, n);
    for (size_t i = 0; i < n; i++)
        sum ^= bytes[i];
    packet[1 + n] = sum;
    return send_command(loader, WRITE_MEMORY, error) && send_word(loader, WRITE_MEMORY, address, error) &&
           send_phase(loader, packet, n + 2, MAX(loader->memory.program_block_ms_max, COMMAND_MS),
                      "WRITE MEMORY", error);
}

/* After a lost answer nobody knows whether the block was written, and writing it twice breaks NOR rules: read
 * first. */
static bool settle_write(struct loader *loader, const GError *failure, uint32_t address, const uint8_t *bytes,
                         size_t n, bool *done, GError **error)
{
    uint8_t found[BLOCK];
    if (!repair(loader, failure, error) || !loader_read_agreed(loader, address, found, n, error))
        return false;
    *done = memcmp(found, bytes, n) == 0;
    for (size_t i = 0; !*done && i < n; i++)
        if (found[i] != 0xff)
            return error_set(error, ERROR_MISMATCH,
                             "0x%08X is half written after a lost answer: erase and start again", address);
    return true;
}

static bool write_block(struct loader *loader, uint32_t address, const uint8_t *bytes, size_t n,
                        GError **error)
{
    for (int i = 0; i < REPAIR_TRIES; i++) {
        g_autoptr(GError) failure = NULL;
        bool done = false;
        if (write_once(loader, address, bytes, n, &failure))
            return true;
        if (i + 1 == REPAIR_TRIES || !may_repair(failure)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "writing 0x%08X: ", address);
            return false;
        }
        if (!settle_write(loader, failure, address, bytes, n, &done, error))
            return false;
        if (done)
            return true;
    }
    return false;
}

static bool an3155_write(struct loader *loader, uint32_t address, const uint8_t *bytes, size_t n,
                         GError **error)
{
    for (size_t done = 0; done < n; done += BLOCK)
        if (!write_block(loader, address + (uint32_t)done, bytes + done, MIN(n - done, BLOCK), error))
            return false;
    return true;
}

static bool erase_once(struct loader *loader, uint32_t first_page, uint32_t count, GError **error)
{
    g_autoptr(GByteArray) list = g_byte_array_new();
    uint8_t sum = 0;
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t word = i == 0 ? count - 1 : first_page + i - 1;
        const uint8_t bytes[] = {(uint8_t)(word >> 8), (uint8_t)word};
        g_byte_array_append(list, bytes, 2);
        sum ^= bytes[0] ^ bytes[1];
    }
    g_byte_array_append(list, &sum, 1);
    int64_t patience = (int64_t)MAX(loader->memory.erase_page_ms_max, 50) * count + COMMAND_MS;
    return send_command(loader, EXTENDED_ERASE, error) &&
           send_phase(loader, list->data, list->len, patience, "EXTENDED ERASE", error);
}

/* Erasing twice is the same as once, so it may be repeated. */
static bool an3155_erase(struct loader *loader, uint32_t first_page, uint32_t count, GError **error)
{
    for (int i = 0; i < REPAIR_TRIES; i++) {
        g_autoptr(GError) failure = NULL;
        if (erase_once(loader, first_page, count, &failure))
            return true;
        if (i + 1 == REPAIR_TRIES || !may_repair(failure)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                                       "erasing pages %u to %u: ", first_page, first_page + count - 1);
            return false;
        }
        if (!repair(loader, failure, error))
            return false;
    }
    return false;
}

static bool crc_once(struct loader *loader, uint32_t address, uint32_t size, uint32_t *crc, GError **error)
{
    uint8_t answer[5];
    int64_t patience = COMMAND_MS + (int64_t)(size / 65536 + 1) * CRC_MS_PER_64KIB;
    if (!send_command(loader, GET_CHECKSUM, error) || !send_word(loader, GET_CHECKSUM, address, error) ||
        !send_word(loader, GET_CHECKSUM, size / 4, error) ||
        !send_word(loader, GET_CHECKSUM, CRC_POLY, error) ||
        !send_word(loader, GET_CHECKSUM, CRC_INIT, error) ||
        !expect_ack(loader, patience, "GET CHECKSUM", error) ||
        !wire_receive_all(loader->wire, answer, sizeof answer, in_ms(loader, COMMAND_MS), error))
        return false;
    if ((answer[0] ^ answer[1] ^ answer[2] ^ answer[3]) != answer[4])
        return error_set(error, ERROR_GARBLED, "GET CHECKSUM: the answer's own XOR is wrong");
    *crc = (uint32_t)answer[0] << 24 | (uint32_t)answer[1] << 16 | (uint32_t)answer[2] << 8 | answer[3];
    return true;
}

static bool an3155_crc(struct loader *loader, uint32_t address, uint32_t size, uint32_t *crc, GError **error)
{
    for (int i = 0; i < REPAIR_TRIES; i++) {
        g_autoptr(GError) failure = NULL;
        if (crc_once(loader, address, size, crc, &failure))
            return true;
        if (i + 1 == REPAIR_TRIES || !may_repair(failure)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&failure), "checksum of 0x%08X: ", address);
            return false;
        }
        if (!repair(loader, failure, error))
            return false;
    }
    return false;
}

/* The CRC unit takes 32-bit words as the core reads them, most significant bit first. */
static uint32_t an3155_crc_of(const uint8_t *bytes, size_t n)
{
    uint32_t crc = CRC_INIT;
    for (size_t i = 0; i + 4 <= n; i += 4) {
        crc ^= (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)bytes[i + 2] << 16 |
               (uint32_t)bytes[i + 3] << 24;
        for (int bit = 0; bit < 32; bit++)
            crc = crc & 0x80000000u ? crc << 1 ^ CRC_POLY : crc << 1;
    }
    return crc;
}

static bool an3155_go(struct loader *loader, uint32_t address, GError **error)
{
    for (int i = 0; i < REPAIR_TRIES; i++) {
        g_autoptr(GError) failure = NULL;
        g_autoptr(GError) away = NULL;
        if (send_command(loader, GO, &failure) && send_word(loader, GO, address, &failure))
            return true;
        if (i + 1 == REPAIR_TRIES || !may_repair(failure)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (repair(loader, failure, &away))
            continue;
        if (error_kind(away) == ERROR_SILENT)
            return true; /* only the answer was lost: whether the application runs is for the caller to see */
        g_propagate_error(error, g_steal_pointer(&away));
        return false;
    }
    return false;
}

static bool needs(const struct loader *loader, enum command command, GError **error)
{
    const struct an3155 *an = loader->driver;
    return memchr(an->commands, command, an->count) ||
           error_set(error, ERROR_REFUSED, "this bootloader (version %x.%x) has no %s",
                     loader->identity.bootloader >> 4, loader->identity.bootloader & 15, name_of(command));
}

static bool read_unique_id(struct loader *loader, GError **error)
{
    if (loader->memory.unique_id_address == 0)
        return true;
    loader->identity.has_unique_id =
        loader_read_agreed(loader, loader->memory.unique_id_address, loader->identity.unique_id,
                           sizeof loader->identity.unique_id, error);
    return loader->identity.has_unique_id;
}

/* Neither answer has a checksum: each must come the same twice. */
static bool get_twice(struct loader *loader, GError **error)
{
    struct an3155 *an = loader->driver;
    if (!get(loader, error) || !get_id(loader, error))
        return false;
    const struct an3155 before = *an;
    const struct loader_identity identity = loader->identity;
    if (!get(loader, error) || !get_id(loader, error))
        return false;
    return (before.count == an->count && memcmp(before.commands, an->commands, an->count) == 0 &&
            identity.bootloader == loader->identity.bootloader &&
            identity.mcu_id == loader->identity.mcu_id) ||
           error_set(error, ERROR_GARBLED, "GET and GET ID answer differently each time");
}

static bool learn(struct loader *loader, GError **error)
{
    return get_twice(loader, error) && needs(loader, READ_MEMORY, error) &&
           needs(loader, WRITE_MEMORY, error) && needs(loader, EXTENDED_ERASE, error) &&
           needs(loader, GO, error) && read_unique_id(loader, error);
}

static bool an3155_open(struct loader *loader, GError **error)
{
    loader->driver = g_new0(struct an3155, 1);
    for (int i = 0; i < REPAIR_TRIES; i++) {
        g_autoptr(GError) failure = NULL;
        if (!sync_line(loader, error))
            return false;
        if (learn(loader, &failure))
            return true;
        if (i + 1 == REPAIR_TRIES || !may_repair(failure)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!repair(loader, failure, error))
            return false;
    }
    return false;
}

static void an3155_close(struct loader *loader)
{
    g_clear_pointer(&loader->driver, g_free);
}

const struct loader_kind loader_an3155_kind = {
    .name = "an3155",
    .write_max = BLOCK,
    .read_max = BLOCK,
    .open = an3155_open,
    .erase = an3155_erase,
    .write = an3155_write,
    .read = an3155_read,
    .crc = an3155_crc,
    .crc_of = an3155_crc_of,
    .go = an3155_go,
    .close = an3155_close,
};

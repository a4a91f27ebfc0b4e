/* Loaders put an image into a board's flash and prove the bytes there.
 *
 * Drivers (loader_an3155.c …) are primitives with capabilities as data; policy — what to erase, chunks,
 * retries, the verify ladder, progress — is here once. Verify covers blank areas too: every byte of every
 * page that was erased must read as the image or as 0xFF. */
#pragma once

#include "firmware/image.h"
#include "proto/wire.h"

enum loader_phase { LOADER_ERASE, LOADER_PROGRAM, LOADER_VERIFY };
const char *loader_phase_name(enum loader_phase phase); /* "erase" … */

/* Honest bytes: done and total of this phase alone; called at least at 0 and at total. */
typedef void (*loader_progress)(void *context, enum loader_phase phase, uint64_t done, uint64_t total);

/* The flash as the profile describes it. */
struct loader_memory {
    uint32_t address; /* of the first page */
    uint32_t size;    /* bytes */
    uint32_t page;    /* bytes */
    uint32_t protect; /* bytes at the start that are never erased (a resident bootloader); 0 = none */
    uint32_t unique_id_address;                                          /* 96-bit unique id; 0 = none */
    unsigned erase_page_ms_max, program_block_ms_max, mass_erase_ms_max; /* deadlines */
};

struct loader_identity {
    uint16_t mcu_id;    /* AN3155 GET ID */
    uint8_t bootloader; /* BCD version, 0x31 = 3.1 */
    uint8_t unique_id[12];
    bool has_unique_id;
    bool has_device_crc; /* the device lists a checksum command */
};

struct loader; /* a session with a device that sits in its bootloader */

struct loader_kind {
    const char *name;                                    /* "an3155" */
    uint32_t write_max, read_max;                        /* bytes per primitive */
    bool (*open)(struct loader *loader, GError **error); /* sync, learn commands, fill loader->identity */
    bool (*erase)(struct loader *loader, uint32_t first_page, uint32_t count, GError **error);
    bool (*write)(struct loader *loader, uint32_t address, const uint8_t *bytes, size_t n, GError **error);
    bool (*read)(struct loader *loader, uint32_t address, uint8_t *bytes, size_t n, GError **error);
    /* CRC-32 of the device over a range; NULL or identity.has_device_crc false when there is none. */
    bool (*crc)(struct loader *loader, uint32_t address, uint32_t size, uint32_t *crc, GError **error);
    /* The same CRC over host bytes, as the device computes it. */
    uint32_t (*crc_of)(const uint8_t *bytes, size_t n);
    bool (*go)(struct loader *loader, uint32_t address, GError **error);
    void (*close)(struct loader *loader); /* frees loader->driver; the wire stays open */
};

struct loader {
    const struct loader_kind *kind;
    struct wire *wire; /* borrowed */
    struct loader_memory memory;
    struct loader_identity identity;
    void *driver; /* the kind's own state */
};

/* The visible table. NULL when there is no such loader. */
const struct loader_kind *loader_kind_find(const char *name);
const char *const *loader_kind_names(void);

struct loader *loader_open(const struct loader_kind *kind, struct wire *wire,
                           const struct loader_memory *memory, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void loader_close(struct loader *loader);

/* Reads until two readings in a row agree (GARBLED when none of a few do): for bytes that come without a
 * checksum of their own, where one flipped bit would be another board or a wrong image. */
bool loader_read_agreed(struct loader *loader, uint32_t address, uint8_t *bytes, size_t n,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What verify proved. */
struct loader_proof {
    char method[16];      /* "device-crc" or "read-back" */
    char sha256[65];      /* of the bytes proved, regions in address order; equals image_sha256 */
    uint64_t bytes;       /* image bytes proved */
    uint64_t blank_bytes; /* bytes proved blank around them */
    unsigned writings;    /* how often all of it was erased and written; 0 = it was there */
};

/* Pages the image touches are erased, image written, and proved. Refuses (TRUST kind) an image outside memory
 * or inside the protected start, before anything is erased. */
bool loader_flash(struct loader *loader, const struct image *image, loader_progress progress, void *context,
                  struct loader_proof *proof, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Device CRC where listed, else read-back into a poisoned buffer; MISMATCH names the first differing address.
 */
bool loader_verify(struct loader *loader, const struct image *image, loader_progress progress, void *context,
                   struct loader_proof *proof, GError **error) G_GNUC_WARN_UNUSED_RESULT;

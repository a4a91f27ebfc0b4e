/* A firmware package: a folder with manifest.yaml, manifest.sig and the image file it names.
 *
 * The signature is Ed25519 over the raw manifest bytes; the manifest pins the image by SHA-256. Every file is
 * read once; the bytes that were checked are the bytes that are flashed. */
#pragma once

#include "firmware/image.h"
#include "firmware/trust.h"
#include "station/base/bind.h"

#define PACKAGE_MANIFEST     "manifest.yaml"
#define PACKAGE_SIGNATURE    "manifest.sig"
#define PACKAGE_MANIFEST_MAX (64 * 1024)
#define PACKAGE_DOMAIN       "packline/manifest/v1"

#define PACKAGE_SIGNATURE_MAX 256
#define PACKAGE_IDS_MAX       16 /* hardware revisions, MCU ids, bootloader versions: each at most */

struct manifest_region {
    int64_t address, size;
    char *sha256;
    struct bind_place place;
};

/* Version 3.1 of a bootloader is BCD 0x31. */
struct manifest {
    char *schema;                  /* "packline/manifest/1" */
    char *product;                 /* "B200LT55" */
    GPtrArray *hardware;           /* char*: hardware revisions it may go onto */
    GArray *mcu_ids;               /* int64_t: e.g. 0x0413 */
    GArray *bootloaders;           /* int64_t: accepted versions, BCD; empty = any */
    char *version;                 /* what the application reports, "1.0.4" */
    int64_t sequence;              /* monotonic: never below the newest accepted */
    char *image_file;              /* plain name inside the folder */
    char *image_sha256;            /* of the file */
    int64_t load_address;          /* for raw binary; also where the application starts */
    GPtrArray *regions;            /* struct manifest_region* */
    int64_t not_before, not_after; /* µs UTC: where the first and the last day of validity begin */
};
extern const struct bind_schema manifest_schema;

struct package {
    char *path;
    struct manifest *manifest;
    GBytes *manifest_bytes;
    char manifest_sha256[65]; /* the package's identity in records and releases */
    struct image *image;
    struct trust_signer signer; /* filled when signed and the key is known */
    bool is_signed;             /* manifest.sig exists */
};

/* Loads and checks all of: manifest shape, image hash, image regions == manifest regions. When trust is given
 * the signature must verify by one of its keys of role FIRMWARE before anything else is believed; trust NULL
 * inspects without trusting. Kind TRUST: not signed, signature, hash or region does not fit. Kind AUTHOR: a
 * file is missing or malformed; for the manifest the message holds all its findings with their places. */
struct package *package_load(const char *path, const struct trust *trust,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void package_free(struct package *package);
typedef struct package package_auto;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(package_auto, package_free)

/* Writes folder `out` with image and manifest.yaml made from these words, in one step (a kill leaves nothing
 * or all of it, and at most a folder out.XXXXXX); refuses an existing `out`. not_before and not_after are
 * whole days. The load address is base when has_base, else the image's first. */
struct package_recipe {
    const char *product, *version;
    const char *const *hardware; /* NULL-terminated */
    const uint32_t *mcu_ids;
    unsigned mcu_count;
    const uint32_t *bootloaders;
    unsigned bootloader_count;
    int64_t sequence, not_before, not_after;
    bool has_base;
    uint32_t base;
};
bool package_pack(const char *image_path, const struct package_recipe *recipe, const char *out,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Loads and checks the package without trust, then writes manifest.sig with the private key (PEM, mode 0600);
 * refuses a package that is signed already. */
bool package_sign(const char *path, const char *private_key_path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#include "firmware/package.h"

#include "firmware/package_words.h"
#include "station/base/error.h"

#include <string.h>

static const struct bind_field region_fields[] = {
    {.key = "address",
     .type = BIND_ADDRESS,
     .offset = offsetof(struct manifest_region, address),
     .required = true,
     .min = 0,
     .max = G_MAXUINT32,
     .doc = "First address of the region."},
    {.key = "size",
     .type = BIND_INTEGER,
     .offset = offsetof(struct manifest_region, size),
     .required = true,
     .min = 1,
     .max = IMAGE_SPAN_MAX,
     .doc = "Bytes of the region."},
    {.key = "sha256",
     .type = BIND_TEXT,
     .offset = offsetof(struct manifest_region, sha256),
     .required = true,
     .pattern = PACKAGE_SHA256,
     .doc = "SHA-256 of the region's bytes."},
    {.key = NULL},
};

static const struct bind_schema region_schema = {
    .name = "region",
    .doc = "One contiguous part of the image.",
    .size = sizeof(struct manifest_region),
    .place_offset = offsetof(struct manifest_region, place),
    .fields = region_fields,
};

static const struct bind_field manifest_fields[] = {
    {.key = "schema",
     .type = BIND_TEXT,
     .offset = offsetof(struct manifest, schema),
     .required = true,
     .pattern = PACKAGE_SCHEMA,
     .doc = "Kind of this file."},
    {.key = "product",
     .type = BIND_TEXT,
     .offset = offsetof(struct manifest, product),
     .required = true,
     .pattern = PACKAGE_WORD,
     .doc = "Product the firmware is for, as the board reports it."},
    {.key = "hardware",
     .type = BIND_TEXTS,
     .offset = offsetof(struct manifest, hardware),
     .required = true,
     .min = 1,
     .max = PACKAGE_IDS_MAX,
     .pattern = PACKAGE_WORD,
     .doc = "Hardware revisions it may go onto."},
    {.key = "mcu_ids",
     .type = BIND_INTEGERS,
     .offset = offsetof(struct manifest, mcu_ids),
     .required = true,
     .min = 1,
     .max = PACKAGE_IDS_MAX,
     .doc = "Microcontroller ids it may go onto, 0x0000 to 0xFFFF."},
    {.key = "bootloaders",
     .type = BIND_INTEGERS,
     .offset = offsetof(struct manifest, bootloaders),
     .max = PACKAGE_IDS_MAX,
     .doc = "Bootloader versions accepted, BCD: 0x31 is 3.1; without this key any."},
    {.key = "version",
     .type = BIND_TEXT,
     .offset = offsetof(struct manifest, version),
     .required = true,
     .pattern = PACKAGE_VERSION,
     .doc = "Version that the application reports."},
    {.key = "sequence",
     .type = BIND_INTEGER,
     .offset = offsetof(struct manifest, sequence),
     .required = true,
     .min = 1,
     .max = PACKAGE_SEQUENCE_MAX,
     .doc = "Grows with every version; a station refuses a lower one than it has accepted."},
    {.key = "image_file",
     .type = BIND_TEXT,
     .offset = offsetof(struct manifest, image_file),
     .required = true,
     .pattern = PACKAGE_FILE,
     .doc = "Plain name of the image file beside this file."},
    {.key = "image_sha256",
     .type = BIND_TEXT,
     .offset = offsetof(struct manifest, image_sha256),
     .required = true,
     .pattern = PACKAGE_SHA256,
     .doc = "SHA-256 of the image file."},
    {.key = "load_address",
     .type = BIND_ADDRESS,
     .offset = offsetof(struct manifest, load_address),
     .required = true,
     .min = 0,
     .max = G_MAXUINT32,
     .doc = "Where the application starts, and where a raw binary is loaded; inside a region."},
    {.key = "regions",
     .type = BIND_LIST,
     .offset = offsetof(struct manifest, regions),
     .required = true,
     .min = 1,
     .max = IMAGE_REGIONS_MAX,
     .child = &region_schema,
     .doc = "All regions of the image, ascending."},
    {.key = "not_before",
     .type = BIND_DATE,
     .offset = offsetof(struct manifest, not_before),
     .required = true,
     .doc = "First day of validity, UTC."},
    {.key = "not_after",
     .type = BIND_DATE,
     .offset = offsetof(struct manifest, not_after),
     .required = true,
     .doc = "Last day of validity, UTC."},
    {.key = NULL},
};

const struct bind_schema manifest_schema = {
    .name = PACKAGE_SCHEMA,
    .doc = "What a firmware image is, what it may go onto and when; signed by the manifest.sig beside it.",
    .size = sizeof(struct manifest),
    .fields = manifest_fields,
};

/* Prefixes an error of trust_verify, which knows no file names. */
static bool signature_check(struct package *package, const struct trust *trust, GError **error)
{
    g_autofree char *path = g_build_filename(package->path, PACKAGE_SIGNATURE, NULL);
    package->is_signed = g_file_test(path, G_FILE_TEST_EXISTS);
    if (!trust)
        return true;
    if (!package->is_signed)
        return error_set(error, ERROR_TRUST,
                         "%s: not signed; expected " PACKAGE_SIGNATURE
                         " beside the manifest: sign it with packline firmware sign",
                         package->path);
    g_autoptr(GBytes) file = bind_read_file(path, PACKAGE_SIGNATURE_MAX, error);
    if (!file)
        return false;
    gsize n;
    const char *bytes = g_bytes_get_data(file, &n);
    if (n > 0 && memchr(bytes, '\0', n))
        return error_set(error, ERROR_AUTHOR, "%s: a zero byte; expected one line of text", path);
    g_autofree char *line = g_strndup(bytes, n);
    bool ok = trust_verify(trust, TRUST_FIRMWARE, PACKAGE_DOMAIN, package->manifest_bytes, line,
                           &package->signer, error);
    if (!ok)
        g_prefix_error(error, "%s: ", path);
    return ok;
}

static void numbers_check(const struct manifest *manifest, const GArray *numbers, const char *key,
                          int64_t max, struct bind_report *report)
{
    for (guint i = 0; i < numbers->len; i++) {
        int64_t number = g_array_index(numbers, int64_t, i);
        if (number < 0 || number > max)
            bind_report_error(report, bind_place_of(manifest, manifest, key), NULL,
                              "%s: 0x%" G_GINT64_MODIFIER "X is out of range, expected at most 0x%X", key,
                              number, (unsigned)max);
    }
}

/* What the table alone cannot say. */
static void manifest_check(const struct manifest *manifest, struct bind_report *report)
{
    numbers_check(manifest, manifest->mcu_ids, "mcu_ids", PACKAGE_MCU_ID_MAX, report);
    numbers_check(manifest, manifest->bootloaders, "bootloaders", PACKAGE_BOOT_MAX, report);
    if (manifest->not_after < manifest->not_before)
        bind_report_error(report, bind_place_of(manifest, manifest, "not_after"), NULL,
                          "not_after: before not_before, expected the last day of validity");
    if (strcmp(manifest->image_file, PACKAGE_MANIFEST) == 0 ||
        strcmp(manifest->image_file, PACKAGE_SIGNATURE) == 0)
        bind_report_error(report, bind_place_of(manifest, manifest, "image_file"), NULL,
                          "image_file: '%s' is a file of the package itself, expected the image",
                          manifest->image_file);
}

static bool manifest_load(struct package *package, const char *path, GError **error)
{
    g_autoptr(bind_report_auto) report = bind_report_new(path, package->manifest_bytes);
    package->manifest = bind_load(&manifest_schema, package->manifest_bytes, report);
    if (package->manifest && bind_report_errors(report) == 0)
        manifest_check(package->manifest, report);
    return bind_report_check(report, error);
}

static bool region_check(const struct package *package, const struct manifest_region *stated,
                         const struct image_region *found, GError **error)
{
    char sha256[65];
    trust_sha256(found->bytes, found->size, sha256);
    if (stated->address == found->address && stated->size == found->size &&
        strcmp(stated->sha256, sha256) == 0)
        return true;
    return error_set(error, ERROR_TRUST,
                     "%s/" PACKAGE_MANIFEST ":%u:%u: region 0x%08" G_GINT64_MODIFIER "X of %" G_GINT64_FORMAT
                     " bytes, sha256 %s; expected as the image has it: 0x%08X of %u bytes, sha256 %s: pack "
                     "the image again",
                     package->path, stated->place.line, stated->place.column, stated->address, stated->size,
                     stated->sha256, found->address, found->size, sha256);
}

static bool regions_check(const struct package *package, GError **error)
{
    const struct manifest *manifest = package->manifest;
    const struct image *image = package->image;
    bool inside = false;
    if (manifest->regions->len != image->count)
        return error_set(error, ERROR_TRUST,
                         "%s/" PACKAGE_MANIFEST ": %u regions; expected the %u of %s: pack the image again",
                         package->path, manifest->regions->len, image->count, manifest->image_file);
    for (unsigned i = 0; i < image->count; i++) {
        const struct image_region *region = &image->regions[i];
        if (!region_check(package, g_ptr_array_index(manifest->regions, i), region, error))
            return false;
        inside |= manifest->load_address >= region->address &&
                  manifest->load_address < (int64_t)region->address + region->size;
    }
    return inside || error_set(error, ERROR_AUTHOR,
                               "%s/" PACKAGE_MANIFEST ": load_address 0x%08" G_GINT64_MODIFIER
                               "X; expected an address inside a region of the image",
                               package->path, manifest->load_address);
}

/* The file is read once: the bytes hashed here are the bytes parsed and flashed. */
static bool image_load(struct package *package, GError **error)
{
    const struct manifest *manifest = package->manifest;
    g_autofree char *path = g_build_filename(package->path, manifest->image_file, NULL);
    g_autoptr(GBytes) file = bind_read_file(path, IMAGE_FILE_MAX, error);
    if (!file)
        return false;
    char sha256[65];
    trust_sha256(g_bytes_get_data(file, NULL), g_bytes_get_size(file), sha256);
    if (strcmp(sha256, manifest->image_sha256) != 0)
        return error_set(
            error, ERROR_TRUST,
            "%s: sha256 %s; expected %s as the manifest says: the file was changed after packing", path,
            sha256, manifest->image_sha256);
    package->image = image_parse(path, file, true, (uint32_t)manifest->load_address, error);
    return package->image && regions_check(package, error);
}

static bool package_fill(struct package *package, const struct trust *trust, GError **error)
{
    g_autofree char *path = g_build_filename(package->path, PACKAGE_MANIFEST, NULL);
    package->manifest_bytes = bind_read_file(path, PACKAGE_MANIFEST_MAX, error);
    if (!package->manifest_bytes)
        return false;
    trust_sha256(g_bytes_get_data(package->manifest_bytes, NULL), g_bytes_get_size(package->manifest_bytes),
                 package->manifest_sha256);
    return signature_check(package, trust, error) && manifest_load(package, path, error) &&
           image_load(package, error);
}

struct package *package_load(const char *path, const struct trust *trust, GError **error)
{
    struct package *package = g_new0(struct package, 1);
    package->path = g_strdup(path);
    if (package_fill(package, trust, error))
        return package;
    package_free(package);
    return NULL;
}

void package_free(struct package *package)
{
    if (!package)
        return;
    image_free(package->image);
    if (package->manifest)
        bind_free(&manifest_schema, package->manifest);
    g_clear_pointer(&package->manifest_bytes, g_bytes_unref);
    g_free(package->path);
    g_free(package);
}

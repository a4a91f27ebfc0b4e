/* Making packages: everything is written beside its place, flushed, checked by the loader and then renamed,
 * so that half a package never stands under its name. */
#include "firmware/package.h"

#include "firmware/package_words.h"
#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US (G_GINT64_CONSTANT(86400) * G_USEC_PER_SEC)

static bool file_write(const char *path, GBytes *bytes, GError **error)
{
    gsize n, done = 0;
    const char *data = g_bytes_get_data(bytes, &n);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    bool ok = fd >= 0;
    while (ok && done < n) {
        ssize_t wrote = write(fd, data + done, n - done);
        ok = wrote > 0 || (wrote < 0 && errno == EINTR);
        done += wrote > 0 ? (gsize)wrote : 0;
    }
    ok = ok && fsync(fd) == 0;
    if (!ok)
        error_set(error, ERROR_STORAGE, "%s: cannot write: %s", path, g_strerror(errno));
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = error_set(error, ERROR_STORAGE, "%s: cannot write: %s", path, g_strerror(errno));
    return ok;
}

static bool folder_flush(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        error_set(error, ERROR_STORAGE, "%s: cannot flush to disk: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool exists_error(const char *path, const char *advice, GError **error)
{
    return error_set(error, ERROR_AUTHOR, "%s: exists already; expected a new name: %s", path, advice);
}

/* Never replaces `to`. */
static bool move_new(const char *from, const char *to, const char *advice, GError **error)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    /* Some network file systems cannot do both in one step. */
    if (result != 0 && errno == EINVAL && access(to, F_OK) != 0)
        result = rename(from, to);
    if (result != 0 && errno == EEXIST)
        return exists_error(to, advice, error);
    if (result != 0)
        return error_set(error, ERROR_STORAGE, "%s: cannot rename to %s: %s", from, to, g_strerror(errno));
    g_autofree char *parent = g_path_get_dirname(to);
    return folder_flush(parent, error);
}

static bool word_check(const char *what, const char *word, const char *pattern, const char *expected,
                       GError **error)
{
    g_autofree char *whole = g_strconcat("^(?:", pattern, ")$", NULL);
    if (word && g_regex_match_simple(whole, word, G_REGEX_DOLLAR_ENDONLY, 0))
        return true;
    g_autofree char *shown = g_strescape(word ? word : "", NULL);
    return error_set(error, ERROR_USAGE, "%s \"%s\"; expected %s", what, shown, expected);
}

static bool numbers_check(const char *what, const uint32_t *numbers, unsigned n, unsigned least, uint32_t max,
                          GError **error)
{
    if (n < least || n > PACKAGE_IDS_MAX)
        return error_set(error, ERROR_USAGE, "%u %ss; expected %u to %d", n, what, least, PACKAGE_IDS_MAX);
    for (unsigned i = 0; i < n; i++)
        if (numbers[i] > max)
            return error_set(error, ERROR_USAGE, "%s 0x%X; expected at most 0x%X", what, numbers[i], max);
    return true;
}

static bool dates_check(const struct package_recipe *recipe, GError **error)
{
    if (recipe->not_before % DAY_US != 0 || recipe->not_after % DAY_US != 0)
        return error_set(error, ERROR_USAGE, "validity: expected whole days, YYYY-MM-DD");
    return recipe->not_before <= recipe->not_after ||
           error_set(error, ERROR_USAGE,
                     "validity: the last day is before the first; expected them in order");
}

/* Everything that goes into the manifest as text is checked before, so that no word can write a line. */
static bool recipe_check(const struct package_recipe *recipe, const char *file, GError **error)
{
    static const char word[] = "1 to 32 letters, digits, blanks or ._/+-, beginning with a letter or digit";
    static const char version[] = "1 to 16 letters, digits or ._+-, beginning with a letter or digit";
    static const char name[] = "1 to 100 letters, digits or ._+-, beginning with a letter, digit or _";
    unsigned n = 0;
    if (!word_check("product", recipe->product, PACKAGE_WORD, word, error) ||
        !word_check("version", recipe->version, PACKAGE_VERSION, version, error) ||
        !word_check("image file name", file, PACKAGE_FILE, name, error))
        return false;
    if (strcmp(file, PACKAGE_MANIFEST) == 0 || strcmp(file, PACKAGE_SIGNATURE) == 0)
        return error_set(error, ERROR_USAGE, "image file name \"%s\"; expected another: the package has it",
                         file);
    for (; recipe->hardware && recipe->hardware[n]; n++)
        if (!word_check("hardware revision", recipe->hardware[n], PACKAGE_WORD, word, error))
            return false;
    if (n == 0 || n > PACKAGE_IDS_MAX)
        return error_set(error, ERROR_USAGE, "%u hardware revisions; expected 1 to %d", n, PACKAGE_IDS_MAX);
    if (recipe->sequence < 1 || recipe->sequence > PACKAGE_SEQUENCE_MAX)
        return error_set(error, ERROR_USAGE, "sequence %" G_GINT64_FORMAT "; expected 1 to %u",
                         recipe->sequence, PACKAGE_SEQUENCE_MAX);
    return numbers_check("MCU id", recipe->mcu_ids, recipe->mcu_count, 1, PACKAGE_MCU_ID_MAX, error) &&
           numbers_check("bootloader version", recipe->bootloaders, recipe->bootloader_count, 0,
                         PACKAGE_BOOT_MAX, error) &&
           dates_check(recipe, error);
}

static void append_date(GString *yaml, const char *key, int64_t wall_us)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(wall_us / G_USEC_PER_SEC);
    g_autofree char *text = date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("");
    g_string_append_printf(yaml, "%s: %s\n", key, text);
}

static void append_numbers(GString *yaml, const char *key, const uint32_t *numbers, unsigned n, int digits)
{
    if (n > 0)
        g_string_append_printf(yaml, "%s:\n", key);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(yaml, "  - 0x%0*X\n", digits, numbers[i]);
}

static void append_regions(GString *yaml, const struct image *image)
{
    char sha256[65];
    g_string_append(yaml, "regions:\n");
    for (unsigned i = 0; i < image->count; i++) {
        const struct image_region *region = &image->regions[i];
        trust_sha256(region->bytes, region->size, sha256);
        g_string_append_printf(yaml, "  - address: 0x%08X\n    size: %u\n    sha256: \"%s\"\n",
                               region->address, region->size, sha256);
    }
}

/* The same image and words give the same bytes. Texts stand in quotes: "1.0" stays a text for every reader.
 */
static GBytes *manifest_text(const struct package_recipe *recipe, const char *file, GBytes *bytes,
                             const struct image *image)
{
    char sha256[65];
    trust_sha256(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), sha256);
    GString *yaml = g_string_new("# Signed as it is: any change breaks " PACKAGE_SIGNATURE ".\n"
                                 "schema: " PACKAGE_SCHEMA "\n");
    g_string_append_printf(yaml, "product: \"%s\"\nhardware:\n", recipe->product);
    for (unsigned i = 0; recipe->hardware[i]; i++)
        g_string_append_printf(yaml, "  - \"%s\"\n", recipe->hardware[i]);
    append_numbers(yaml, "mcu_ids", recipe->mcu_ids, recipe->mcu_count, 4);
    append_numbers(yaml, "bootloaders", recipe->bootloaders, recipe->bootloader_count, 2);
    g_string_append_printf(yaml, "version: \"%s\"\nsequence: %" G_GINT64_FORMAT "\n", recipe->version,
                           recipe->sequence);
    g_string_append_printf(yaml, "image_file: \"%s\"\nimage_sha256: \"%s\"\nload_address: 0x%08X\n", file,
                           sha256, recipe->has_base ? recipe->base : image_first(image));
    append_regions(yaml, image);
    append_date(yaml, "not_before", recipe->not_before);
    append_date(yaml, "not_after", recipe->not_after);
    return g_string_free_to_bytes(yaml);
}

/* Fills the temporary folder and lets the loader judge it. */
static bool folder_fill(const char *folder, const char *file, GBytes *image, GBytes *manifest, GError **error)
{
    g_autofree char *image_path = g_build_filename(folder, file, NULL);
    g_autofree char *manifest_path = g_build_filename(folder, PACKAGE_MANIFEST, NULL);
    if (!file_write(image_path, image, error) || !file_write(manifest_path, manifest, error) ||
        !folder_flush(folder, error))
        return false;
    if (g_chmod(folder, 0755) != 0)
        return error_set(error, ERROR_STORAGE, "%s: cannot set its mode: %s", folder, g_strerror(errno));
    g_autoptr(package_auto) package = package_load(folder, NULL, error);
    return package != NULL;
}

static void folder_remove(const char *folder, const char *file)
{
    g_autofree char *image_path = g_build_filename(folder, file, NULL);
    g_autofree char *manifest_path = g_build_filename(folder, PACKAGE_MANIFEST, NULL);
    g_unlink(image_path);
    g_unlink(manifest_path);
    g_rmdir(folder);
}

static bool folder_write(const char *out, const char *file, GBytes *image, GBytes *manifest, GError **error)
{
    static const char advice[] = "packages are never overwritten";
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/')
        n--;
    g_autofree char *target = g_strndup(out, n);
    g_autofree char *folder = g_strconcat(target, ".XXXXXX", NULL);
    if (g_file_test(target, G_FILE_TEST_EXISTS))
        return exists_error(target, advice, error);
    if (!g_mkdtemp(folder))
        return error_set(error, ERROR_STORAGE, "%s: cannot make this folder: %s", target, g_strerror(errno));
    bool ok = folder_fill(folder, file, image, manifest, error) && move_new(folder, target, advice, error);
    if (!ok)
        folder_remove(folder, file);
    return ok;
}

bool package_pack(const char *image_path, const struct package_recipe *recipe, const char *out,
                  GError **error)
{
    g_autofree char *file = g_path_get_basename(image_path);
    if (!recipe_check(recipe, file, error))
        return false;
    g_autoptr(GBytes) bytes = bind_read_file(image_path, IMAGE_FILE_MAX, error);
    g_autoptr(image_auto) image =
        bytes ? image_parse(image_path, bytes, recipe->has_base, recipe->base, error) : NULL;
    if (!image)
        return false;
    g_autoptr(GBytes) manifest = manifest_text(recipe, file, bytes, image);
    return folder_write(out, file, bytes, manifest, error);
}

bool package_sign(const char *path, const char *private_key_path, GError **error)
{
    static const char advice[] = "remove the old signature first if it must be signed again";
    g_autoptr(package_auto) package = package_load(path, NULL, error);
    if (!package)
        return false;
    g_autofree char *target = g_build_filename(path, PACKAGE_SIGNATURE, NULL);
    if (package->is_signed)
        return exists_error(target, advice, error);
    g_autofree char *line = trust_sign(private_key_path, PACKAGE_DOMAIN, package->manifest_bytes, error);
    if (!line)
        return false;
    g_autoptr(GBytes) bytes = g_bytes_new(line, strlen(line));
    g_autofree char *random = g_uuid_string_random();
    g_autofree char *temporary = g_strdup_printf("%s.%.8s", target, random);
    if (!file_write(temporary, bytes, error)) {
        g_unlink(temporary);
        return false;
    }
    bool ok = move_new(temporary, target, advice, error);
    if (!ok)
        g_unlink(temporary);
    return ok;
}

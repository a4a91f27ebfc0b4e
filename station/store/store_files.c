/* Which packages were accepted, and the files that runs are made of, kept by their hash. */
#include "station/store/store_parts.h"

#include "station/base/bind.h"
#include "station/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

bool store_sequence_newest(struct store *store, const char *product, int64_t *sequence, GError **error)
{
    bool found;
    return store_get_int(store, error, sequence, &found,
                         "SELECT coalesce(max(sequence), 0) FROM package_sequence WHERE product = ?", "s",
                         product);
}

bool store_sequence_accept(struct store *store, const char *product, int64_t sequence,
                           const char *package_sha256, GError **error)
{
    int64_t newest, known;
    bool found;
    if (!store_ready(store, error) || !store_sequence_newest(store, product, &newest, error))
        return false;
    if (sequence < newest)
        return error_set(error, ERROR_TRUST,
                         "package sequence %" G_GINT64_FORMAT " of %s is older than %" G_GINT64_FORMAT
                         ", which was accepted before: use the newest package",
                         sequence, product, newest);
    if (!store_get_int(
            store, error, &known, &found,
            "SELECT seq FROM package_sequence WHERE product = ? AND sequence = ? AND package_sha256 = ?",
            "sis", product, sequence, package_sha256))
        return false;
    return found || store_record_own(store, 0, "package",
                                     json_pack("{s:s,s:s,s:s,s:I,s:s}", "event", "package", "station",
                                               store->station, "product", product, "sequence",
                                               (json_int_t)sequence, "sha256", package_sha256),
                                     error);
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        n -= (size_t)done;
    }
    return true;
}

static bool write_synced(const char *path, GBytes *bytes)
{
    gsize n;
    const char *data = g_bytes_get_data(bytes, &n);
    /* What an earlier try left behind is worth nothing. */
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, data, n) && fsync(fd) == 0;
    return close(fd) == 0 && ok;
}

static bool same_content(const char *path, GBytes *bytes)
{
    g_autofree char *present = NULL;
    gsize n, present_n;
    const char *data = g_bytes_get_data(bytes, &n);
    return g_file_get_contents(path, &present, &present_n, NULL) && present_n == n &&
           (n == 0 || memcmp(present, data, n) == 0);
}

/* The name is there only when the whole content is, and both survive a power cut: file, rename, then every
 * folder that may be new. */
static bool keep(struct store *store, const char *hash, GBytes *bytes, GError **error)
{
    g_autofree char *files = g_build_filename(store->folder, "files", NULL);
    g_autofree char *folder = g_strdup_printf("%s/%.2s", files, hash);
    g_autofree char *path = g_build_filename(folder, hash, NULL);
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    if (same_content(path, bytes))
        return true;
    if (g_mkdir_with_parents(folder, 0700) == 0 && write_synced(part, bytes) && rename(part, path) == 0 &&
        sync_folder(folder) && sync_folder(files) && sync_folder(store->folder))
        return same_content(path, bytes) ||
               error_set(error, ERROR_STORAGE, "%s reads back as something else: check the disk", path);
    int code = errno;
    unlink(part);
    return error_set(error, ERROR_STORAGE, "%s cannot be kept: %s: check the disk and its free space", path,
                     g_strerror(code));
}

bool store_keep_file(struct store *store, const char *kind, GBytes *bytes, char sha256[65], GError **error)
{
    g_autofree char *hash = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
    int64_t known;
    bool found;
    g_strlcpy(sha256, hash, 65);
    if (!store_ready(store, error) || !keep(store, hash, bytes, error) ||
        !store_get_int(store, error, &known, &found, "SELECT seq FROM file WHERE sha256 = ?", "s", hash))
        return false;
    return found || store_record_own(store, 0, "file",
                                     json_pack("{s:s,s:s,s:s,s:I,s:s}", "event", "file", "station",
                                               store->station, "kind", kind, "bytes",
                                               (json_int_t)g_bytes_get_size(bytes), "sha256", hash),
                                     error);
}

GBytes *store_kept_file(struct store *store, const char *sha256, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/files/%.2s/%s", store->folder, sha256, sha256);
    g_autoptr(GBytes) bytes = bind_read_file(path, BIND_FILE_MAX, error);
    if (!bytes)
        return NULL;
    g_autofree char *hash = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
    if (strcmp(hash, sha256) == 0)
        return g_steal_pointer(&bytes);
    error_set(error, ERROR_STORAGE, "%s: its bytes were changed: keep the store aside and restore a backup",
              path);
    return NULL;
}

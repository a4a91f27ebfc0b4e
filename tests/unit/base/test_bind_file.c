#include "station/base/bind.h"
#include "station/base/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct room {
    char *folder, *path;
};

static void set_up(struct room *room, gconstpointer data)
{
    (void)data;
    room->folder = g_dir_make_tmp("bind-XXXXXX", NULL);
    g_assert_nonnull(room->folder);
    room->path = g_build_filename(room->folder, "file", NULL);
}

static void tear_down(struct room *room, gconstpointer data)
{
    (void)data;
    g_unlink(room->path);
    g_assert_cmpint(g_rmdir(room->folder), ==, 0);
    g_free(room->path);
    g_free(room->folder);
}

static void expect_refused(const char *path, size_t max, const char *said)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(bind_read_file(path, max, &error));
    g_assert_cmpint(error_kind(error), ==, ERROR_AUTHOR);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_nonnull(strstr(error->message, said));
}

static void test_sizes(struct room *room, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    for (size_t size = 0; size <= 10; size += 5) {
        g_assert_true(g_file_set_contents(room->path, "0123456789", (gssize)size, NULL));
        g_autoptr(GBytes) bytes = bind_read_file(room->path, 10, &error);
        g_assert_no_error(error);
        g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "0123456789", size);
    }
    g_assert_true(g_file_set_contents(room->path, "0123456789a", 11, NULL));
    expect_refused(room->path, 10, "more than 10 bytes");
}

static void test_kinds(struct room *room, gconstpointer data)
{
    (void)data;
    expect_refused(room->path, 10, "no such file");
    expect_refused(room->folder, 10, "a directory");
    expect_refused("/dev/zero", 10, "a device, pipe or socket");
    g_assert_cmpint(symlink("/etc/hostname", room->path), ==, 0);
    expect_refused(room->path, 1000, "a symbolic link");
    g_unlink(room->path);
    /* nobody writes into this pipe: opening it must not wait */
    g_assert_cmpint(mkfifo(room->path, 0600), ==, 0);
    expect_refused(room->path, 1000, "a device, pipe or socket");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/bind/file/sizes", struct room, NULL, set_up, test_sizes, tear_down);
    g_test_add("/bind/file/kinds", struct room, NULL, set_up, test_kinds, tear_down);
    return g_test_run();
}

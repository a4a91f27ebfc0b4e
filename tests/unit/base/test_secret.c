#include "station/base/error.h"
#include "station/base/secret.h"

#include <glib/gstdio.h>
#include <string.h>

struct room {
    char *folder, *path;
};

static void set_up(struct room *room, gconstpointer data)
{
    (void)data;
    room->folder = g_dir_make_tmp("secret-XXXXXX", NULL);
    g_assert_nonnull(room->folder);
    room->path = g_build_filename(room->folder, "secret", NULL);
}

static void tear_down(struct room *room, gconstpointer data)
{
    (void)data;
    g_unlink(room->path);
    g_assert_cmpint(g_rmdir(room->folder), ==, 0);
    g_free(room->path);
    g_free(room->folder);
}

static void put(const struct room *room, const char *text, int mode)
{
    g_assert_true(g_file_set_contents(room->path, text, -1, NULL));
    g_assert_cmpint(g_chmod(room->path, mode), ==, 0);
}

static void expect_refused(const struct room *room, const char *said)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(secret_from_file(room->path, &error));
    g_assert_cmpint(error_kind(error), ==, ERROR_AUTHOR);
    g_assert_nonnull(strstr(error->message, room->path));
    g_assert_nonnull(strstr(error->message, said));
    g_assert_null(strstr(error->message, "hush"));
}

static void test_read(struct room *room, gconstpointer data)
{
    static const char *const endings[] = {"", "\n", "\r\n"};
    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *text = g_strconcat(" hush hush ", endings[i], NULL);
        g_autoptr(GError) error = NULL;
        put(room, text, 0600);
        struct secret *secret = secret_from_file(room->path, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(secret_reveal(secret), ==, " hush hush ");
        secret_free(secret);
    }
}

static void test_mode(struct room *room, gconstpointer data)
{
    static const int modes[] = {0644, 0640, 0604, 0660, 0610, 0601};
    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        put(room, "hush\n", modes[i]);
        expect_refused(room, "mode 0600");
    }
    put(room, "hush\n", 0400);
    struct secret *secret = secret_from_file(room->path, NULL);
    g_assert_cmpstr(secret_reveal(secret), ==, "hush");
    secret_free(secret);
}

static void test_length(struct room *room, gconstpointer data)
{
    g_autofree char *exact = g_strnfill(256, 'x'), *more = g_strnfill(257, 'x');
    (void)data;
    put(room, exact, 0600);
    struct secret *secret = secret_from_file(room->path, NULL);
    g_assert_cmpstr(secret_reveal(secret), ==, exact);
    secret_free(secret);
    put(room, more, 0600);
    expect_refused(room, "1 to 256 characters");
    put(room, "\n", 0600);
    expect_refused(room, "1 to 256 characters");
}

static void test_absent(struct room *room, gconstpointer data)
{
    (void)data;
    expect_refused(room, "secret: ");
}

static void test_text(void)
{
    struct secret *secret = secret_from_text("hush");
    g_assert_cmpstr(secret_reveal(secret), ==, "hush");
    secret_free(secret);
    g_assert_null(secret_reveal(NULL));
    secret_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/secret/read", struct room, NULL, set_up, test_read, tear_down);
    g_test_add("/secret/mode", struct room, NULL, set_up, test_mode, tear_down);
    g_test_add("/secret/length", struct room, NULL, set_up, test_length, tear_down);
    g_test_add("/secret/absent", struct room, NULL, set_up, test_absent, tear_down);
    g_test_add_func("/secret/text", test_text);
    return g_test_run();
}

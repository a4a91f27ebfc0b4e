/* The state file: everything that survives power-off, with a checksum, replaced as a whole. */
#include "proto/virtual/parts.h"

#include "station/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "packline virtual board %s 3\n"

struct image {
    char magic[64];
    struct vb_nvm nvm;
    char sum[72];
};

static void sum_of(const struct image *image, char sum[72])
{
    g_autofree char *text =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)&image->nvm, sizeof image->nvm);
    memset(sum, 0, 72);
    g_strlcpy(sum, text, 72);
}

bool vb_nvm_load(struct vboard *board, GError **error)
{
    g_autofree char *bytes = NULL;
    gsize n = 0;
    char sum[72];
    g_autofree char *magic = g_strdup_printf(MAGIC, board->family->name);
    if (!board->state_path || !g_file_test(board->state_path, G_FILE_TEST_EXISTS))
        return true;
    if (!g_file_get_contents(board->state_path, &bytes, &n, error))
        return false;
    const struct image *image = (const struct image *)(const void *)bytes;
    if (n != sizeof *image || strcmp(image->magic, magic) != 0)
        return error_set(error, ERROR_AUTHOR, "%s: not a state file of a board of family %s",
                         board->state_path, board->family->name);
    sum_of(image, sum);
    if (memcmp(sum, image->sum, sizeof sum) != 0)
        return error_set(error, ERROR_AUTHOR, "%s: damaged; remove it for a new board", board->state_path);
    board->nvm = image->nvm;
    return true;
}

bool vb_nvm_save(struct vboard *board, int64_t now_us)
{
    board->dirty_since_us = board->dirty_last_us = INT64_MAX;
    if (!board->state_path)
        return true;
    g_autofree struct image *image = g_new0(struct image, 1);
    g_autofree char *temporary = g_strconcat(board->state_path, ".new", NULL);
    board->nvm.rtc_us += now_us - board->rtc_at_us;
    board->rtc_at_us = now_us;
    g_snprintf(image->magic, sizeof image->magic, MAGIC, board->family->name);
    image->nvm = board->nvm;
    sum_of(image, image->sum);
    FILE *file = fopen(temporary, "we");
    bool ok = file && fwrite(image, sizeof *image, 1, file) == 1;
    if (file)
        ok = fclose(file) == 0 && ok;
    return ok && rename(temporary, board->state_path) == 0;
}

#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void next_piece(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct fuzz_answers *a = context;
    (void)bytes, (void)n, (void)now_us;
    if (a->at >= a->size)
        return;
    size_t length = a->data[a->at++];
    if (a->left == 0)
        a->from = a->at;
    a->left += MIN(length, a->size - a->at);
    a->at += MIN(length, a->size - a->at);
}

static size_t produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct fuzz_answers *a = context;
    size_t n = MIN(max, a->left);
    (void)now_us;
    if (n)
        memcpy(bytes, a->data + a->from, n);
    a->from += n;
    a->left -= n;
    return n;
}

static int64_t next_us(void *context)
{
    (void)context;
    return INT64_MAX;
}

void fuzz_answers_open(struct fuzz_answers *answers, const uint8_t *data, size_t size, const char *line)
{
    const struct wire_far_side side = {answers, next_piece, produce, next_us, NULL, NULL};
    struct wire_options options = {0};
    *answers = (struct fuzz_answers){.data = data, .size = size};
    tick_virtual_init(&answers->clock, INT64_C(1795000000000000));
    options.tick = &answers->clock.tick;
    if (!wire_line_parse(line, &options.line, NULL))
        abort();
    answers->wire = wire_loop_open(&side, &options);
}

void fuzz_answers_close(struct fuzz_answers *answers)
{
    wire_close(answers->wire);
}

static char folder[64];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
    if (folder[0])
        return folder;
    g_strlcpy(folder,
              access("/dev/shm", W_OK) == 0 ? "/dev/shm/packline-fuzz-XXXXXX" : "packline-fuzz-XXXXXX",
              sizeof folder);
    if (!g_mkdtemp(folder))
        abort();
    atexit(remove_folder);
    return folder;
}

void fuzz_write(const char *name, const void *bytes, size_t n)
{
    g_autofree char *path = g_build_filename(fuzz_folder(), name, NULL);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        abort();
}

GBytes *fuzz_source(const char *path)
{
    g_autofree char *full = g_build_filename(SOURCE_DIR, path, NULL);
    char *text = NULL;
    gsize n;
    if (!g_file_get_contents(full, &text, &n, NULL))
        g_error("%s is missing", full);
    return g_bytes_new_take(text, n);
}

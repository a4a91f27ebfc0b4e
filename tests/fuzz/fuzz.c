#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BYTE_US   1000
#define BABBLE    64
#define BABBLE_US TICK_S(3600) /* of a far side that never stops; longer than any wait may last */

static void next_piece(void *context, const uint8_t *bytes, size_t n, int64_t now_us)
{
    struct fuzz_answers *a = context;
    (void)now_us;
    if (a->at >= a->size)
        return;
    size_t length = a->data[a->at++];
    length = MIN(length, a->size - a->at);
    if (a->shape)
        a->shape(a->out, a->data + a->at, length, bytes, n);
    else
        g_byte_array_append(a->out, a->data + a->at, (guint)length);
    a->at += length;
}

static size_t produce(void *context, uint8_t *bytes, size_t max, int64_t now_us)
{
    struct fuzz_answers *a = context;
    size_t n = MIN(max, a->out->len - a->from);
    (void)now_us;
    if (n > 0)
        memcpy(bytes, a->out->data + a->from, n);
    a->from += n;
    if (n == 0 && a->babble && a->at >= a->size && a->size > 0) {
        n = MIN(max, BABBLE);
        memset(bytes, a->data[a->size - 1], n);
        g_assert_cmpint(a->clock.now - a->began_us, <, BABBLE_US);
    }
    a->clock.now += (int64_t)n * BYTE_US;
    return n;
}

static int64_t next_us(void *context)
{
    (void)context;
    return TICK_NEVER;
}

void fuzz_answers_open(struct fuzz_answers *answers, const uint8_t *data, size_t size, const char *line)
{
    const struct wire_far_side side = {answers, next_piece, produce, next_us, NULL, NULL};
    struct wire_options options = {0};
    *answers = (struct fuzz_answers){.data = data, .size = size, .out = g_byte_array_new()};
    tick_virtual_init(&answers->clock, INT64_C(1795000000000000));
    answers->began_us = tick_now(&answers->clock.tick);
    options.tick = &answers->clock.tick;
    if (!wire_line_parse(line, &options.line, NULL))
        abort();
    answers->wire = wire_loop_open(&side, &options);
}

void fuzz_answers_close(struct fuzz_answers *answers)
{
    wire_close(answers->wire);
    g_byte_array_unref(answers->out);
}

const uint8_t *fuzz_part(const uint8_t **data, size_t *size, size_t *n)
{
    static const char mark[] = "\n----\n";
    const uint8_t *from = *data, *end = *size ? memmem(*data, *size, mark, sizeof mark - 1) : NULL;
    *n = end ? (size_t)(end - from) : *size;
    size_t skip = *n + (end ? sizeof mark - 1 : 0);
    *data += skip;
    *size -= skip;
    return from;
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

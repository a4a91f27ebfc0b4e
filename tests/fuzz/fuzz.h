/* What the fuzz targets share: one function each, driven by libFuzzer or by replay.c. */
#pragma once

#include "proto/wire.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A far side that answers whatever is sent with the next piece of the input: a length byte, then so many
 * bytes. When the input is used up it is silent. */
struct fuzz_answers {
    const uint8_t *data;
    size_t size, at;   /* of the input */
    size_t from, left; /* of the piece that is on its way */
    struct tick_virtual clock;
    struct wire *wire;
};
void fuzz_answers_open(struct fuzz_answers *answers, const uint8_t *data, size_t size, const char *line);
void fuzz_answers_close(struct fuzz_answers *answers);

/* A folder of this process in memory, made once. */
const char *fuzz_folder(void);
void fuzz_write(const char *name, const void *bytes, size_t n);
/* A file of the source tree; aborts when it is not there. */
GBytes *fuzz_source(const char *path);

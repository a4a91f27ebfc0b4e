/* What the fuzz targets share: one function each, driven by libFuzzer or by replay.c. */
#pragma once

#include "proto/wire.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A target may have it: makes what was changed at random right again where a checksum would refuse it unread.
 */
void fuzz_repair(uint8_t *bytes, size_t n) __attribute__((weak));

/* A far side that answers whatever is sent with the next piece of the input: a length byte, then so many
 * bytes. A byte takes a millisecond. When the input is used up it is silent, or repeats itself without an
 * end. */
struct fuzz_answers {
    const uint8_t *data;
    size_t size, at; /* of the input */
    bool babble;
    /* Makes an answer to the request from a piece, such as a frame with the right checksum; NULL = as it is.
     */
    void (*shape)(GByteArray *out, const uint8_t *piece, size_t n, const uint8_t *request, size_t request_n);
    GByteArray *out;
    size_t from; /* of out, what has not arrived yet */
    struct tick_virtual clock;
    int64_t began_us;
    struct wire *wire;
};
void fuzz_answers_open(struct fuzz_answers *answers, const uint8_t *data, size_t size, const char *line);
/* Closes the wire too, unless somebody else did and set it to NULL. */
void fuzz_answers_close(struct fuzz_answers *answers);

/* The part before the next line "----", which is taken off the input; the last part is all that is left. */
const uint8_t *fuzz_part(const uint8_t **data, size_t *size, size_t *n);

/* A folder of this process in memory, made once. */
const char *fuzz_folder(void);
void fuzz_write(const char *name, const void *bytes, size_t n);
/* A file of the source tree; aborts when it is not there. */
GBytes *fuzz_source(const char *path);

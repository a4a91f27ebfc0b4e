/* The server side of CiA 301's service data objects, written from docs/families/rockets.md. */
#include "proto/virtual/app_rockets.h"

#include <string.h>

static bool fail(struct vboard *board, uint8_t answer[8], uint32_t code)
{
    board->app->reading = board->app->writing = false;
    answer[0] = 0x80;
    for (unsigned i = 0; i < 4; i++)
        answer[4 + i] = (uint8_t)(code >> 8 * i);
    return true;
}

static bool begin_read(struct vboard *board, uint8_t answer[8], int64_t now_us)
{
    struct vb_app *app = board->app;
    enum abort_code code = rockets_get(board, app->index, app->sub, app->value, &app->size, now_us);
    app->reading = app->writing = false;
    if (code != NOTHING_WRONG)
        return fail(board, answer, code);
    if (app->size >= 1 && app->size <= 4) {
        answer[0] = (uint8_t)(0x43 | (4 - app->size) << 2);
        memcpy(answer + 4, app->value, app->size);
        return true;
    }
    app->reading = true;
    app->toggle = false;
    app->done = 0;
    answer[0] = 0x41;
    answer[4] = (uint8_t)app->size;
    return true;
}

static bool read_on(struct vboard *board, const uint8_t request[8], uint8_t answer[8])
{
    struct vb_app *app = board->app;
    if (!app->reading)
        return fail(board, answer, BAD_COMMAND);
    if ((request[0] >> 4 & 1) != app->toggle)
        return fail(board, answer, BAD_TOGGLE);
    unsigned left = app->size - app->done, n = MIN(left, 7);
    memset(answer, 0, 8);
    memcpy(answer + 1, app->value + app->done, n);
    answer[0] = (uint8_t)(app->toggle << 4 | (7 - n) << 1 | (n == left));
    app->done += n;
    app->toggle = !app->toggle;
    app->reading = n < left;
    return true;
}

static bool begin_write(struct vboard *board, const uint8_t request[8], uint8_t answer[8], int64_t now_us)
{
    struct vb_app *app = board->app;
    app->reading = app->writing = false;
    answer[0] = 0x60;
    if (request[0] & 2) {
        unsigned n = request[0] & 1 ? 4u - (request[0] >> 2 & 3) : 4;
        enum abort_code code = rockets_put(board, app->index, app->sub, request + 4, n, now_us);
        return code == NOTHING_WRONG || fail(board, answer, code);
    }
    app->size = request[0] & 1 ? request[4] : VALUE_MAX;
    if (app->size > VALUE_MAX || request[5] || request[6] || request[7])
        return fail(board, answer, TOO_LONG);
    app->writing = true;
    app->toggle = false;
    app->done = 0;
    return true;
}

static bool write_on(struct vboard *board, const uint8_t request[8], uint8_t answer[8], int64_t now_us)
{
    struct vb_app *app = board->app;
    const unsigned n = 7 - (request[0] >> 1 & 7);
    if (!app->writing)
        return fail(board, answer, BAD_COMMAND);
    if ((request[0] >> 4 & 1) != app->toggle)
        return fail(board, answer, BAD_TOGGLE);
    if (app->done + n > app->size)
        return fail(board, answer, TOO_LONG);
    memcpy(app->value + app->done, request + 1, n);
    app->done += n;
    if (request[0] & 1) {
        enum abort_code code = rockets_put(board, app->index, app->sub, app->value, app->done, now_us);
        app->writing = false;
        if (code != NOTHING_WRONG)
            return fail(board, answer, code);
    }
    memset(answer, 0, 8);
    answer[0] = (uint8_t)(0x20 | app->toggle << 4);
    app->toggle = !app->toggle;
    return true;
}

bool rockets_serve(struct vboard *board, const uint8_t request[8], uint8_t answer[8], int64_t now_us)
{
    struct vb_app *app = board->app;
    const unsigned command = request[0] >> 5;
    /* Requests that begin a transfer name the object; those that go on with one belong to the last named. */
    if (command == 1 || command == 2) {
        app->index = (uint16_t)(request[1] | request[2] << 8);
        app->sub = request[3];
    }
    memset(answer, 0, 8);
    answer[1] = (uint8_t)app->index;
    answer[2] = (uint8_t)(app->index >> 8);
    answer[3] = app->sub;
    switch (command) {
    case 0:
        return write_on(board, request, answer, now_us);
    case 1:
        return begin_write(board, request, answer, now_us);
    case 2:
        return begin_read(board, answer, now_us);
    case 3:
        return read_on(board, request, answer);
    case 4: /* the client gives up */
        app->reading = app->writing = false;
        return false;
    default:
        return fail(board, answer, BAD_COMMAND);
    }
}

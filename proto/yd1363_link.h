/* One request and its answer on a YD/T 1363 line: repetition, late and foreign answers, return codes. */
#pragma once

#include "proto/board.h"
#include "proto/yd1363.h"

/* What may be sent again after a lost answer. */
enum yd1363_repeat {
    YD1363_NEVER, /* a second one would do something else */
    YD1363_ONCE,  /* the board counts tries: no more than one, and none after a refusal */
    YD1363_REPEATABLE
};

struct yd1363_exchange {
    const char *name;
    enum yd1363_repeat repeat;
    const uint8_t *info; /* arguments behind the profile's fixed bytes */
    size_t n;
    int64_t extra_us; /* more patience than the profile's reply_max */
    int64_t code;     /* of a block that has its own; 0 = the code of the command of this name */
    bool secret;      /* no byte of it is shown */
};

/* GARBLED, REFUSED and SILENT name the exchange and the board, and show what came. */
bool yd1363_transact(struct board *board, const struct yd1363_exchange *x, struct yd1363_frame *reply,
                     GError **error);
/* GARBLED: a whole answer that does not fit what was asked. */
bool yd1363_unfit(const struct board *board, const struct yd1363_exchange *x,
                  const struct yd1363_frame *reply, const char *why, GError **error);
/* The same of one whose INFO has not `wanted` bytes. */
bool yd1363_wrong_size(const struct board *board, const struct yd1363_exchange *x,
                       const struct yd1363_frame *reply, size_t wanted, GError **error);

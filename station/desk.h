/* What an engine may ask of the house: four callbacks, all by value. The store, the press and the people
 * stand behind it; the engine knows none of them. */
#pragma once

#include "station/event.h"

enum desk_claim {
    CLAIM_UNIT,            /* this board (unique id) may be worked on; binds it to the run */
    CLAIM_SERIAL,          /* the serial number is reserved for this board */
    CLAIM_SERIAL_INTENT,   /* about to be written: from here it never becomes free again */
    CLAIM_SERIAL_ON_BOARD, /* read back on the board */
    CLAIM_SERIAL_BLANK,    /* this board has no identity and carries no number: it may be on no other */
    CLAIM_SERIAL_RESUMED   /* ... but the operator says that an earlier run began to number this very board */
};

enum desk_question { ASK_CONFIRM, ASK_PASS_FAIL, ASK_NUMBER, ASK_TEXT };

struct desk_ask {
    enum desk_question question;
    const char *text; /* one sentence for the operator */
    enum quantity quantity;
    int64_t min, max; /* of ASK_NUMBER */
};

struct desk_answer {
    bool yes;
    int64_t number;
    char text[128];
};

struct desk {
    void *context;
    /* Puts an INTENT on disk; false = it is not on disk and the effect must not happen. */
    bool (*gate)(void *context, const struct event *intent, GError **error);
    /* A fact is on disk on return (RUN_END PASS is committed and read back); a pulse never fails. */
    bool (*post)(void *context, const struct event *event, GError **error);
    /* RULE when the claim is refused. */
    bool (*claim)(void *context, int64_t run, enum desk_claim claim, const char *unique_id, const char *sn,
                  GError **error);
    /* CANCELLED when nobody answers or the operator stops. */
    bool (*ask)(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error);
};

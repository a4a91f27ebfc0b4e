/* A station's day over the store alone, and the memory of somebody who stands beside it: what was
 * acknowledged, what is on the boards, which labels came out. Whatever happens to the disk, both must agree
 * afterwards. */
#pragma once

#include "station/store/store_disk.h"
#include "station/store/store_parts.h"

#if defined(__SANITIZE_ADDRESS__)
#define WORLD_SLOWER 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WORLD_SLOWER 8
#endif
#endif
#ifndef WORLD_SLOWER
#define WORLD_SLOWER 1
#endif

enum finding {
    FINDING_NONE,
    FINDING_CORRUPT, /* does not open, or the chain, a table or the database is damaged */
    FINDING_LOST,    /* acknowledged and not there any more, or there as something else */
    FINDING_OTHER,   /* a promise of the store is broken, or the day cannot go on */
    FINDINGS
};

#define WORLD_BOARDS 4

struct world_board {
    bool written;           /* the write intent was acknowledged: its number may be on the board */
    bool sent;              /* "sending" was acknowledged: the label may have come out */
    unsigned came;          /* labels that came out */
    int64_t passed, failed; /* run whose verdict was acknowledged; 0 = none */
};

/* Plain data, so that a day can be gone on with more than once from one point. */
struct world {
    struct tick_virtual clock;
    struct store *store;
    int64_t acked_seq; /* last acknowledged row; its hash stands for all before */
    char acked_hash[65];
    int64_t run;               /* open run, 0 = none */
    enum event_verdict ending; /* what it was about to end with when the call failed */
    struct world_board boards[WORLD_BOARDS];
    bool broke;        /* a call of the store failed: nothing may be acknowledged any more */
    char failure[400]; /* what the store said the first time that it failed */
    enum finding finding;
    char text[400]; /* of the finding, the first only */
};

void world_init(struct world *world);
/* Remembers the first finding. Always false. */
bool world_find(struct world *world, enum finding finding, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Opens the store (recovering), works on every board that has not yet got what it needs, closes. False when a
 * call of the store failed; the store is then still open, if it ever was. */
bool world_day(struct world *world);
/* After a failed day on a process that lives on: nothing more is taken by this store. */
void world_check_stopped(struct world *world);
/* Opens again after a stop. False when the store does not open; that is a finding only if `must`. */
bool world_open(struct world *world, bool must);
void world_close(struct world *world);
/* What an open store must show after a stop. thorough: also the chain, the tables, the database. */
void world_check(struct world *world, bool thorough);
/* The day goes on to its end, undisturbed; look_again: and the store is opened and checked once more. */
void world_finish(struct world *world, bool look_again);

/* g_test_run with a folder for the stores. */
int world_tests_run(void);
/* A number from the environment. */
uint64_t world_number(const char *name, uint64_t fallback);
/* A number by chance that follows from two. */
uint64_t world_mix(uint64_t a, uint64_t b);

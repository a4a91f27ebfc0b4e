/* Units on a store that is real and a clock that is not: what the tests of the journal are made of. */
#pragma once

#include "station/store/store.h"

#define UID_A "0102030405060708090a0b0c"
#define UID_B "1112131415161718191a1b1c"

struct day {
    struct tick_virtual clock;
    char *folder;
    struct store *store;
    int64_t run;
};

/* Which proof is left out of a good unit. */
enum lack { NOTHING, STEP, IDENTITY, VERIFY, SECOND_READ, ON_BOARD, RESULT };

void day_set_up(struct day *f);
void day_tear_down(struct day *f);
void day_reopen(struct day *f);
struct event day_event(struct day *f, enum event_type type, int step);
bool day_post(struct day *f, struct event event, GError **error);
void day_must(struct day *f, struct event event);
void day_begin(struct day *f, const char *sn, bool production);
void day_fact(struct day *f, enum event_type type, const char *key);
void day_value(struct day *f, const char *stage, bool ok);
bool day_end(struct day *f, enum event_verdict verdict, GError **error);
void day_unit(struct day *f, const char *sn, const char *uid, enum lack lack, bool production);
void day_pass(struct day *f, const char *sn, const char *uid);
void day_audit(struct day *f);

/* Readings as the users of YD/T 1363 lay them out. Pure: INFO bytes in, readings out. */
#pragma once

#include "proto/board.h"

/* One group: readings and status words in one answer. False with the bytes needed. */
bool yd1363_group(const uint8_t *p, size_t n, struct board_telemetry *t, size_t *wanted);

/* One record of the history, of so many bytes. */
#define YD1363_RECORD 24
void yd1363_record(const uint8_t *p, struct board_record *record);

/* One pack of several: analogue values and states in two answers. Each takes what it knows into *t and
 * answers NULL, or says what is wrong. */
struct yd1363_pack {
    unsigned pack;
    int info_flag;    /* enum profile_info_flag */
    int last_sensors; /* enum profile_last_sensors */
    int layout;       /* enum profile_pack_layout */
};
struct yd1363_pack yd1363_pack_of(const struct board *board); /* as the profile says */
const char *yd1363_pack_analog(const struct yd1363_pack *how, const uint8_t *p, size_t n,
                               struct board_telemetry *t);
/* After the analogue values: both must be of the same cells. */
const char *yd1363_pack_states(const struct yd1363_pack *how, const uint8_t *p, size_t n,
                               struct board_telemetry *t);

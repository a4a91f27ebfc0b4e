/* The bench around a slot: current source, temperature reference, board supply. An instrument with a name and
 * a calibration date; what it says is a reference, so it is recorded with every calibration.
 *
 * Errors: INSTRUMENT (no answer, wrong identity, calibration overdue, not provided by this bench). */
#pragma once

#include "proto/wire.h"
#include "station/desk.h"

struct bench;

struct bench_kind {
    const char *name; /* "scpi", "entered" */
    bool (*set_current)(struct bench *bench, int64_t ma, GError **error);
    bool (*read_current)(struct bench *bench, int64_t *ma, GError **error);
    bool (*set_temperature)(struct bench *bench, int64_t mdeg, GError **error);
    bool (*read_temperature)(struct bench *bench, int64_t *mdeg, GError **error);
    bool (*read_cell)(struct bench *bench, unsigned cell, int64_t *mv, GError **error);
    bool (*power)(struct bench *bench, bool on, GError **error);
    /* Brings an instrument that a killed station left in any state to rest: no current, board supplied. */
    bool (*rest)(struct bench *bench, GError **error);
    void (*close)(struct bench *bench);
};

struct bench {
    const struct bench_kind *kind;
    struct wire *wire;       /* of an instrument; owned */
    const struct desk *desk; /* of entered values; borrowed */
    struct tick *tick;
    char identity[96]; /* as the instrument names itself */
    char due[16];      /* calibration due date, YYYY-MM-DD */
    int64_t due_us;
    bool output_on;
};

struct bench_options {
    const char *kind;     /* "scpi" | "entered" */
    const char *link;     /* wire URL of an instrument */
    const char *identity; /* what *IDN? must begin with; for entered values the name of the reference */
    int64_t due_us;       /* UTC; 0 = no date given, which no calibration accepts */
    const struct desk *desk;
    struct tick *tick;
};

/* The link is not cancellable: a person who stops a run needs the instrument to be switched off all the more.
 */
struct bench *bench_open(const struct bench_options *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Leaves the bench safe (no current) and closes it. */
void bench_close(struct bench *bench);
/* INSTRUMENT when the reference's calibration date has passed at this instant. NULL bench is an error too. */
bool bench_valid(const struct bench *bench, int64_t wall_us, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* No current flows and the board has its supply; the state every run starts from. */
bool bench_rest(struct bench *bench, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Charge positive. 0 switches the output off. */
bool bench_set_current(struct bench *bench, int64_t ma, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool bench_read_current(struct bench *bench, int64_t *ma, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool bench_set_temperature(struct bench *bench, int64_t mdeg, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool bench_read_temperature(struct bench *bench, int64_t *mdeg, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Cells count from 0. */
bool bench_read_cell(struct bench *bench, unsigned cell, int64_t *mv,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Off, wait, on. */
bool bench_power_cycle(struct bench *bench, int64_t off_ms, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* No current flows afterwards, whatever happened; best effort, errors are the instrument's own. */
void bench_safe(struct bench *bench);

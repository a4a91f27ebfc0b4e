/* A step: one verb of a recipe, done on a board. A file in station/steps/ exports const struct step_kind
 * rows, listed in the one table of engine_steps.c. A step states whether it may be repeated. */
#pragma once

#include "proto/board.h"
#include "station/engine.h"

struct step_context {
    const struct plan *plan;
    const struct plan_step *step;
    const struct engine_slot *slot;
    const struct desk *desk;
    int64_t run;
    int index;
    unsigned attempt;

    struct wire *wire;
    struct board *board; /* on the service line */
    struct bench *bench; /* NULL when the slot has none */

    /* What this run knows about the board. */
    bool in_bootloader; /* identify found no application */
    bool asked_reset;   /* the operator was told how to bring the bootloader */
    struct board_identity identity;
    char unique_id[BOARD_UNIT_TEXT]; /* "" = not known yet */
    bool blank;                      /* it is known by its serial number, and carried none when it came */
    bool firmware_proved;            /* device bytes == signed manifest, in this run, on this board */
    struct board_image *image;       /* as found, before the first write */
    GHashTable *written;             /* item key → struct item_value*, expected on the board */
    unsigned restarts;               /* since the last write */
    int64_t wall_offset_us;          /* wall - monotonic at the start: shows a stepped clock */
};

struct step_kind {
    const char *verb;
    const char *title; /* for people */
    bool repeatable;
    int64_t timeout_s;
    bool (*run)(struct step_context *context, GError **error);
};

const struct step_kind *step_kind_find(const char *verb);
extern const struct step_kind *const step_kinds[]; /* ends with NULL */

/* Facts and pulses. A false return is a STORAGE error: the step ends. */
bool step_intent(struct step_context *context, const char *what, const char *text,
                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool step_result(struct step_context *context, const char *what, const char *text,
                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool step_note(struct step_context *context, const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool step_document(struct step_context *context, const char *name, json_t *document,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT; /* takes the reference */
bool step_post(struct step_context *context, struct event *event, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void step_progress(struct step_context *context, const char *phase, uint64_t done, uint64_t total);
struct step_measurement {
    const char *name;
    enum quantity quantity;
    int64_t value, min, max;
    bool has_min, has_max;
    bool by_bench; /* name the bench as the instrument */
};
/* Posts it and returns false with a LIMIT error when it is outside its limits. */
bool step_measure(struct step_context *context, const struct step_measurement *measurement,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The board in the slot is still the one this run began with; RULE when it was swapped. */
bool step_same_board(struct step_context *context, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Identity of a board as its application reports it, checked against the manifest (product, hardware). */
bool step_check_identity(struct step_context *context, const struct board_identity *identity,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Remembers which board this is, by its unique id or, where there is none, by its serial number: the first of
 * the run, or the same again; RULE otherwise. */
bool step_bind_board(struct step_context *context, const struct board_identity *identity,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The plan writes the serial number. */
/* Boards acknowledge a write before it is in their non-volatile memory. */
#define STEP_STORED_MS 500
bool step_writes_serial(const struct step_context *context);
bool step_bind_unique_id(struct step_context *context, const uint8_t id[12],
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The slot's reference is there and its calibration date is good. */
bool step_need_bench(struct step_context *context, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads and keeps the whole parameter image, once a run, before the first write. */
/* The board reports the cells that the values of this run are for. */
bool step_check_chemistry(struct step_context *context, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool step_need_image(struct step_context *context, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Writes the step's values with intents, reads each back, posts each; MISMATCH names the first that differs.
 */
bool step_write_values(struct step_context *context, const struct item_value *values, unsigned n,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads the items again and compares raw; posts each under this stage; MISMATCH names the first that differs.
 */
bool step_compare_values(struct step_context *context, const struct item_value *values, unsigned n,
                         const char *stage, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool step_login(struct step_context *context, int level, const char *secret,
                GError **error) G_GNUC_WARN_UNUSED_RESULT;

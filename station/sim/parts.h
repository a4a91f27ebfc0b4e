/* Inside the simulation. */
#pragma once

#include "proto/virtual/vboard.h"
#include "station/kit.h"
#include "station/sim/sim.h"
#include "station/store/store_disk.h"
#include "station/unit.h"

#include <ucontext.h>

#define SIM_UID_TEXT 25
#define SIM_WALL     INT64_C(1795000000000000) /* 2026-11-18 */

/* Bytes of a block that differ from board to board; ends with n 0. */
struct sim_skip {
    unsigned block, from, n;
};

struct sim_family {
    const char *name;
    unsigned serial_block, serial_at; /* where the serial number stands */
    bool by_serial;                   /* nothing else tells its boards apart */
    bool by_label;                    /* and even that is only printed on them: `sn` of struct sim_board */
    bool clockless;
    const struct sim_skip *own;
    int64_t current_error_ma; /* a board that passed may have, at 20 and 40 A */
    const char *const *lacks; /* defects, or classes of faults, that mean nothing to it */
    bool frames;              /* its line is a CAN bus */
    bool has_number;          /* a board brings its serial number, of its unit seed */
    bool local_clock;         /* its clock shows local time */
};

/* One board of the shift, in or out of a slot. */
struct sim_board {
    struct vboard *board;
    uint64_t unit_seed;
    const char *defect; /* NULL = none */
    char uid[SIM_UID_TEXT];
    char sn[16];       /* of its scan */
    char label[16];    /* what sticks on it */
    GBytes *came_with; /* the flash of a board that must be refused; NULL for others */
};

/* What an attempt is disturbed with, decided before it starts. */
struct sim_fault {
    int class_index; /* -1 = nothing */
    int step;        /* armed when this step begins; -1 = from the start to the end */
    uint32_t ppm;    /* chance per chunk of bytes; 0 = once */
    unsigned after;  /* chunks to let through first */
    bool armed, spent;
};

/* The cable of a slot: what of the board's bytes comes through. */
struct sim_cable {
    struct sim_slot *slot;
    GByteArray *in; /* towards the station, spoiled, not yet read */
    int64_t in_due_us;
    int64_t stalled_until_us;
    uint64_t chunks, sent, bytes;  /* bytes of both ways, since the shift began */
    bool unplugged, cut, dtr, rts; /* cut: unplugged after this chunk */
};

enum sim_state { SIM_READY, SIM_WAITING, SIM_PARKED, SIM_DONE };

struct sim_slot {
    struct tick tick; /* first, so that a tick leads to its slot */
    struct sim_shift *shift;
    unsigned number;
    char name[8];
    ucontext_t context;
    void *stack;
    enum sim_state state;
    int64_t wake_us;
    struct cancel *cancel;

    struct sim_board *own;      /* the unit's board */
    struct sim_board *there;    /* physically in the slot */
    struct sim_board *intruder; /* swapped in; NULL = none */
    struct sim_cable cable;
    struct sim_fault fault;
    int64_t unit;
    unsigned attempt;
    bool clock_right; /* the station's, when the run began */
    bool swapped;     /* the number may belong to the intruder by now */
    unsigned lost;    /* attempts that the station did not survive */
    int step;
    bool traced;
    bool shown_pass;
    char shown_sn[64];
    int64_t run;
    unsigned printed, asked; /* sheets of this unit, and how often one was to be scanned back */
    char sheet[16];          /* the last one */
    bool charges;            /* the operator, to wake a board */
};

struct sim_shift {
    const struct sim_options *options;
    struct sim_count *count;
    GChecksum *digest;
    int64_t number, next_unit, last_unit; /* units are numbered over all shifts */
    unsigned slots_used;
    struct sim_slot slots[SIM_SLOTS_MAX];
    ucontext_t scheduler;
    int64_t now_us, wall_minus_now;
    unsigned clock_steps;   /* of the wall clock, which all slots share */
    uint64_t random;        /* of the scheduler */
    struct tick house_tick; /* does not yield: the store's */
    struct store_disk *disk;
    struct store *store; /* NULL when it could not be opened, or the machine is off */
    char *store_folder;
    struct config *config;
    char *release;
    bool store_bad;
    unsigned disk_class; /* which class armed the disk, and from which slot and step */
    int disk_step;
    GHashTable *passed; /* sn → uid, as shown and read back */
    GHashTable *acked;  /* run → verdict + 1 */
    GHashTable *golden; /* bytes of the configuration blocks of an undisturbed board */
};

/* sim_slots.c */
void sim_clock_init(struct sim_slot *slot);
void sim_house_clock_init(struct sim_shift *shift);
void sim_slots_run(struct sim_shift *shift, void (*work)(struct sim_slot *slot),
                   void (*all_parked)(struct sim_shift *));
void sim_slot_park(struct sim_slot *slot);
uint64_t sim_hash(uint64_t seed, int64_t unit, unsigned attempt, const char *what);
uint64_t sim_random(uint64_t *state);

/* sim_line.c */
struct wire *sim_connect(void *context, const struct wire_options *options, GError **error);
struct bench *sim_open_bench(void *context, GError **error);
void sim_cable_plug(struct sim_slot *slot);

/* sim_fault.c */
uint64_t sim_class_bit(const char *name); /* 0 = none of that name */
/* What a board comes with; NULL = nothing. */
const char *sim_defect_choose(const struct sim_slot *slot, uint64_t chance);
void sim_fault_choose(struct sim_slot *slot);
void sim_fault_begin_step(struct sim_slot *slot);
void sim_fault_end(struct sim_slot *slot);
void sim_fault_hit(struct sim_slot *slot);
bool sim_fault_is(const struct sim_slot *slot, const char *name);
/* This class may strike this unit: by the mask, and by chance. */
bool sim_chance(const struct sim_slot *slot, const char *name, unsigned one_in);

/* sim_oracle.c */
void sim_violation(struct sim_shift *shift, int64_t unit, const char *format, ...) G_GNUC_PRINTF(3, 4);
void sim_oracle_meet(struct sim_board *board); /* before it is put into a slot */
void sim_oracle_attempt(struct sim_slot *slot, int code);
void sim_oracle_store(struct sim_shift *shift, bool whole);
/* The board that carries the number of the unit; NULL = none yet. */
struct sim_board *sim_oracle_carrier(const struct sim_slot *slot);
void sim_oracle_label(struct sim_slot *slot); /* of a unit whose label is confirmed */
bool sim_oracle_learn(struct sim_slot *slot);

/* sim_recover.c */
bool sim_store_ill(const struct sim_shift *shift);
void sim_disk_aim(struct sim_shift *shift);
/* The station starts again when its store is ill, or when it is to be looked at once more. */
void sim_recover(struct sim_shift *shift);
/* Closes the store, as at the end of the day, and looks whether all of it is there the next morning. */
void sim_close_day(struct sim_shift *shift);

/* sim.c */
bool sim_learn(const struct sim_options *options, struct sim_count *count, GError **error);
bool sim_write_station(const struct sim_options *options, GError **error);
/* One shift, of the units below `last`; digest over what happened in it. */
bool sim_run_shift(const struct sim_options *options, int64_t number, int64_t last, struct sim_count *count,
                   char digest[65], GError **error);

/* sim_jobs.c */
bool sim_run_jobs(const struct sim_options *options, struct sim_count *count, GError **error);

/* sim_label.c */
bool sim_ask(void *context, const struct desk_ask *ask, struct desk_answer *answer, GError **error);
enum printer_outcome sim_print(void *context, const struct printer_job *job, GError **error);
void sim_label_settle(struct sim_slot *slot);
void sim_stop_charging(struct sim_slot *slot);

/* sim_shift.c */
struct sim_board *sim_board_new(const struct sim_slot *slot, uint64_t unit_seed, const char *defect);
/* A scan that must be refused before the board sees a byte. */
void sim_must_refuse(struct sim_slot *slot, const char *what, const char *scan);
bool sim_shift_run(const struct sim_options *options, int64_t number, int64_t units, struct sim_count *count,
                   GChecksum *digest, GError **error);

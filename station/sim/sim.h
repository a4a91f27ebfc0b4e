/* Simulated shifts: the real plan, engine, steps, drivers, store and press, in one thread on a virtual clock,
 * against virtual boards, hurried operators, failing disks, jumping clocks and power that goes.
 *
 * A shift is one station with its store and a handful of boards; everything in it follows from (seed, shift),
 * so any unit can be played again alone. After every attempt an oracle compares what the boards physically
 * are with what the record says. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_UNITS_A_SHIFT 16
#define SIM_SLOTS_MAX     16
#define SIM_JOBS_MAX      64
#define SIM_STEPS_MAX     24
#define SIM_CLASSES_MAX   63 /* bits of a mask */

/* Where a class of fault strikes. */
enum sim_where {
    SIM_WIRE,   /* bytes between station and board, within a step that has traffic */
    SIM_ANY,    /* any step */
    SIM_BOARD,  /* a defect the board comes with: counted at the step where it shows */
    SIM_PEOPLE, /* around a run, at no step */
};

struct sim_class {
    const char *name, *doc;
    enum sim_where where;
    const char *defect; /* of SIM_BOARD: the virtual board's word */
    bool heals;         /* a later, undisturbed attempt must pass */
    const char *only;   /* the one family it means something to; NULL = all that do not lack it */
};
const struct sim_class *sim_classes(void); /* ends with name NULL */
/* The class spoils bytes and can do so again and again. */
bool sim_class_is_noise(unsigned index);

/* Profiles: "none", "all", or class names with commas; 0 = no such class, named by the error. */
bool sim_profile(const char *text, uint64_t *mask, GError **error);

/* One fault, set down in advance, for the first attempt at one board. */
struct sim_aim {
    enum { SIM_AIM_DISK, SIM_AIM_BYTE, SIM_AIM_NOISE, SIM_AIM_BOARD } kind;
    uint64_t at;                /* operation of the disk, 1 = the first; or bytes that go through */
    bool after;                 /* the operation is done first */
    bool fails, once;           /* operations from this one on, or one of them, fail as `failure` says */
    int failure;                /* enum store_disk_fault */
    bool process, power, board; /* what goes: packline alone, or its machine with it; the board's supply */
    unsigned class_index;       /* of noise or of a defect */
    uint32_t ppm;               /* of noise */
};

/* A family of boards that can be simulated. */
struct sim_family;
/* NULL name = the usual one; NULL with an error for a name there is not. */
const struct sim_family *sim_family_find(const char *name, GError **error);
const char *sim_family_name(const struct sim_family *family);
/* Boards of this family cannot have the defect. */
bool sim_family_lacks(const struct sim_family *family, const struct sim_class *class);
/* The classes of a mask that can strike this family. */
uint64_t sim_family_mask(const struct sim_family *family, uint64_t mask);

struct sim_options {
    const struct sim_family *family;
    uint64_t seed;
    unsigned units, slots;
    unsigned jobs;             /* processes that share the shifts; 0 = one */
    unsigned worker;           /* which of them this is; each has a store of its own */
    uint64_t mask;             /* classes to choose from, bit by index in sim_classes */
    uint64_t dropped;          /* of these, chosen and then left out: what else happens stays the same */
    const char *folder;        /* a station made by kit_make */
    const struct sim_aim *aim; /* NULL = chance decides */
    int64_t show_unit;         /* the unit whose every event goes to `show`; -1 = none */
    FILE *show;
};

struct sim_count {
    /* Sums, all of uint64_t up to `traffic`: the counts of several processes are added up. */
    uint64_t operations, bytes; /* of the disk and of the cables */
    uint64_t aimed;             /* faults set down in advance that struck */
    uint64_t first_passes;      /* boards that passed at the first attempt */
    uint64_t units, runs, refused, verdicts[5], labels, restarts, crashes_in_recovery;
    uint64_t quiet_units,
        quiet_passes; /* line noise of at most 1 % alone: first attempts, those that passed */
    uint64_t cells[SIM_CLASSES_MAX][SIM_STEPS_MAX]; /* fault × step, counted when it took effect */
    uint64_t struck[SIM_CLASSES_MAX];
    uint64_t simulated_us, violations;

    bool traffic[SIM_STEPS_MAX]; /* the step speaks with the board */
    const char *steps[SIM_STEPS_MAX];
    unsigned step_count;
    int64_t longest_us; /* the longest first attempt */
    bool poor;          /* a sweep found fewer first passes than there must be */
    int64_t first_unit; /* of a violation; -1 = none */
    char *first;        /* what it was */
    char trace[65];     /* digest over everything that happened, in order */
    GHashTable *golden; /* what an undisturbed board holds; made by the first run */
};
void sim_count_clear(struct sim_count *count);

/* Runs whole shifts until `units` boards went through; adds up in *count. Errors are of the set-up alone. */
bool sim_run(const struct sim_options *options, struct sim_count *count, GError **error);
/* The shift of one unit again. */
bool sim_replay(const struct sim_options *options, int64_t unit, struct sim_count *count, GError **error);
/* The smallest set of classes with which this unit's shift still breaks a promise, one class dropped at a
 * time. */
bool sim_shrink(const struct sim_options *options, int64_t unit, uint64_t *mask, GError **error);

/* Sweeps: every point of one undisturbed unit is a case of its own, with one fault aimed at it. */
enum sim_sweep { SIM_SWEEP_CRASHES, SIM_SWEEP_UNPLUG, SIM_SWEEP_NOISE, SIM_SWEEP_BOARDS, SIM_SWEEPS };
const char *sim_sweep_name(enum sim_sweep sweep);
struct sim_sweep_options {
    enum sim_sweep sweep;
    uint64_t from, every; /* points from this one on, each every-th */
    int64_t only;         /* this case alone, shown; -1 = all */
    unsigned units;       /* boards for each class and rate of a noise, or each defect */
};
/* Prints a table of what was done and how it ended; adds up in *count. */
bool sim_sweep(const struct sim_options *options, const struct sim_sweep_options *sweep,
               struct sim_count *count, FILE *out, GError **error);

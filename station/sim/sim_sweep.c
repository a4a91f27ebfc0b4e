/* Sweeps: each point of one unit once, instead of points by chance. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#include <string.h>

#define PPM_LIGHT    10000 /* noise of at most this ... */
#define PASS_PERCENT 99    /* ... lets at least so many boards pass at once */

static const char *const names[SIM_SWEEPS] = {"crashes", "unplug", "noise", "boards"};
static const uint32_t rates[] = {1000, 10000, 50000, 100000, 300000};

/* What befalls the machine at an operation of its disk. */
#define AT(...)                                                                                              \
    {                                                                                                        \
        .kind = SIM_AIM_DISK, __VA_ARGS__                                                                    \
    }
static const struct blow {
    const char *doc;
    struct sim_aim aim;
} blows[] = {
    {"packline killed before", AT(.process = true)},
    {"packline killed after", AT(.process = true, .after = true)},
    {"killed before, board off", AT(.process = true, .board = true)},
    {"killed after, board off", AT(.process = true, .board = true, .after = true)},
    {"power cut before", AT(.power = true)},
    {"power cut after", AT(.power = true, .after = true)},
    {"power cut before, board off", AT(.power = true, .board = true)},
    {"power cut after, board off", AT(.power = true, .board = true, .after = true)},
    {"board off before", AT(.board = true)},
    {"board off after", AT(.board = true, .after = true)},
    {"one write fails", AT(.fails = true, .failure = DISK_WRITE_FAILS, .once = true)},
    {"writes fail from here on", AT(.fails = true, .failure = DISK_WRITE_FAILS)},
    {"disk full once", AT(.fails = true, .failure = DISK_FULL, .once = true)},
    {"disk full from here on", AT(.fails = true, .failure = DISK_FULL)},
    {"one sync fails", AT(.fails = true, .failure = DISK_SYNC_FAILS, .once = true)},
    {"syncs fail from here on", AT(.fails = true, .failure = DISK_SYNC_FAILS)},
};
#undef AT

const char *sim_sweep_name(enum sim_sweep sweep)
{
    return names[sweep];
}

struct sweeping {
    const struct sim_options *options;
    const struct sim_sweep_options *sweep;
    struct sim_count *count;
    GChecksum *digest;
    FILE *out;
    GError **error;
};

/* One case. Points of one and the same unit (shift 0) for what is swept along it, another board otherwise. */
static bool run_case(struct sweeping *s, int64_t number, const struct sim_aim *aim, int64_t shift)
{
    struct sim_options options = *s->options;
    if (s->sweep->only >= 0 && s->sweep->only != number)
        return true;
    options.aim = aim;
    options.slots = 1;
    if (s->sweep->only == number) {
        options.show = s->out;
        options.show_unit = shift * SIM_UNITS_A_SHIFT;
    }
    uint64_t before = s->count->violations;
    bool ok = sim_shift_run(&options, shift, 1, s->count, s->digest, s->error);
    if (ok && before == 0 && s->count->violations)
        s->count->first_unit = number; /* a sweep counts cases */
    return ok;
}

static bool sweep_crashes(struct sweeping *s)
{
    const uint64_t points = s->count->operations;
    fprintf(s->out,
            "%" G_GUINT64_FORMAT " operations of the disk, from the opening of a new store to its closing\n"
            "%-30s %8s %8s %14s %8s\n",
            points, "what happens at the operation", "cases", "struck", "second deaths", "broken");
    for (unsigned d = 0; d < G_N_ELEMENTS(blows); d++) {
        const struct sim_count before = *s->count;
        uint64_t cases = 0;
        for (uint64_t at = s->sweep->from + 1; at <= points; at += s->sweep->every, cases++) {
            struct sim_aim aim = blows[d].aim;
            aim.at = at;
            if (!run_case(s, (int64_t)(at * G_N_ELEMENTS(blows) + d), &aim, 0))
                return false;
        }
        fprintf(s->out,
                "%-30s %8" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT
                " %8" G_GUINT64_FORMAT "\n",
                blows[d].doc, cases, s->count->aimed - before.aimed,
                s->count->crashes_in_recovery - before.crashes_in_recovery,
                s->count->violations - before.violations);
        fflush(s->out);
    }
    return true;
}

static bool sweep_unplug(struct sweeping *s)
{
    const uint64_t points = s->count->bytes;
    uint64_t cases = 0;
    for (uint64_t at = s->sweep->from; at < points; at += s->sweep->every, cases++) {
        const struct sim_aim aim = {.kind = SIM_AIM_BYTE, .at = at};
        if (!run_case(s, (int64_t)at, &aim, 0))
            return false;
    }
    fprintf(s->out,
            "%" G_GUINT64_FORMAT " bytes go over the cable for one board, both ways together\n"
            "cases  %" G_GUINT64_FORMAT ", the cable pulled in %" G_GUINT64_FORMAT "\n",
            points, cases, s->count->aimed);
    return true;
}

struct noise {
    uint64_t light, light_passes; /* boards under light noise */
};

/* One class of noise at one rate; the cell of the table. */
static bool noise_cell(struct sweeping *s, unsigned class_index, unsigned rate, struct noise *noise)
{
    const struct sim_aim aim = {.kind = SIM_AIM_NOISE, .class_index = class_index, .ppm = rates[rate]};
    uint64_t first = s->count->first_passes, cases = 0;
    for (uint64_t i = s->sweep->from; i < s->sweep->units; i += s->sweep->every, cases++) {
        int64_t number = 1 + (int64_t)((class_index * G_N_ELEMENTS(rates) + rate) * s->sweep->units + i);
        if (!run_case(s, number, &aim, number))
            return false;
    }
    uint64_t passes = s->count->first_passes - first;
    if (rates[rate] <= PPM_LIGHT) {
        noise->light += cases;
        noise->light_passes += passes;
    }
    fprintf(s->out, " %8.1f", cases ? 100.0 * (double)passes / (double)cases : 0.0);
    fflush(s->out);
    return true;
}

static bool sweep_noise(struct sweeping *s)
{
    const struct sim_class *classes = sim_classes();
    int64_t nominal = s->count->longest_us;
    struct noise noise = {0, 0};
    bool ok = true;
    fprintf(s->out, "passed at the first attempt, %% of %u boards each, by share of chunks spoiled\n%-14s",
            s->sweep->units, "");
    for (unsigned rate = 0; rate < G_N_ELEMENTS(rates); rate++)
        fprintf(s->out, " %7.1f%%", rates[rate] / 1e4);
    fprintf(s->out, "  longest run\n");
    for (unsigned i = 0; ok && sim_class_is_noise(i); i++) {
        s->count->longest_us = 0;
        fprintf(s->out, "%-14s", classes[i].name);
        for (unsigned rate = 0; ok && rate < G_N_ELEMENTS(rates); rate++)
            ok = noise_cell(s, i, rate, &noise);
        fprintf(s->out, " %9.1f s\n", (double)s->count->longest_us / 1e6);
    }
    fprintf(s->out,
            "an undisturbed run takes %.1f s\n"
            "light noise (at most %d %%): %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " passed at the first attempt\n",
            (double)nominal / 1e6, PPM_LIGHT / 10000, noise.light_passes, noise.light);
    s->count->poor = noise.light_passes * 100 < noise.light * PASS_PERCENT;
    return ok;
}

static bool sweep_boards(struct sweeping *s)
{
    const struct sim_class *classes = sim_classes();
    fprintf(s->out, "%-20s %8s %8s %12s %8s\n", "board", "boards", "PASS", "second PASS", "broken");
    for (unsigned i = 0; classes[i].name; i++) {
        if (classes[i].where != SIM_BOARD || sim_family_lacks(s->options->family, &classes[i]))
            continue;
        const struct sim_aim aim = {.kind = SIM_AIM_BOARD, .class_index = i};
        const struct sim_count before = *s->count;
        uint64_t cases = 0;
        for (uint64_t k = s->sweep->from; k < s->sweep->units; k += s->sweep->every, cases++) {
            int64_t number = 1 + (int64_t)i * s->sweep->units + (int64_t)k;
            if (!run_case(s, number, &aim, number))
                return false;
        }
        uint64_t first = s->count->first_passes - before.first_passes;
        fprintf(s->out,
                "%-20s %8" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT " %12" G_GUINT64_FORMAT
                " %8" G_GUINT64_FORMAT "\n",
                classes[i].name, cases, first,
                s->count->verdicts[VERDICT_PASS] - before.verdicts[VERDICT_PASS] - first,
                s->count->violations - before.violations);
    }
    return true;
}

bool sim_sweep(const struct sim_options *options, const struct sim_sweep_options *sweep,
               struct sim_count *count, FILE *out, GError **error)
{
    static bool (*const sweeps[SIM_SWEEPS])(struct sweeping *) = {sweep_crashes, sweep_unplug, sweep_noise,
                                                                  sweep_boards};
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    struct sim_options one = *options;
    one.slots = 1;
    one.mask = 0;
    struct sweeping s = {
        .options = &one, .sweep = sweep, .count = count, .digest = digest, .out = out, .error = error};
    if (!sim_learn(&one, count, error))
        return false;
    bool ok = sweeps[sweep->sweep](&s);
    g_strlcpy(count->trace, g_checksum_get_string(digest), sizeof count->trace);
    return ok;
}

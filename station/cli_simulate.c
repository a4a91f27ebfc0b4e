/* simulate: whole shifts with everything that can go wrong, and an oracle that knows the boards' truth. */
#include "station/cli.h"

#include "station/base/error.h"
#include "station/event.h"
#include "station/sim/sim.h"
#include "station/kit.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

extern const struct cli_verb cli_simulate_verbs[];

#define UNITS_MAX     100000000
#define CELL_UNITS    24  /* units per cell of the table from which on an empty cell is a finding */
#define QUIET_UNITS   500 /* first attempts under light noise from which on their yield is judged */
#define QUIET_PERCENT 99

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static bool number(const struct cli_input *input, const char *name, int64_t preset, int64_t max,
                   int64_t *value)
{
    const char *text = cli_get(input, name);
    char *end = NULL;
    *value = text ? g_ascii_strtoll(text, &end, 10) : preset;
    return !text || (end != text && *end == '\0' && *value >= 0 && *value <= max);
}

static bool applies(const struct sim_count *count, const struct sim_class *class, unsigned step)
{
    return class->where == SIM_ANY || (class->where == SIM_WIRE && count->traffic[step]);
}

/* Every class of fault that is on and can strike in a step has done so. */
static unsigned empty_cells(const struct sim_count *count, uint64_t mask, bool print, unsigned *cells)
{
    const struct sim_class *classes = sim_classes();
    unsigned empty = 0;
    *cells = 0;
    for (unsigned i = 0; classes[i].name; i++)
        for (unsigned step = 0; mask >> i & 1 && step < count->step_count; step++) {
            if (!applies(count, &classes[i], step))
                continue;
            ++*cells;
            if (count->cells[i][step] > 0)
                continue;
            empty++;
            if (print)
                printf("empty  %s never struck in step %u (%s)\n", classes[i].name, step + 1,
                       count->steps[step]);
        }
    return empty;
}

static void print_table(const struct sim_count *count, uint64_t mask)
{
    const struct sim_class *classes = sim_classes();
    printf("\n%-20s %8s", "fault", "all");
    for (unsigned step = 0; step < count->step_count; step++)
        printf(" %6u", step + 1);
    putchar('\n');
    for (unsigned i = 0; classes[i].name; i++) {
        if (!(mask >> i & 1))
            continue;
        printf("%-20s %8" G_GUINT64_FORMAT, classes[i].name, count->struck[i]);
        for (unsigned step = 0; classes[i].where <= SIM_ANY && step < count->step_count; step++)
            if (applies(count, &classes[i], step))
                printf(" %6" G_GUINT64_FORMAT, count->cells[i][step]);
            else
                printf(" %6s", "-");
        putchar('\n');
    }
    for (unsigned step = 0; step < count->step_count; step++)
        printf("%s%u %s", step ? ", " : "step   ", step + 1, count->steps[step]);
    puts("\n");
}

static void print_counts(const struct sim_count *count)
{
    printf("units  %" G_GUINT64_FORMAT " boards, %" G_GUINT64_FORMAT " runs, %" G_GUINT64_FORMAT
           " scans refused, %" G_GUINT64_FORMAT " labels, %.1f h simulated\n",
           count->units, count->runs, count->refused, count->labels, (double)count->simulated_us / 3.6e9);
    printf("ended ");
    for (int verdict = VERDICT_PASS; verdict <= VERDICT_ABORTED; verdict++)
        printf(" %s %" G_GUINT64_FORMAT, event_verdict_name((enum event_verdict)verdict),
               count->verdicts[verdict]);
    printf("\nstation restarted %" G_GUINT64_FORMAT " times, died again while recovering %" G_GUINT64_FORMAT
           " times\n",
           count->restarts, count->crashes_in_recovery);
    if (count->quiet_units)
        printf("line noise of at most 1 %% alone: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
               " passed at the first attempt\n",
               count->quiet_passes, count->quiet_units);
    printf("trace  %s\n", count->trace);
}

static void print_shrunk(const struct sim_options *options, int64_t unit)
{
    g_autoptr(GError) error = NULL;
    uint64_t mask = 0;
    if (!sim_shrink(options, unit, &mask, &error)) {
        printf("cannot shrink: %s\n", error->message);
        return;
    }
    printf("fewest faults with which it still happens:");
    const char *comma = " ";
    for (unsigned i = 0; sim_classes()[i].name; i++)
        if (mask >> i & 1) {
            printf("%s%s", comma, sim_classes()[i].name);
            comma = ",";
        }
    puts(mask ? "" : "none");
}

static int report(const struct sim_options *options, const struct sim_count *count, bool shrink)
{
    unsigned cells, empty = empty_cells(count, options->mask, false, &cells);
    bool judged = count->units >= (uint64_t)cells * CELL_UNITS;
    bool poor =
        count->quiet_units >= QUIET_UNITS && count->quiet_passes * 100 < count->quiet_units * QUIET_PERCENT;
    setvbuf(stdout, NULL, _IOLBF, 0);
    print_table(count, options->mask);
    print_counts(count);
    if (judged && empty)
        empty_cells(count, options->mask, true, &cells);
    printf("cells  %u of %u struck%s\n", cells - empty, cells, judged ? "" : " (too few units to judge)");
    printf("broken promises: %" G_GUINT64_FORMAT "\n", count->violations);
    if (count->violations) {
        printf("first: unit %" G_GINT64_FORMAT ": %s\n", count->first_unit, count->first);
        printf("again: packline simulate --family %s --units %u --slots %u --replay %" G_GUINT64_FORMAT
               ":%" G_GINT64_FORMAT "\n",
               sim_family_name(options->family), options->units, options->slots, options->seed,
               count->first_unit);
        if (shrink)
            print_shrunk(options, count->first_unit);
    }
    if (poor)
        printf("fewer than %d %% passed at the first attempt under light noise\n", QUIET_PERCENT);
    return count->violations || (judged && empty) || poor ? 1 : 0;
}

static int report_sweep(const struct sim_options *options, const struct sim_sweep_options *sweep,
                        const struct sim_count *count)
{
    print_counts(count);
    printf("broken promises: %" G_GUINT64_FORMAT "\n", count->violations);
    if (count->violations) {
        printf("first: case %" G_GINT64_FORMAT ": %s\n", count->first_unit, count->first);
        printf("again: packline simulate --family %s --seed %" G_GUINT64_FORMAT
               " --sweep %s --units %u --case %" G_GINT64_FORMAT "\n",
               sim_family_name(options->family), options->seed, sim_sweep_name(sweep->sweep), sweep->units,
               count->first_unit);
    }
    if (count->poor)
        printf("fewer than %d %% passed at the first attempt under light noise\n", QUIET_PERCENT);
    return count->violations || count->poor ? 1 : 0;
}

static int list_classes(void)
{
    for (unsigned i = 0; sim_classes()[i].name; i++)
        printf("%-20s %s\n", sim_classes()[i].name, sim_classes()[i].doc);
    return 0;
}

static bool make_station(const struct sim_options *options, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *build = g_path_get_dirname(program ? program : "./packline");
    g_autofree char *image = g_build_filename(build, "reference", "reference.elf", NULL);
    const char *share = g_getenv("PACKLINE_SHARE");
    return kit_make(share ? share : PACKLINE_SHARE, image, sim_family_name(options->family), options->folder,
                    error);
}

static bool parse_replay(const struct cli_input *input, struct sim_options *options)
{
    char *end = NULL;
    const char *text = cli_get(input, "replay");
    if (!text)
        return true;
    options->seed = g_ascii_strtoull(text, &end, 10);
    if (end == text || *end != ':')
        return false;
    const char *unit = end + 1;
    options->show_unit = g_ascii_strtoll(unit, &end, 10);
    options->show = stdout;
    return end != unit && *end == '\0' && options->show_unit >= 0 && options->show_unit <= UNITS_MAX;
}

/* What --sweep and its companions say; sweep->sweep stays SIM_SWEEPS without it. */
static bool parse_sweep(const struct cli_input *input, struct sim_sweep_options *sweep)
{
    const char *name = cli_get(input, "sweep");
    int64_t from, every, only, units;
    if (!number(input, "from", 0, INT64_MAX, &from) || !number(input, "every", 1, INT64_MAX, &every) ||
        !number(input, "case", -1, INT64_MAX, &only) || !number(input, "units", 100, UNITS_MAX, &units) ||
        every == 0)
        return false;
    *sweep = (struct sim_sweep_options){SIM_SWEEPS, (uint64_t)from, (uint64_t)every, only, (unsigned)units};
    for (unsigned i = 0; name && i < SIM_SWEEPS; i++)
        if (strcmp(sim_sweep_name((enum sim_sweep)i), name) == 0)
            sweep->sweep = (enum sim_sweep)i;
    return !name || sweep->sweep != SIM_SWEEPS;
}

static int run_simulation(const struct cli_input *input, const struct sim_options *options,
                          const struct sim_sweep_options *sweep, struct sim_count *count)
{
    GError *error = NULL;
    if (!make_station(options, &error))
        return cli_fail(input, error);
    if (sweep->sweep != SIM_SWEEPS)
        return sim_sweep(options, sweep, count, stdout, &error) ? report_sweep(options, sweep, count)
                                                                : cli_fail(input, error);
    bool ok = options->show ? sim_replay(options, options->show_unit, count, &error)
                            : sim_run(options, count, &error);
    return ok ? report(options, count, !options->show && !cli_has(input, "no-shrink"))
              : cli_fail(input, error);
}

static int simulate(const struct cli_input *input)
{
    GError *error = NULL;
    int64_t seed, units, slots, jobs;
    struct sim_options options = {.show_unit = -1};
    struct sim_sweep_options sweep;
    struct sim_count count = {.first_unit = -1};
    if (cli_has(input, "list"))
        return list_classes();
    if (!number(input, "seed", 1, INT64_MAX, &seed) || !number(input, "units", 100, UNITS_MAX, &units) ||
        !number(input, "slots", 4, SIM_SLOTS_MAX, &slots) || !number(input, "jobs", 1, SIM_JOBS_MAX, &jobs) ||
        units == 0 || slots == 0)
        return cli_usage(input, "--seed and --units are numbers, --slots is 1 to %d, --jobs at most %d",
                         SIM_SLOTS_MAX, SIM_JOBS_MAX);
    options.seed = (uint64_t)seed;
    options.units = (unsigned)units;
    options.slots = (unsigned)slots;
    options.jobs = (unsigned)jobs;
    if (!parse_replay(input, &options))
        return cli_usage(input, "--replay wants SEED:UNIT");
    if (!parse_sweep(input, &sweep))
        return cli_usage(
            input, "--sweep is crashes, unplug, noise or boards; --from, --every and --case are numbers");
    options.family = sim_family_find(cli_get(input, "family"), &error);
    if (!options.family ||
        !sim_profile(cli_has(input, "faults") ? cli_get(input, "faults") : "all", &options.mask, &error))
        return cli_fail(input, error);
    options.mask = sim_family_mask(options.family, options.mask);
    g_autofree char *folder = g_dir_make_tmp("packline-sim-XXXXXX", &error);
    options.folder = folder;
    int code = folder ? run_simulation(input, &options, &sweep, &count) : cli_fail(input, error);
    sim_count_clear(&count);
    if (folder)
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return code;
}

static const struct cli_option simulate_options[] = {
    {"seed", 0, "N", false, "what everything follows from; default 1"},
    {"units", 'n', "N", false, "boards to bring to their end; default 100"},
    {"slots", 0, "N", false, "slots of the simulated station, 1 to 16; default 4"},
    {"jobs", 'j', "N", false, "processes that share the boards; default 1; the trace is the same"},
    {"faults", 0, "PROFILE", false, "all (default), none, or classes with commas between"},
    {"family", 0, "NAME", false, "boards of this family; default basen"},
    {"replay", 0, "SEED:UNIT", false, "show everything that happens to one unit, in its shift"},
    {"sweep", 0, "KIND", false,
     "each point of one board once: crashes (operations of the disk), unplug (bytes), noise (rates), boards "
     "(defects)"},
    {"from", 0, "N", false, "of a sweep: leave out the points before this one; default 0"},
    {"every", 0, "N", false, "of a sweep: only each N-th point; default 1"},
    {"case", 0, "N", false, "of a sweep: this case alone, shown"},
    {"no-shrink", 0, NULL, false, "do not look for the fewest faults when a promise is broken"},
    {"list", 0, NULL, false, "list the classes of faults"},
    {NULL},
};

const struct cli_verb cli_simulate_verbs[] = {
    {.name = "simulate",
     .arguments = "",
     .summary = "prove the promises on simulated shifts with every fault",
     .text =
         "Runs the real engine, store, drivers and press on a virtual clock against virtual boards, with "
         "operators, disks, clocks and power that misbehave. After every unit the boards' physical truth is "
         "compared with the record and every invariant is checked. The same seed of the same build gives the "
         "same trace. Exit code 1 when a promise was broken, or when a fault never struck in a step where it "
         "could.",
     .options = simulate_options,
     .run = simulate},
    {NULL},
};

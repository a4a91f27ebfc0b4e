#include "station/sim/sim.h"

#include "station/sim/parts.h"

#include <string.h>

static const char station_text[] = "schema: packline/station/1\n"
                                   "station: sim\n"
                                   "trust: trust\n"
                                   "confirm_labels: true\n"
                                   "secrets:\n"
                                   "  basen-admin: secrets/basen-admin\n"
                                   "  basen-antitheft: secrets/basen-antitheft\n"
                                   "  clever-write: secrets/clever-write\n";

bool sim_write_station(const struct sim_options *options, GError **error)
{
    g_autofree char *name = g_strdup_printf("station-%u.yaml", options->worker);
    g_autoptr(GString) text = g_string_new(station_text);
    g_string_append_printf(text, "store: store-%u\nslots:\n", options->worker);
    for (unsigned i = 1; i <= CLAMP(options->slots, 1, SIM_SLOTS_MAX); i++)
        g_string_append_printf(text,
                               "  - slot: S%u\n"
                               "    link: unix:simulated-%u\n"
                               "    address: %u\n"
                               "    bench:\n"
                               "      - kind: scpi\n"
                               "        link: unix:simulated-bench-%u\n"
                               "        identity: SIMULATED-BENCH\n"
                               "        due: 2099-12-31\n",
                               i, i, kit_address(sim_family_name(options->family)), i);
    g_string_append(text, "printers:\n  - printer: simulated\n    link: file:printed\n    dpi: 203\n");
    return kit_write(options->folder, name, text->str, 0644, error);
}

/* One undisturbed unit shows which steps speak with the board and what a good board holds. */
bool sim_learn(const struct sim_options *options, struct sim_count *count, GError **error)
{
    struct sim_options quiet = *options;
    struct sim_count first = {.first_unit = -1};
    quiet.mask = 0;
    quiet.aim = NULL;
    quiet.show_unit = -1;
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    first.golden = count->golden =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    if (!sim_write_station(options, error) || !sim_shift_run(&quiet, 0, 1, &first, digest, error))
        return false;
    memcpy(count->traffic, first.traffic, sizeof count->traffic);
    memcpy(count->steps, first.steps, sizeof count->steps);
    count->step_count = first.step_count;
    count->operations = first.operations;
    count->bytes = first.bytes;
    count->longest_us = first.longest_us;
    count->violations = first.violations;
    count->first_unit = first.first_unit;
    count->first = first.first;
    return true;
}

/* The trace of a run is the digest over those of its shifts, in their order, whoever ran them. */
bool sim_run_shift(const struct sim_options *options, int64_t number, int64_t last, struct sim_count *count,
                   char digest[65], GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    int64_t units = MIN(last - number * SIM_UNITS_A_SHIFT, SIM_UNITS_A_SHIFT);
    bool ok = sim_shift_run(options, number, units, count, sum, error);
    g_strlcpy(digest, g_checksum_get_string(sum), 65);
    return ok;
}

static bool run_shifts(const struct sim_options *options, int64_t from, int64_t units,
                       struct sim_count *count, GError **error)
{
    g_autoptr(GChecksum) trace = g_checksum_new(G_CHECKSUM_SHA256);
    bool ok = sim_learn(options, count, error);
    int64_t last = from * SIM_UNITS_A_SHIFT + units;
    for (int64_t shift = from; ok && shift * SIM_UNITS_A_SHIFT < last; shift++) {
        char digest[65];
        ok = sim_run_shift(options, shift, last, count, digest, error);
        g_checksum_update(trace, (const guchar *)digest, -1);
    }
    g_strlcpy(count->trace, g_checksum_get_string(trace), sizeof count->trace);
    return ok;
}

void sim_count_clear(struct sim_count *count)
{
    g_free(count->first);
    if (count->golden)
        g_hash_table_unref(count->golden);
    memset(count, 0, sizeof *count);
    count->first_unit = -1;
}

bool sim_run(const struct sim_options *options, struct sim_count *count, GError **error)
{
    return options->jobs > 1 ? sim_run_jobs(options, count, error)
                             : run_shifts(options, 0, options->units, count, error);
}

/* The whole shift: a unit's fate hangs on its neighbours. */
static int64_t units_of_shift(const struct sim_options *options, int64_t shift)
{
    int64_t from = shift * SIM_UNITS_A_SHIFT;
    return options->units > from ? MIN(SIM_UNITS_A_SHIFT, options->units - from) : SIM_UNITS_A_SHIFT;
}

bool sim_replay(const struct sim_options *options, int64_t unit, struct sim_count *count, GError **error)
{
    int64_t shift = unit / SIM_UNITS_A_SHIFT;
    return run_shifts(options, shift, units_of_shift(options, shift), count, error);
}

bool sim_shrink(const struct sim_options *options, int64_t unit, uint64_t *mask, GError **error)
{
    struct sim_options fewer = *options;
    fewer.show = NULL;
    fewer.show_unit = -1;
    for (unsigned i = 0; sim_classes()[i].name; i++) {
        uint64_t bit = UINT64_C(1) << i;
        struct sim_count count = {.first_unit = -1};
        if (!(fewer.mask & ~fewer.dropped & bit))
            continue;
        fewer.dropped |= bit;
        bool ok = sim_replay(&fewer, unit, &count, error);
        bool still = count.violations > 0;
        sim_count_clear(&count);
        if (!ok)
            return false;
        if (!still)
            fewer.dropped &= ~bit;
    }
    *mask = fewer.mask & ~fewer.dropped;
    return true;
}

#include "proto/probe.h"

#include "station/base/error.h"

#include <string.h>

/* Wide enough for every chemistry and any charge; what lies outside was read from the wrong place. */
#define CELL_MIN_MV   500
#define CELL_MAX_MV   5000
#define SENSOR_MIN    (-40000)
#define SENSOR_MAX    125000
#define SUM_OFF_PPM   10000 /* cells and pack are measured apart */
#define SUM_OFF_MV    100
#define FLOWS_MA      3000  /* below, it may be the zero error of a board that is not calibrated */
#define RESTS_MA      10000 /* no zero error is as large */
#define SOC_WHOLE     100000
#define OUTSIDE_SHOWN 8

struct probe {
    struct board *board;
    probe_sink sink;
    void *context;
    int bad;
    GHashTable *values; /* key → struct item_value, of the image */
};

static void say(struct probe *probe, enum probe_result result, const char *what, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static void say(struct probe *probe, enum probe_result result, const char *what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    probe->bad += result == PROBE_BAD;
    probe->sink(probe->context, &(struct probe_finding){result, what, text});
}

static bool check_identity(struct probe *probe, GError **error)
{
    struct board_identity identity = {0};
    const char *wanted = probe->board->profile->product;
    if (!board_identify(probe->board, &identity, error))
        return false;
    bool same = strcmp(identity.product, wanted) == 0;
    say(probe, same ? PROBE_GOOD : PROBE_BAD, "product", "%s%s%s", identity.product,
        same ? "" : ", the profile describes ", same ? "" : wanted);
    return true;
}

static bool check_cells(struct probe *probe, const struct board_telemetry *t, GError **error)
{
    const struct profile *profile = probe->board->profile;
    const struct profile_item *item = profile_item_find(profile, profile->cells_item);
    struct item_value value = {0};
    int64_t sum = 0;
    unsigned odd = 0;
    if (item && !board_read_item(probe->board, item, &value, error))
        return false;
    if (t->cells == 0)
        say(probe, PROBE_BAD, "cell count", "the board reports no cell");
    else if (!item)
        say(probe, PROBE_OPEN, "cell count", "%u cells; no item says how many there are", t->cells);
    else
        say(probe, value.value == (int64_t)t->cells ? PROBE_GOOD : PROBE_BAD, "cell count",
            "%u cells reported, %s says %" G_GINT64_FORMAT, t->cells, item->key, value.value);
    for (unsigned i = 0; i < t->cells; i++) {
        sum += t->cell_mv[i];
        odd += t->cell_mv[i] < CELL_MIN_MV || t->cell_mv[i] > CELL_MAX_MV;
    }
    if (t->cells == 0)
        return true;
    say(probe, odd ? PROBE_BAD : PROBE_GOOD, "cell voltages", "%u of %u outside %d to %d mV", odd, t->cells,
        CELL_MIN_MV, CELL_MAX_MV);
    int64_t off = sum - t->pack_mv;
    say(probe, ABS(off) <= SUM_OFF_MV + t->pack_mv * SUM_OFF_PPM / 1000000 ? PROBE_GOOD : PROBE_BAD,
        "sum of cells", "%" G_GINT64_FORMAT " mV, pack %" G_GINT64_FORMAT " mV", sum, t->pack_mv);
    return true;
}

static void check_current(struct probe *probe, const struct board_telemetry *t, enum probe_flow flow)
{
    const char *what = "current sign";
    bool flows = ABS(t->current_ma) >= FLOWS_MA;
    bool in = t->current_ma > 0;
    if (!telemetry_tells(t, TELEMETRY_CURRENT)) {
        say(probe, PROBE_OPEN, what, "the board does not report its current");
        return;
    }
    if (flow == PROBE_FLOW_IDLE) {
        say(probe,
            ABS(t->current_ma) > RESTS_MA ? PROBE_BAD
            : flows                       ? PROBE_NOTE
                                          : PROBE_GOOD,
            "current at rest", "%" G_GINT64_FORMAT " mA", t->current_ma);
        return;
    }
    if (flow == PROBE_FLOW_UNKNOWN && flows && t->charging != t->discharging)
        flow = t->charging ? PROBE_FLOW_CHARGE : PROBE_FLOW_DISCHARGE;
    if (flow == PROBE_FLOW_UNKNOWN || (!flows && flow != PROBE_FLOW_UNKNOWN)) {
        say(probe, flow == PROBE_FLOW_UNKNOWN ? PROBE_OPEN : PROBE_BAD, what,
            "%" G_GINT64_FORMAT " mA: charge or discharge with 5 A or more and say which with --flow",
            t->current_ma);
        return;
    }
    say(probe, in == (flow == PROBE_FLOW_CHARGE) ? PROBE_GOOD : PROBE_BAD, what,
        "%" G_GINT64_FORMAT " mA while it is %s (charge_sign: %" G_GINT64_FORMAT ")", t->current_ma,
        flow == PROBE_FLOW_CHARGE ? "charged" : "discharged", probe->board->profile->charge_sign);
}

static void check_rest(struct probe *probe, const struct board_telemetry *t)
{
    unsigned there = 0, odd = 0;
    for (unsigned i = 0; i < t->sensors; i++) {
        if (t->sensor_mdeg[i] == TELEMETRY_ABSENT)
            continue;
        there++;
        odd += t->sensor_mdeg[i] < SENSOR_MIN || t->sensor_mdeg[i] > SENSOR_MAX;
    }
    say(probe,
        odd     ? PROBE_BAD
        : there ? PROBE_GOOD
                : PROBE_OPEN,
        "temperatures", "%u of %u sensors there, %u outside %d to %d °C", there, t->sensors, odd,
        SENSOR_MIN / 1000, SENSOR_MAX / 1000);
    if (!telemetry_tells(t, TELEMETRY_SOC))
        say(probe, PROBE_OPEN, "state of charge", "the board does not report it");
    else
        say(probe, t->soc_ppc >= 0 && t->soc_ppc <= SOC_WHOLE ? PROBE_GOOD : PROBE_BAD, "state of charge",
            "%" G_GINT64_FORMAT " thousandths of a percent", t->soc_ppc);
    if (t->full_mah > 0 && telemetry_tells(t, TELEMETRY_REMAINING))
        say(probe, t->remaining_mah >= 0 && t->remaining_mah <= t->full_mah ? PROBE_GOOD : PROBE_BAD,
            "capacities", "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " mAh", t->remaining_mah, t->full_mah);
}

static const struct item_value *from_image(void *context, const char *key)
{
    const struct probe *probe = context;
    return g_hash_table_lookup(probe->values, key);
}

static void rule_broken(void *context, const struct profile_rule *rule, const char *sentence)
{
    say(context, PROBE_NOTE, rule->name, "%s", sentence);
}

/* A board may hold what the profile would not write: that is worth a look, not a proof of wrong addresses.
 * Most values out of range are. */
static bool check_image(struct probe *probe, GError **error)
{
    const struct profile *profile = probe->board->profile;
    struct board_image *image = board_image_read(probe->board, error);
    if (!image)
        return false;
    probe->values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    g_autoptr(GString) outside = g_string_new(NULL);
    unsigned ranged = 0, odd = 0;
    for (guint i = 0; i < profile->items->len; i++) {
        const struct profile_item *item = g_ptr_array_index(profile->items, i);
        struct item_value value = {0};
        if (!board_image_get(image, item, &value))
            continue;
        g_hash_table_insert(probe->values, item->key, g_memdup2(&value, sizeof value));
        if (!item->has_range || value.absent)
            continue;
        ranged++;
        if (value.value >= item->min && value.value <= item->max)
            continue;
        if (odd++ < OUTSIDE_SHOWN)
            g_string_append_printf(outside, "%s%s", outside->len ? ", " : ": ", item->key);
    }
    board_image_free(image);
    say(probe,
        odd == 0           ? PROBE_GOOD
        : 2 * odd > ranged ? PROBE_BAD
                           : PROBE_NOTE,
        "parameters", "%u of %u outside their range%s%s", odd, ranged, outside->str,
        odd > OUTSIDE_SHOWN ? ", …" : "");
    profile_check_rules(profile, NULL, from_image, rule_broken, probe);
    g_hash_table_unref(probe->values);
    return true;
}

int board_probe(struct board *board, enum probe_flow flow, probe_sink sink, void *context, GError **error)
{
    struct probe probe = {.board = board, .sink = sink, .context = context};
    struct board_telemetry telemetry = {0};
    if (!check_identity(&probe, error) || !board_telemetry(board, &telemetry, error) ||
        !check_cells(&probe, &telemetry, error))
        return -1;
    check_current(&probe, &telemetry, flow);
    check_rest(&probe, &telemetry);
    return check_image(&probe, error) ? probe.bad : -1;
}

#include "proto/yd1363_readings.h"

#include <string.h>

static uint16_t u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static int16_t i16(const uint8_t *p)
{
    return (int16_t)u16(p);
}

struct flag {
    unsigned bit;
    const char *name;
};

static void name_flags(struct board_telemetry *t, uint16_t word, const struct flag *flags, uint32_t *mask,
                       unsigned shift)
{
    for (; flags->name; flags++) {
        if (!(word >> flags->bit & 1))
            continue;
        *mask |= 1u << ((flags->bit + shift) & 31);
        if (t->active[0])
            g_strlcat(t->active, ", ", sizeof t->active);
        g_strlcat(t->active, flags->name, sizeof t->active);
    }
}

static void decode_status(struct board_telemetry *t, const uint8_t *words)
{
    static const struct flag voltage_protect[] = {{0, "cell overvoltage"}, {1, "cell undervoltage"},
                                                  {2, "pack overvoltage"}, {3, "pack undervoltage"},
                                                  {14, "cell difference"}, {0, NULL}};
    static const struct flag voltage_alarm[] = {{4, "cell high"}, {5, "cell low"},        {6, "pack high"},
                                                {7, "pack low"},  {8, "difference high"}, {0, NULL}};
    static const struct flag current_protect[] = {{2, "charge overcurrent"},
                                                  {3, "short circuit"},
                                                  {4, "discharge overcurrent 1"},
                                                  {5, "discharge overcurrent 2"},
                                                  {0, NULL}};
    static const struct flag current_alarm[] = {
        {6, "charge current high"}, {7, "discharge current high"}, {0, NULL}};
    static const struct flag heat_protect[] = {
        {0, "charge overtemperature"},    {1, "charge undertemperature"},
        {2, "discharge overtemperature"}, {3, "discharge undertemperature"},
        {4, "ambient overtemperature"},   {5, "ambient undertemperature"},
        {6, "MOSFET overtemperature"},    {0, NULL}};
    static const struct flag heat_alarm[] = {
        {8, "charge hot"},   {9, "charge cold"},   {10, "discharge hot"}, {11, "discharge cold"},
        {12, "ambient hot"}, {13, "ambient cold"}, {14, "MOSFET hot"},    {0, NULL}};
    uint16_t voltage = u16(words), current = u16(words + 2), heat = u16(words + 4), fets = u16(words + 8);
    name_flags(t, voltage, voltage_protect, &t->protections, 0);
    name_flags(t, current, current_protect, &t->protections, 14);
    name_flags(t, heat, heat_protect, &t->protections, 22);
    name_flags(t, voltage, voltage_alarm, &t->alarms, 0);
    name_flags(t, current, current_alarm, &t->alarms, 8);
    name_flags(t, heat, heat_alarm, &t->alarms, 8);
    t->discharge_fet = fets & 1;
    t->charge_fet = fets >> 1 & 1;
}

static int64_t temperature_of(const uint8_t *p)
{
    return i16(p) == -400 ? TELEMETRY_ABSENT : (int64_t)i16(p) * 100;
}

bool yd1363_group(const uint8_t *p, size_t n, struct board_telemetry *t, size_t *wanted)
{
    enum { STATUS_WORDS = 11 };
    size_t at = 6;
    *wanted = at + 7;
    if (n < 6 || p[5] > BOARD_CELLS_MAX || n < at + 2u * p[5] + 7)
        return false;
    t->soc_ppc = (int64_t)u16(p + 1) * 10;
    t->pack_mv = (int64_t)u16(p + 3) * 10;
    t->cells = p[5];
    for (unsigned i = 0; i < t->cells; i++, at += 2)
        t->cell_mv[i] = u16(p + at);
    t->ambient_mdeg = temperature_of(p + at);
    t->mos_mdeg = temperature_of(p + at + 4);
    t->sensors = p[at + 6];
    at += 7;
    *wanted = at + 2u * t->sensors + 13 + 2 * STATUS_WORDS;
    if (t->sensors > BOARD_SENSORS_MAX || n < *wanted)
        return false;
    for (unsigned i = 0; i < t->sensors; i++, at += 2)
        t->sensor_mdeg[i] = temperature_of(p + at);
    t->current_ma = (int64_t)i16(p + at) * 10;
    t->soh_ppc = (int64_t)u16(p + at + 4) * 1000;
    t->full_mah = (int64_t)u16(p + at + 7) * 10;
    t->remaining_mah = (int64_t)u16(p + at + 9) * 10;
    t->cycles = u16(p + at + 11);
    at += 13;
    decode_status(t, p + at);
    /* Machine and IO status follow the words of the upper cells; older builds end before them. */
    if (n >= at + 33) {
        t->charging = p[at + 30] >> 4 & 1;
        t->discharging = p[at + 30] >> 3 & 1;
        t->antitheft_locked = p[at + 32] >> 5 & 1;
    }
    return true;
}

#define ZERO_KELVIN 2730 /* tenths, of 0 °C */
#define ABSENT_MDEG (-40000)

/* Whole degrees from -40 °C, or tenths of a kelvin; 0, all ones and -40 °C are sensors that are not there. */
static int64_t pack_temperature(const struct yd1363_pack *how, const uint8_t *p)
{
    bool kelvin = how->layout == PACK_LAYOUT_KELVIN;
    int64_t mdeg = kelvin ? ((int64_t)u16(p) - ZERO_KELVIN) * 100 : ((int64_t)u16(p) - 40) * 1000;
    return u16(p) == 0 || u16(p) == 0xffff || mdeg == ABSENT_MDEG ? TELEMETRY_ABSENT : mdeg;
}

static void take_temperatures(const struct yd1363_pack *how, const uint8_t *p, unsigned n,
                              struct board_telemetry *t)
{
    bool split = how->last_sensors != LAST_SENSORS_CELLS && n >= 2;
    unsigned mos = how->last_sensors == LAST_SENSORS_AMBIENT_MOS ? n - 1 : n - 2;
    t->sensors = split ? n - 2 : n;
    for (unsigned i = 0; i < t->sensors; i++)
        t->sensor_mdeg[i] = pack_temperature(how, p + (size_t)2 * i);
    t->mos_mdeg = split ? pack_temperature(how, p + (size_t)2 * mos) : TELEMETRY_ABSENT;
    t->ambient_mdeg = split ? pack_temperature(how, p + (size_t)2 * (2 * n - 3 - mos)) : TELEMETRY_ABSENT;
}

/* Lengths of a pack's answer: the numbers in it must add up to its end. */
struct shape {
    unsigned cells, temperatures;
    size_t after; /* offset behind cells and temperatures */
};

static const char *shape_of(const struct yd1363_pack *how, const uint8_t *p, size_t n, size_t at,
                            unsigned width, struct shape *shape)
{
    if (n < at + 2)
        return "the answer is too short";
    if (p[at] != how->pack)
        return "the answer is for another pack";
    shape->cells = p[at + 1];
    if (shape->cells == 0 || shape->cells > BOARD_CELLS_MAX)
        return "a number of cells that no board has";
    at += 2 + (size_t)width * shape->cells;
    if (n <= at)
        return "the answer ends within its cells";
    shape->temperatures = p[at++];
    if (shape->temperatures > BOARD_SENSORS_MAX)
        return "a number of temperatures that no board has";
    shape->after = at + (size_t)width * shape->temperatures;
    return n < shape->after ? "the answer ends within its temperatures" : NULL;
}

/* Full, cycles, and SOC with SOH or the design capacity are there in every answer seen; how many values
 * follow them differs, and some are one byte. */
#define ANALOG_FIXED  7
#define ANALOG_LEAST  6
#define ANALOG_SPARED 2 /* more bytes than announced that boards of the kelvin layout send */

static int64_t share_ppc(int64_t part, int64_t whole)
{
    return whole > 0 ? MIN(part * 100000 / whole, 100000) : 0;
}

static void take_capacities(const struct yd1363_pack *how, const uint8_t *v, struct board_telemetry *t)
{
    t->remaining_mah = (int64_t)u16(v) * 10;
    t->full_mah = (int64_t)u16(v + 3) * 10;
    t->cycles = u16(v + 5);
    if (how->layout == PACK_LAYOUT_KELVIN) {
        t->soc_ppc = share_ppc(t->remaining_mah, t->full_mah);
        t->soh_ppc = share_ppc(t->full_mah, (int64_t)u16(v + 7) * 10);
    } else {
        t->soc_ppc = (int64_t)v[7] * 1000;
        t->soh_ppc = (int64_t)v[8] * 1000;
    }
}

static const char *analog_at(const struct yd1363_pack *how, const uint8_t *p, size_t n, size_t at,
                             struct board_telemetry *t)
{
    struct shape shape;
    const char *wrong = shape_of(how, p, n, at, 2, &shape);
    if (wrong)
        return wrong;
    size_t behind = shape.after + ANALOG_FIXED;
    if (n < behind + ANALOG_LEAST)
        return "the answer is too short";
    bool kelvin = how->layout == PACK_LAYOUT_KELVIN;
    if (n - behind > (size_t)2 * p[behind - 1] + (kelvin ? ANALOG_SPARED : 0))
        return "the answer is longer than the values it announces";
    const uint8_t *v = p + shape.after;
    t->cells = shape.cells;
    for (unsigned i = 0; i < t->cells; i++)
        t->cell_mv[i] = u16(p + at + 2 + (size_t)2 * i);
    take_temperatures(how, p + shape.after - (size_t)2 * shape.temperatures, shape.temperatures, t);
    t->current_ma = (int64_t)i16(v) * 10;
    t->pack_mv = (int64_t)u16(v + 2) * (kelvin ? 1 : 10);
    take_capacities(how, v + 4, t);
    return NULL;
}

typedef const char *(*reader)(const struct yd1363_pack *how, const uint8_t *p, size_t n, size_t at,
                              struct board_telemetry *t);

/* With and without the flag byte, as the profile says; when both fit nobody knows which is meant. */
static const char *either(reader read, const struct yd1363_pack *how, const uint8_t *p, size_t n,
                          struct board_telemetry *t)
{
    struct board_telemetry plain = *t, flagged = *t;
    if (how->info_flag != INFO_FLAG_EITHER)
        return read(how, p, n, how->info_flag == INFO_FLAG_PRESENT, t);
    const char *wrong = read(how, p, n, 0, &plain), *second = read(how, p, n, 1, &flagged);
    if (!wrong && !second)
        return "the answer makes sense with a flag byte and without: say which under frame.info_flag";
    *t = wrong ? flagged : plain;
    return wrong && second ? wrong : NULL;
}

const char *yd1363_pack_analog(const struct yd1363_pack *how, const uint8_t *p, size_t n,
                               struct board_telemetry *t)
{
    return either(analog_at, how, p, n, t);
}

/* Bits of the state bytes, counted from 1 as the documents do. */
struct state {
    unsigned byte, bit;
    const char *name;
};
static const struct state alarm_states[] = {{1, 0, "cell high"},
                                            {1, 1, "cell low"},
                                            {1, 2, "pack high"},
                                            {1, 3, "pack low"},
                                            {1, 4, "charge current high"},
                                            {1, 5, "discharge current high"},
                                            {1, 6, "difference high"},
                                            {3, 0, "charge hot"},
                                            {3, 1, "charge cold"},
                                            {3, 2, "discharge hot"},
                                            {3, 3, "discharge cold"},
                                            {3, 4, "ambient hot"},
                                            {3, 5, "ambient cold"},
                                            {3, 6, "MOSFET hot"},
                                            {3, 7, "MOSFET cold"},
                                            {5, 0, "reverse polarity"},
                                            {5, 1, "SOC low"},
                                            {5, 2, "charge FET warning"},
                                            {5, 3, "discharge FET warning"},
                                            {5, 4, "battery hot"},
                                            {5, 5, "battery cold"}};
static const struct state protection_states[] = {
    {2, 0, "cell overvoltage"},          {2, 1, "cell undervoltage"},
    {2, 2, "pack overvoltage"},          {2, 3, "pack undervoltage"},
    {2, 4, "charge overcurrent"},        {2, 5, "discharge overcurrent 1"},
    {2, 6, "discharge overcurrent 2"},   {2, 7, "short circuit"},
    {4, 0, "charge overtemperature"},    {4, 1, "charge undertemperature"},
    {4, 2, "discharge overtemperature"}, {4, 3, "discharge undertemperature"},
    {4, 4, "ambient overtemperature"},   {4, 5, "ambient undertemperature"},
    {4, 6, "MOSFET overtemperature"},    {4, 7, "MOSFET undertemperature"},
    {1, 7, "cell difference"},           {14, 0, "discharge FET fault"},
    {14, 1, "charge FET fault"},         {14, 2, "front-end chip fault"},
    {14, 3, "clock chip fault"},         {14, 4, "data storage fault"},
    {14, 5, "parameter storage fault"},  {14, 6, "high voltage"},
    {14, 7, "pre-charge FET fault"},     {15, 0, "insulation of P+"},
    {15, 1, "insulation of P-"},         {15, 2, "battery failure"},
    {15, 3, "temperature fault"}};
#define STATES_MAX   15
#define STATES_LEAST 7 /* behind them come self-test and cell failures, which older builds leave out */
#define CELL_FIRST   8 /* state bytes with a failure bit for each cell */
#define CELL_LAST    13
#define BIT_OTHER    31
#define OTHER_ERROR  0xf0

static void add_name(struct board_telemetry *t, const char *name)
{
    if (t->active[0])
        g_strlcat(t->active, ", ", sizeof t->active);
    g_strlcat(t->active, name, sizeof t->active);
}

static void name_states(struct board_telemetry *t, uint32_t *mask, const uint8_t *states,
                        const struct state *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(states[table[i].byte - 1] >> table[i].bit & 1))
            continue;
        *mask |= UINT32_C(1) << i;
        add_name(t, table[i].name);
    }
}

/* A byte for each cell, each temperature, current and voltage: 1 below, 2 above its limit, F0H in error. */
static void name_limits(struct board_telemetry *t, const uint8_t *p, size_t n)
{
    bool outside = false, error = false;
    for (size_t i = 0; i < n; i++) {
        error |= p[i] == OTHER_ERROR;
        outside |= p[i] != 0 && p[i] != OTHER_ERROR;
    }
    t->alarms |= outside ? UINT32_C(1) << BIT_OTHER : 0;
    t->protections |= error ? UINT32_C(1) << BIT_OTHER : 0;
    if (outside && t->active[0] == '\0')
        add_name(t, "a reading outside its limits");
    if (error)
        add_name(t, "a reading in error");
}

/* The document says 10 state bytes and lists 15; boards send 15. */
static size_t count_states(unsigned announced, size_t there)
{
    return announced == 10 && there >= STATES_MAX ? STATES_MAX : MIN(announced, STATES_MAX);
}

static const char *states_at(const struct yd1363_pack *how, const uint8_t *p, size_t n, size_t at,
                             struct board_telemetry *t)
{
    enum { CURRENT_VOLTAGE = 2, SHORT_CIRCUITS = 2, RESERVE = 2 };
    struct shape shape;
    uint8_t states[STATES_MAX] = {0};
    const char *wrong = shape_of(how, p, n, at, 1, &shape);
    if (wrong)
        return wrong;
    size_t first = shape.after + CURRENT_VOLTAGE + SHORT_CIRCUITS + 1;
    if (n < first)
        return "the answer is too short";
    size_t count = count_states(p[first - 1], n - first);
    if (count < STATES_LEAST || n - first < count || n - first > count + RESERVE)
        return "the number of states does not fit the length of the answer";
    if (shape.cells != t->cells)
        return "the states are of another number of cells than the voltages";
    memcpy(states, p + first, count);
    name_states(t, &t->protections, states, protection_states, G_N_ELEMENTS(protection_states));
    name_states(t, &t->alarms, states, alarm_states, G_N_ELEMENTS(alarm_states));
    for (unsigned i = CELL_FIRST; i <= CELL_LAST; i++)
        if (states[i - 1] && !(t->protections >> (BIT_OTHER - 1) & 1)) {
            t->protections |= UINT32_C(1) << (BIT_OTHER - 1);
            add_name(t, "cell failure");
        }
    name_limits(t, p + at + 2, shape.cells);
    name_limits(t, p + shape.after - shape.temperatures, shape.temperatures + CURRENT_VOLTAGE);
    t->discharge_fet = states[5] & 1;
    t->charge_fet = states[5] >> 1 & 1;
    t->charging = states[4] >> 6 & 1;
    t->discharging = states[4] >> 7 & 1;
    return NULL;
}

static const struct state kelvin_alarms[] = {{8, 0, "cell high"},           {8, 1, "cell low"},
                                             {8, 2, "pack high"},           {8, 3, "pack low"},
                                             {8, 4, "charge current high"}, {8, 5, "discharge current high"},
                                             {9, 0, "charge hot"},          {9, 1, "discharge hot"},
                                             {9, 2, "charge cold"},         {9, 3, "discharge cold"},
                                             {9, 4, "ambient hot"},         {9, 5, "ambient cold"},
                                             {9, 6, "MOSFET hot"},          {9, 7, "SOC low"},
                                             {3, 4, "reverse polarity"}};
static const struct state kelvin_protections[] = {{1, 0, "cell overvoltage"},
                                                  {1, 1, "cell undervoltage"},
                                                  {1, 2, "pack overvoltage"},
                                                  {1, 3, "pack undervoltage"},
                                                  {1, 4, "charge overcurrent"},
                                                  {1, 5, "discharge overcurrent"},
                                                  {1, 6, "short circuit"},
                                                  {2, 0, "charge overtemperature"},
                                                  {2, 1, "discharge overtemperature"},
                                                  {2, 2, "charge undertemperature"},
                                                  {2, 3, "discharge undertemperature"},
                                                  {2, 4, "MOSFET overtemperature"},
                                                  {2, 5, "ambient overtemperature"},
                                                  {2, 6, "ambient undertemperature"},
                                                  {5, 0, "charge FET fault"},
                                                  {5, 1, "discharge FET fault"},
                                                  {5, 2, "temperature sensor fault"},
                                                  {5, 4, "cell fault"},
                                                  {5, 5, "sampling fault"}};

static const char *kelvin_states_at(const struct yd1363_pack *how, const uint8_t *p, size_t n, size_t at,
                                    struct board_telemetry *t)
{
    enum { LIMITS = 3, STATES = 9, RESERVE = 2 };
    struct shape shape;
    const char *wrong = shape_of(how, p, n, at, 1, &shape);
    if (wrong)
        return wrong;
    size_t first = shape.after + LIMITS;
    if (n < first + STATES || n > first + STATES + RESERVE)
        return "the length of the answer does not fit nine states";
    if (shape.cells != t->cells)
        return "the states are of another number of cells than the voltages";
    name_states(t, &t->protections, p + first, kelvin_protections, G_N_ELEMENTS(kelvin_protections));
    name_states(t, &t->alarms, p + first, kelvin_alarms, G_N_ELEMENTS(kelvin_alarms));
    name_limits(t, p + at + 2, shape.cells);
    name_limits(t, p + shape.after - shape.temperatures, shape.temperatures + LIMITS);
    t->charge_fet = p[first + 2] >> 1 & 1;
    t->discharge_fet = p[first + 2] >> 2 & 1;
    t->charging = t->current_ma > 0;
    t->discharging = t->current_ma < 0;
    return NULL;
}

const char *yd1363_pack_states(const struct yd1363_pack *how, const uint8_t *p, size_t n,
                               struct board_telemetry *t)
{
    return either(how->layout == PACK_LAYOUT_KELVIN ? kelvin_states_at : states_at, how, p, n, t);
}

void yd1363_record(const uint8_t *p, struct board_record *record)
{
    static const struct {
        uint16_t code;
        const char *what;
    } codes[] = {{1, "timing"}, {2, "start"}, {3, "exit"}, {0x10, "protection"}};
    g_autoptr(GDateTime) utc = g_date_time_new_utc(2000 + p[4], p[5], p[6], p[7], p[8], p[9]);
    uint16_t code = u16(p + 10);
    record->id = (uint32_t)u16(p) << 16 | u16(p + 2);
    record->wall_us = utc ? g_date_time_to_unix(utc) * 1000000 : 0;
    g_snprintf(record->what, sizeof record->what, "code %u", code);
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++)
        if (codes[i].code == code)
            g_strlcpy(record->what, codes[i].what, sizeof record->what);
    record->cells = p[12];
    record->pack_mv = (int64_t)u16(p + 13) * 10;
    record->current_ma = (int64_t)i16(p + 15) * 10;
    record->soc_ppc = (int64_t)p[17] * 1000;
    record->cell_max_mv = u16(p + 18);
    record->cell_min_mv = u16(p + 20);
    record->temperature_max_mdeg = (int64_t)i16(p + 22) * 100;
}

/* A pack alone on its line may have address 0; packs are numbered from 1. */
struct yd1363_pack yd1363_pack_of(const struct board *board)
{
    const struct profile_frame *frame = &board->profile->frame;
    return (struct yd1363_pack){.pack = (uint8_t)MAX(board->address, 1),
                                .layout = frame->pack_layout,
                                .info_flag = frame->info_flag,
                                .last_sensors = frame->last_sensors};
}

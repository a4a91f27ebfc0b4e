/* Readings by published answers, and by answers made from the published layout: whole, tolerant where the
 * documents and boards differ, never a guess. */
#include "proto/yd1363.h"
#include "proto/yd1363_readings.h"

#include <string.h>

static const struct yd1363_pack published = {1, INFO_FLAG_EITHER, LAST_SENSORS_AMBIENT_MOS};

static void decode(const char *text, struct yd1363_frame *frame)
{
    struct yd1363_decoder decoder;
    enum yd1363_state state = YD1363_MORE;
    yd1363_reset(&decoder);
    for (const char *p = text; *p; p++)
        state = yd1363_decode(&decoder, (uint8_t)*p, frame);
    g_assert_cmpint(state, ==, YD1363_FRAME);
}

/* kekemar/TopBMS_To_Domoticz README.md @f74f610: VER 52H, no flag byte, six values behind the user count. */
static void test_capture(void)
{
    struct yd1363_frame frame;
    struct board_telemetry t = {0};
    decode(
        "~52014600408401100D120D150D0F0D0D0D130D160D150D210D130D130D130D130D100D160D170D2306003D003E003E003E"
        "003B003B018014EE33B3063A9800025864000000000000E20A\r",
        &frame);
    g_assert_cmpuint(frame.version, ==, 0x52);
    g_assert_null(yd1363_pack_analog(&published, frame.info, frame.n, &t));
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_cmpint(t.cell_mv[0], ==, 3346);
    g_assert_cmpint(t.cell_mv[15], ==, 3363);
    g_assert_cmpuint(t.sensors, ==, 4);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 21000);
    g_assert_cmpint(t.ambient_mdeg, ==, 19000);
    g_assert_cmpint(t.mos_mdeg, ==, 19000);
    g_assert_cmpint(t.current_ma, ==, 3840);
    g_assert_cmpint(t.pack_mv, ==, 53580);
    g_assert_cmpint(t.remaining_mah, ==, 132350);
    g_assert_cmpint(t.full_mah, ==, 150000);
    g_assert_cmpint(t.cycles, ==, 2);
    g_assert_cmpint(t.soc_ppc, ==, 88000);
    g_assert_cmpint(t.soh_ppc, ==, 100000);
    int64_t sum = 0;
    for (unsigned i = 0; i < t.cells; i++)
        sum += t.cell_mv[i];
    g_assert_cmpint(ABS(sum - t.pack_mv), <, 100); /* the decoded frame agrees with itself */
}

/* A second board's answer, quoted by a public serial tool's self-test (BmsSerialDemo): 51.85 V, SOC 48 %, 20
 * °C. */
static void test_second_capture(void)
{
    struct yd1363_frame frame;
    struct board_telemetry t = {0};
    decode(
        "~52014600408401100CB90CBD0CBA0B210CB60C8C0CAC0CBF0CD70C9F0CE10CE00CE10CDF0CE10CB706003C003C003C003C"
        "003C003C0000144112C006271000003064000000000000E12C\r",
        &frame);
    g_assert_null(yd1363_pack_analog(&published, frame.info, frame.n, &t));
    g_assert_cmpint(t.cell_mv[0], ==, 3257);
    g_assert_cmpint(t.pack_mv, ==, 51850);
    g_assert_cmpint(t.current_ma, ==, 0);
    g_assert_cmpint(t.soc_ppc, ==, 48000);
    g_assert_cmpint(t.sensor_mdeg[0], ==, 20000);
}

struct answer {
    uint8_t bytes[YD1363_INFO_MAX];
    size_t n;
};

static void put(struct answer *a, unsigned value, unsigned width)
{
    while (width--)
        a->bytes[a->n++] = (uint8_t)(value >> 8 * width);
}

/* As the document lays it out; `values` is the user count, of which the last is one byte when `odd`. */
static void analog(struct answer *a, bool flag, unsigned cells, unsigned sensors, unsigned values, bool odd)
{
    a->n = 0;
    if (flag)
        put(a, 0, 1);
    put(a, 1, 1);
    put(a, cells, 1);
    for (unsigned i = 0; i < cells; i++)
        put(a, 3000 + i, 2);
    put(a, sensors, 1);
    for (unsigned i = 0; i < sensors; i++)
        put(a, 60 + i, 2);
    put(a, 0x10000 - 12, 2);
    put(a, 5200, 2);
    put(a, 1000, 2);
    put(a, values, 1);
    put(a, 2000, 2);
    put(a, 7, 2);
    put(a, 50, 1);
    put(a, 99, 1);
    for (unsigned i = 3; i < values; i++)
        put(a, 0, odd && i + 1 == values ? 1 : 2);
}

/* With and without the flag byte, with the document's five values and the boards' six, up to 176 cells and 33
 * temperatures. */
static void test_layouts(void)
{
    static const unsigned cells[] = {1, 8, 16, 24, 176}, sensors[] = {0, 1, 2, 6, 33},
                          values[] = {3, 5, 6, 16};
    struct answer a;
    for (unsigned c = 0; c < G_N_ELEMENTS(cells); c++)
        for (unsigned s = 0; s < G_N_ELEMENTS(sensors); s++)
            for (unsigned v = 0; v < 2 * G_N_ELEMENTS(values); v++)
                for (unsigned flag = 0; flag < 2; flag++) {
                    struct board_telemetry t = {0};
                    struct yd1363_pack how = {1, flag ? INFO_FLAG_PRESENT : INFO_FLAG_ABSENT,
                                              LAST_SENSORS_CELLS};
                    analog(&a, flag, cells[c], sensors[s], values[v / 2], v & 1 && values[v / 2] > 3);
                    g_assert_cmpuint(a.n, <=, YD1363_INFO_MAX);
                    g_assert_null(yd1363_pack_analog(&how, a.bytes, a.n, &t));
                    g_assert_cmpuint(t.cells, ==, cells[c]);
                    g_assert_cmpuint(t.sensors, ==, sensors[s]);
                    g_assert_cmpint(t.cell_mv[cells[c] - 1], ==, 3000 + (int)cells[c] - 1);
                    if (sensors[s])
                        g_assert_cmpint(t.sensor_mdeg[sensors[s] - 1], ==, 19000 + (int)sensors[s] * 1000);
                    g_assert_cmpint(t.current_ma, ==, -120);
                    g_assert_cmpint(t.soh_ppc, ==, 99000);
                    /* Either finds the same, or says that it cannot tell. */
                    struct board_telemetry again = {0};
                    how.info_flag = INFO_FLAG_EITHER;
                    const char *wrong = yd1363_pack_analog(&how, a.bytes, a.n, &again);
                    if (!wrong)
                        g_assert_cmpint(again.pack_mv, ==, 52000);
                    else
                        g_assert_nonnull(strstr(wrong, "info_flag"));
                }
}

/* A cut answer is refused wherever it is cut; one for another pack, or one too long, is refused too. */
static void test_refused(void)
{
    struct answer a;
    struct board_telemetry t = {0};
    const struct yd1363_pack how = {1, INFO_FLAG_ABSENT, LAST_SENSORS_CELLS};
    analog(&a, false, 16, 6, 6, false);
    const size_t optional = 6; /* what follows SOH may be missing */
    for (size_t n = 0; n < a.n - optional; n++)
        g_assert_nonnull(yd1363_pack_analog(&how, a.bytes, n, &t));
    put(&a, 0, 1);
    g_assert_nonnull(yd1363_pack_analog(&how, a.bytes, a.n, &t));
    a.n--;
    a.bytes[0] = 2;
    g_assert_nonnull(yd1363_pack_analog(&how, a.bytes, a.n, &t));
    a.bytes[0] = 1;
    for (unsigned cells = 177; cells < 256; cells++) {
        a.bytes[1] = (uint8_t)cells;
        g_assert_nonnull(yd1363_pack_analog(&how, a.bytes, a.n, &t));
    }
}

/* No temperature is -40 °C, and all ones are none either. */
static void test_absent_sensors(void)
{
    struct answer a;
    struct board_telemetry t = {0};
    analog(&a, false, 2, 6, 5, true);
    memset(a.bytes + 7, 0, 2);
    memset(a.bytes + 7 + 2 * 5, 0xff, 2);
    g_assert_null(yd1363_pack_analog(&published, a.bytes, a.n, &t));
    g_assert_true(t.sensor_mdeg[0] == TELEMETRY_ABSENT);
    g_assert_cmpint(t.sensor_mdeg[1], ==, 21000);
    g_assert_true(t.mos_mdeg == TELEMETRY_ABSENT);
    g_assert_cmpint(t.ambient_mdeg, ==, 24000);
}

static void states(struct answer *a, unsigned cells, unsigned announced, unsigned there, unsigned reserve)
{
    a->n = 0;
    put(a, 1, 1);
    put(a, cells, 1);
    for (unsigned i = 0; i < cells; i++)
        put(a, 0, 1);
    put(a, 6, 1);
    for (unsigned i = 0; i < 6; i++)
        put(a, 0, 1);
    put(a, 0, 2); /* current, voltage */
    put(a, 0, 2);
    put(a, announced, 1);
    for (unsigned i = 1; i <= there; i++)
        put(a, i == 6 ? 0x03 : 0, 1);
    for (unsigned i = 0; i < reserve; i++)
        put(a, 0, 1);
}

/* The document announces 10 and lists 15; boards announce 15; the reserve is none to two bytes. */
static void test_states(void)
{
    struct answer a;
    static const unsigned counts[][2] = {{10, 15}, {15, 15}, {10, 10}, {7, 7}};
    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++)
        for (unsigned reserve = 0; reserve <= 2; reserve++) {
            struct board_telemetry t = {.cells = 16};
            states(&a, 16, counts[i][0], counts[i][1], reserve);
            g_assert_cmpstr(yd1363_pack_states(&published, a.bytes, a.n, &t), ==, NULL);
            g_assert_true(t.charge_fet && t.discharge_fet);
            g_assert_cmpuint(t.protections | t.alarms, ==, 0);
            t.cells = 15;
            g_assert_nonnull(yd1363_pack_states(&published, a.bytes, a.n, &t));
            t.cells = 16;
            g_assert_nonnull(yd1363_pack_states(&published, a.bytes, a.n - reserve - 1, &t));
        }
}

static void test_every_state(void)
{
    struct answer a;
    const size_t first = 2 + 16 + 1 + 6 + 2 + 2 + 1;
    for (unsigned byte = 1; byte <= 15; byte++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct board_telemetry t = {.cells = 16};
            states(&a, 16, 15, 15, 1);
            a.bytes[first + 5] = 0;
            a.bytes[first + byte - 1] = (uint8_t)(1u << bit);
            g_assert_null(yd1363_pack_states(&published, a.bytes, a.n, &t));
            bool alarm = (byte == 1 && bit < 7) || byte == 3 || (byte == 5 && bit < 6);
            bool protection = (byte == 1 && bit == 7) || byte == 2 || byte == 4 ||
                              (byte >= 8 && byte <= 14) || (byte == 15 && bit < 4);
            g_assert_cmpint(t.alarms != 0, ==, alarm);
            g_assert_cmpint(t.protections != 0, ==, protection);
            g_assert_cmpint(t.active[0] != '\0', ==, alarm || protection);
            g_assert_cmpint(t.charging, ==, byte == 5 && bit == 6);
            g_assert_cmpint(t.discharging, ==, byte == 5 && bit == 7);
            g_assert_cmpint(t.discharge_fet, ==, byte == 6 && bit == 0);
            g_assert_cmpint(t.charge_fet, ==, byte == 6 && bit == 1);
        }
}

/* Of the bytes for each cell, temperature, current and voltage. */
static void test_limits(void)
{
    struct answer a;
    static const size_t places[] = {2, 17, 19, 24, 25, 26};
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        struct board_telemetry t = {.cells = 16};
        states(&a, 16, 15, 15, 1);
        a.bytes[places[i]] = 0x02;
        g_assert_null(yd1363_pack_states(&published, a.bytes, a.n, &t));
        g_assert_cmpuint(t.alarms, ==, UINT32_C(1) << 31);
        g_assert_cmpuint(t.protections, ==, 0);
        a.bytes[places[i]] = 0xf0;
        g_assert_null(yd1363_pack_states(&published, a.bytes, a.n, &t));
        g_assert_cmpuint(t.protections, ==, UINT32_C(1) << 31);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/readings/capture", test_capture);
    g_test_add_func("/readings/second-capture", test_second_capture);
    g_test_add_func("/readings/layouts", test_layouts);
    g_test_add_func("/readings/refused", test_refused);
    g_test_add_func("/readings/absent-sensors", test_absent_sensors);
    g_test_add_func("/readings/states", test_states);
    g_test_add_func("/readings/every-state", test_every_state);
    g_test_add_func("/readings/limits", test_limits);
    return g_test_run();
}

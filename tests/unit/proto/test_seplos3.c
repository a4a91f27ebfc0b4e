/* The seplos3 profile: published captures read through it, and the profile against the virtual board.
 *
 * The captures are those of github.com/syssi/esphome-seplos-bms, docs/pdus/v3, of two boards:
 * SG16S200A-SP57B-A-all-frames.txt and SP05B2312190075-*.txt; in the latter a line feed stands as 5CH, so
 * that 0AH is put back here, with which their checks are right. */
#include "far.h"

#include "proto/board.h"
#include "proto/modbus.h"
#include "station/base/error.h"

#define SG                                                                                                   \
    "01.04.22.14.CD.FF.77.6B.40.80.E8.01.22.03.40.03.E7.00.0A.0C.FF.0B.7F.0D.00.0C.FF.0B.81.0B.7E.00.00."    \
    "00.B4.00.B4.D3.2E"

struct fixture {
    struct far far;
    struct profile *profile;
    struct board *board;
};

static struct profile *load_profile(void)
{
    g_autofree char *text = NULL;
    gsize n;
    g_assert_true(g_file_get_contents(SOURCE_DIR "/recipes/boards/seplos3.yaml", &text, &n, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new(text, n);
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    struct profile *profile = profile_load("p", bytes, report);
    g_assert_nonnull(profile);
    return profile;
}

static size_t unhex(const char *text, uint8_t *bytes)
{
    size_t n = 0;
    for (const char *p = text; *p; p++)
        if (g_ascii_isxdigit(p[0]) && g_ascii_isxdigit(p[1])) {
            bytes[n++] = (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
            p++;
        }
    return n;
}

/* The captured request is what we send, and the captured answer gives these bytes. */
static size_t exchange(const char *asked, const char *answered, uint8_t *data)
{
    uint8_t sent[MODBUS_FRAME_MAX], ours[MODBUS_FRAME_MAX], bytes[MODBUS_FRAME_MAX];
    const size_t n = unhex(asked, sent), m = unhex(answered, bytes);
    g_assert_cmpuint(n, ==, 8);
    const struct modbus_request request = {.unit = sent[0],
                                           .function = sent[1],
                                           .address = (uint16_t)(sent[2] << 8 | sent[3]),
                                           .count = (uint16_t)(sent[4] << 8 | sent[5])};
    struct modbus_decoder decoder = {0};
    struct modbus_answer answer = {0};
    g_assert_cmpmem(ours, modbus_encode(MODBUS_RTU, 0, &request, ours), sent, n);
    modbus_expect(&decoder, MODBUS_RTU, 0, &request);
    for (size_t i = 0; i < m; i++)
        g_assert_cmpint(modbus_decode(&decoder, bytes[i], &answer), ==,
                        i + 1 == m ? MODBUS_ANSWER : MODBUS_MORE);
    g_assert_cmpuint(answer.exception, ==, 0);
    memcpy(data, answer.data, answer.n);
    return answer.n;
}

static struct item_value decoded(const struct profile *profile, const char *key, unsigned element,
                                 const uint8_t *data)
{
    const struct profile_item *item = profile_item_find(profile, key);
    struct item_value value;
    g_assert_nonnull(item);
    profile_value_decode(item, data + item->offset + element * item->width, &value);
    return value;
}

static void shows(const struct profile *profile, const char *key, const uint8_t *data, const char *wanted)
{
    const struct item_value value = decoded(profile, key, 0, data);
    g_autofree char *text = profile_value_format(&value);
    if (strcmp(text, wanted) != 0)
        g_error("%s is %s, not %s", key, text, wanted);
}

static void test_capture_pack(void)
{
    struct profile *p = load_profile();
    uint8_t data[MODBUS_DATA_MAX];
    int64_t sum = 0;
    g_assert_cmpuint(exchange("01.04.10.00.00.11.34.C6", SG, data), ==, 34);
    shows(p, "live.pack_voltage", data, "53.25 V");
    shows(p, "live.current", data, "-1.37 A");
    shows(p, "live.remaining", data, "274.56 Ah");
    shows(p, "live.full", data, "330 Ah");
    shows(p, "live.discharged", data, "2900 Ah");
    shows(p, "live.soc", data, "83.2 %");
    shows(p, "live.soh", data, "99.9 %");
    shows(p, "live.cycles", data, "10");
    shows(p, "live.cell_mean", data, "3.327 V");
    shows(p, "live.cell_max", data, "3.328 V");
    shows(p, "live.cell_min", data, "3.327 V");
    shows(p, "live.heat_mean", data, "21.2 °C");
    shows(p, "live.heat_max", data, "21.4 °C");
    shows(p, "live.heat_min", data, "21.1 °C");
    shows(p, "live.charge_max", data, "180 A");

    exchange(
        "01.04.11.00.00.1A.74.FD",
        "01.04.34.0C.FF.0C.FF.0D.00.0D.00.0D.00.0C.FF.0D.00.0C.FF.0D.00.0D.00.0D.00.0D.00.0D.00.0C.FF.0C.FF."
        "0D.00.0B.82.0B.7F.0B.81.0B.7E.0A.AB.0A.AB.0A.AB.0A.AB.0B.8C.0B.7F.01.13",
        data);
    for (unsigned i = 0; i < 16; i++)
        sum += decoded(p, "live.cells", i, data).value;
    g_assert_cmpint(ABS(sum - 53250), <=, 20);
    g_assert_cmpint(decoded(p, "live.sensors", 0, data).value, ==, 21500);
    g_assert_cmpint(decoded(p, "live.sensors", 3, data).value, ==, 21100);
    shows(p, "live.ambient", data, "22.5 °C");
    shows(p, "live.mos", data, "21.2 °C");
    profile_free(p);
}

static void test_capture_names(void)
{
    struct profile *p = load_profile();
    uint8_t data[MODBUS_DATA_MAX];
    exchange(
        "00.04.17.00.00.33.B4.7A",
        "00.04.66.58.5A.48.2D.45.6C.65.63.54.65.63.68.20.43.6F.2E.2C.4C.74.64.53.47.31.36.53.32.30.30.41.2D."
        "53.50.35.37.42.2D.41.00.00.00.31.35.53.50.35.37.42.2D.41.32.35.30.36.31.32.30.30.32.32.00.00.00.00."
        "00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00.00."
        "00.00.00.00.00.00.63.4B",
        data);
    shows(p, "identity.factory", data, "XZH-ElecTech Co.,Ltd");
    shows(p, "identity.device", data, "SG16S200A-SP57B-A");
    shows(p, "identity.firmware", data, "15");
    shows(p, "identity.bms_sn", data, "SP57B-A2506120022");
    shows(p, "identity.pack_sn", data, "(not set)");
    exchange(
        "00.04.18.00.00.24.F7.60",
        "00.04.48.00.00.01.F4.53.55.4E.2D.33.2E.36.4B.2D.53.47.30.33.50.31.2D.45.55.00.00.00.00.00.00.00.00."
        "00.00.00.00.00.00.50.79.6C.6F.6E.20.43.41.4E.20.50.72.6F.74.6F.63.6F.6C.00.00.00.00.00.00.00.00.00."
        "00.00.00.00.00.32.30.00.00.41.29",
        data);
    shows(p, "inverter.protocol", data, "0");
    shows(p, "inverter.baud", data, "500");
    shows(p, "inverter.name", data, "SUN-3.6K-SG03P1-EU");
    shows(p, "inverter.protocol_name", data, "Pylon CAN Protocol");
    shows(p, "inverter.protocol_version", data, "20");
    profile_free(p);
}

/* All values of the named set are the captured ones, one by one. */
static void compare_set(const struct profile *profile, const char *name, const uint8_t *data, unsigned least)
{
    const struct profile_set *set = profile_set_find(profile, name);
    GError *error = NULL;
    unsigned n = 0;
    for (guint i = 0; i < set->values->len; i++, n++) {
        const struct bind_pair *pair = g_ptr_array_index(set->values, i);
        const struct profile_item *item = profile_item_find(profile, pair->key);
        struct item_value wanted;
        if (!profile_value_parse(item, pair->value, &wanted, &error))
            g_error("%s: %s", pair->key, error->message);
        const struct item_value found = decoded(profile, pair->key, 0, data);
        if (found.raw != wanted.raw)
            g_error("%s is %d, not %s", pair->key, (int)found.raw, pair->value);
    }
    g_assert_cmpuint(n, >=, least);
}

static void test_capture_parameters(void)
{
    struct profile *p = load_profile();
    uint8_t data[2 * MODBUS_DATA_MAX];
    g_assert_cmpuint(exchange("E0.04.13.00.00.35.23.28",
                              "E0.04.6A.00.04.00.10.15.18.15.E0.15.18.16.80.12.C0.12.20.12.C0.10.E0.0D.48.0D."
                              "AC.0D.48.0E.42.0C.1C."
                              "0B.54.0C.1C.0A.8C.07.D0.03.E8.01.F4.00.CB.00.CD.00.D2.00.64.01.2C.01.2C.FF.35."
                              "FF.33.FF.2E.00.64.FE."
                              "A2.01.2C.FE.D4.00.6A.02.58.00.05.0B.B8.00.CD.00.0A.0D.AC.0D.48.05.DC.03.E8.03."
                              "20.00.C8.00.1E.0C.81."
                              "0C.9F.0C.9F.0C.D1.0A.DD.0A.C9.76.16",
                              data),
                     ==, 106);
    exchange(
        "E0.04.13.35.00.35.33.26",
        "E0.04.6A.0A.BF.0A.AB.0C.9F.0C.D1.0C.D1.0D.03.0A.C9.0A.AB.0A.B5.0A.8D.0C.81.0C.9F.0C.D1.0D.03.0A.C9."
        "0A.AB.0A.AB.0A.47.0D.FD.0E.61.0D.FD.0E.F7.0B.0F.0A.AB.0C.9F.0A.AB.00.0A.0D.48.00.32.00.1E.03.C0.00."
        "50.00.32.00.32.00.1E.80.E8.80.E8.6B.40.00.30.00.3C.00.F0.00.0A.00.07.00.00.00.0D.00.00.01.F4.01.2C."
        "16.80.00.B4.FF.4C.00.00.00.08.FE.C9",
        data + 106);
    compare_set(p, "lfp-16s", data, 90);
    shows(p, "parameter.ntc_count", data, "4");
    shows(p, "parameter.nominal_capacity", data, "330 Ah");
    shows(p, "parameter.remaining_capacity", data, "274.56 Ah");
    shows(p, "parameter.discharge_oc", data, "-210 A");
    profile_free(p);
}

static void spread(const uint8_t *packed, size_t n, uint8_t *coils)
{
    for (size_t i = 0; i < 8 * n; i++)
        coils[i] = packed[i / 8] >> i % 8 & 1;
}

static void test_capture_coils(void)
{
    struct profile *p = load_profile();
    uint8_t packed[MODBUS_DATA_MAX], coils[8 * MODBUS_DATA_MAX];
    uint8_t ask[8] = {0x00, 0x01, 0x14, 0x00, 0x00, 0x50};
    uint16_t crc = modbus_crc(ask, 6);
    g_autofree char *asked = g_strdup_printf("00.01.14.00.00.50.%02X.%02X", crc & 0xff, crc >> 8);
    g_assert_cmpuint(exchange(asked, "00 01 0A FF FF 3F 01 7F 2F 9F 0F 63 6F 54 A1", packed), ==, 10);
    spread(packed, 10, coils);
    compare_set(p, "switches-seen", coils, 60);

    uint8_t states[8] = {0x01, 0x01, 0x12, 0x00, 0x00, 0x90};
    crc = modbus_crc(states, 6);
    g_autofree char *state = g_strdup_printf("01.01.12.00.00.90.%02X.%02X", crc & 0xff, crc >> 8);
    g_assert_cmpuint(
        exchange(state, "01 01 12 00 00 00 00 00 00 00 00 10 00 00 00 00 00 00 03 00 00 7A F5", packed), ==,
        18);
    spread(packed, 18, coils);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpint(decoded(p, "status.state", i, coils).raw, ==, i == 4); /* standby */
        g_assert_cmpint(decoded(p, "status.voltage", i, coils).raw, ==, 0);
        g_assert_cmpint(decoded(p, "status.fault", i, coils).raw, ==, 0);
    }
    profile_free(p);
}

/* What a master says of the system; the parameters of its other blocks are those of one pack. */
static void test_capture_system(void)
{
    static const char seen[] =
        "pack_voltage 53.25 V;current -1.3 A;remaining 274.56 Ah;full 330 Ah;discharged 2900 Ah;rated 33"
        "0 Ah;online 1;protected 0;discharge_max 180 A;charge_max 180 A;suggested_ov 57.6 V;suggested_uv"
        " 46.4 V;packs 1;cycles 10;soc 83.2 %;soh 99.9 %";
    g_auto(GStrv) shown = g_strsplit(seen, ";", 0);
    struct profile *p = load_profile();
    uint8_t data[MODBUS_DATA_MAX], coils[8 * MODBUS_DATA_MAX];
    exchange("00.04.20.00.00.1A.7B.D0",
             "00.04.34.14.CD.00.00.FF.F3.FF.FF.6B.40.00.00.80.E8.00.00.01.22.00.00.80.E8.00.00.00.01.00.00."
             "00.00.00.00.07.08.00.00.07.08.00.00.02.40.01.D0.00.01.00.0A.03.40.03.E7.F2.CC",
             data);
    for (unsigned i = 0; shown[i]; i++) {
        g_auto(GStrv) words = g_strsplit(shown[i], " ", 2);
        g_autofree char *key = g_strconcat("system.", words[0], NULL);
        shows(p, key, data, words[1]);
    }

    exchange("00.04.21.00.00.16.7A.29",
             "00 04 2C 0C E8 0C E8 00 00 00 00 14 A6 14 A6 00 00 00 00 00 E5 00 DD 00 E1 00 00 00 01 01 E0 "
             "01 E0 00 0A 03 E7 00 F0 00 F0 00 F0 00 00 00 00 55 9F",
             data);
    shows(p, "system.cell_max", data, "3.304 V");
    shows(p, "system.cell_min", data, "3.304 V");
    shows(p, "system.pack_max", data, "52.86 V");
    shows(p, "system.pack_min", data, "52.86 V");
    /* Behind these the table and the board part: 22.9 and 48.0 %, in the places of kelvins and of a FET's
     * heat. */
    g_assert_cmpint(profile_block_find(p, "eib")->size, ==, 16);

    exchange("00.01.22.00.00.50.37.9F", "00.01.0A.01.00.00.00.00.00.00.43.00.00.7F.E1", data);
    spread(data, 10, coils);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpint(decoded(p, "system.state", i, coils).raw, ==, i == 0); /* discharging */
        g_assert_cmpint(decoded(p, "system.voltage_events", i, coils).raw, ==, 0);
        g_assert_cmpint(decoded(p, "system.fet_events", i, coils).raw, ==, i == 0 || i == 1 || i == 6);
        g_assert_cmpint(decoded(p, "system.fault_events", i, coils).raw, ==, 0);
    }
    profile_free(p);
}

static void test_capture_exceptions(void)
{
    static const struct {
        uint8_t function;
        const char *answered;
    } seen[] = {{0x01, "00.81.02.90.51"}, {0x04, "00.84.02.93.01"}};
    for (gsize i = 0; i < G_N_ELEMENTS(seen); i++) {
        const struct modbus_request request = {.function = seen[i].function, .address = 0x1400, .count = 1};
        struct modbus_decoder decoder = {0};
        struct modbus_answer answer = {0};
        uint8_t bytes[16];
        const size_t n = unhex(seen[i].answered, bytes);
        modbus_expect(&decoder, MODBUS_RTU, 0, &request);
        for (size_t k = 0; k < n; k++)
            g_assert_cmpint(modbus_decode(&decoder, bytes[k], &answer), ==,
                            k + 1 == n ? MODBUS_ANSWER : MODBUS_MORE);
        g_assert_cmpuint(answer.exception, ==, 2);
    }
}

static void wait_ms(struct fixture *f, int64_t ms)
{
    tick_sleep_until(&f->far.clock.tick, tick_deadline_ms(&f->far.clock.tick, ms));
}

static void set_up(struct fixture *f, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    GError *error = NULL;
    f->profile = load_profile();
    far_open_family(&f->far, "seplos3", "19200-8N1", false, defect ? defects : NULL);
    wait_ms(f, 500);
    g_assert_false(f->profile->has_reference);
    f->board = board_open(f->profile, f->far.wire, 1, false, &error);
    g_assert_no_error(error);
}

static void tear_down(struct fixture *f)
{
    board_close(f->board);
    far_close(&f->far);
    profile_free(f->profile);
}

static struct item_value value_of(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    if (!profile_value_parse(profile_item_find(f->profile, key), text, &value, &error))
        g_error("%s: %s", key, error->message);
    return value;
}

static int64_t read_raw(struct fixture *f, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    if (!board_read_item(f->board, profile_item_find(f->profile, key), &value, &error))
        g_error("%s: %s", key, error->message);
    return value.raw;
}

/* A virtual board is the master of a system of one pack: what it says of both is the same. */
static void test_system(void)
{
    static const char *const pairs[][2] = {{"system.remaining", "live.remaining"},
                                           {"system.full", "live.full"},
                                           {"system.cell_max", "live.cell_max"},
                                           {"system.cell_min", "live.cell_min"},
                                           {"system.soc", "live.soc"},
                                           {"system.cycles", "live.cycles"},
                                           {"system.pack_max", "live.pack_voltage"}};
    struct fixture f;
    set_up(&f, NULL);
    vboard_bench_current(f.far.board, -20000);
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++)
        g_assert_cmpint(read_raw(&f, pairs[i][0]), ==, read_raw(&f, pairs[i][1]));
    g_assert_cmpint(ABS(read_raw(&f, "system.current") * 10 - read_raw(&f, "live.current")), <=, 30);
    g_assert_cmpint(read_raw(&f, "system.packs"), ==, 1);
    g_assert_cmpint(read_raw(&f, "system.fet_events"), ==, read_raw(&f, "status.fet"));
    tear_down(&f);
}

/* The board has no unique id of its own: its serial number stands for it. */
static void test_identify(void)
{
    struct fixture f;
    struct board_identity identity;
    uint8_t id[12];
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_identify(f.board, &identity, &error));
    vboard_truth_unique_id(f.far.board, id);
    g_assert_cmpstr(identity.product, ==, "SG16S200A-SP57B-A");
    g_assert_cmpstr(identity.firmware, ==, "15");
    g_assert_true(identity.has_unique_id);
    g_assert_cmpmem(identity.unique_id, 12, id, 12);
    tear_down(&f);
}

static void test_values(void)
{
    struct fixture f;
    struct item_value found;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    struct item_value sn = value_of(&f, "identity.pack_sn", "BSN00000001");
    g_assert_true(board_write_item(f.board, &sn, &found, &error));
    struct item_value off = value_of(&f, "switch.buzzer", "false");
    g_assert_cmpint(read_raw(&f, "switch.buzzer"), ==, 1);
    g_assert_true(board_write_item(f.board, &off, NULL, &error));
    g_assert_cmpint(read_raw(&f, "switch.buzzer"), ==, 0);
    g_assert_cmpint(read_raw(&f, "switch.display"), ==, 1);
    struct item_value heat = value_of(&f, "parameter.charge_ot", "52 °C");
    g_assert_true(board_write_item(f.board, &heat, NULL, &error));
    g_assert_cmpint(read_raw(&f, "parameter.charge_ot"), ==, 3251);
    struct item_value protocol = value_of(&f, "inverter.protocol", "2");
    g_assert_true(board_write_item(f.board, &protocol, NULL, &error));
    g_assert_true(
        board_read_item(f.board, profile_item_find(f.profile, "inverter.protocol_name"), &found, &error));
    g_assert_cmpstr(found.text, ==, "Victron Can Protocol");

    struct item_value many = value_of(&f, "parameter.cell_count", "16");
    many.raw = 40;
    g_assert_false(board_write_item(f.board, &many, NULL, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "'illegal data value'"));
    g_clear_error(&error);
    uint16_t word;
    g_assert_true(board_register_read(f.board, 0x130d, &word, &error)); /* by 04: the board knows no 03 */
    g_assert_cmpuint(word, ==, 3650);
    g_assert_true(board_register_write(f.board, 0x130d, 3600, &error));
    /* What is only written cannot be read. */
    g_assert_false(board_read_item(f.board, profile_item_find(f.profile, "control.reset"), &found, &error));
    g_assert_nonnull(strstr(error->message, "'illegal data address'"));
    tear_down(&f);
}

static void test_telemetry(void)
{
    struct fixture f;
    struct board_telemetry t;
    GError *error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpuint(t.cells, ==, 16);
    g_assert_cmpuint(t.sensors, ==, 4);
    g_assert_cmpint(t.full_mah, ==, 330000);
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_assert_cmpuint(t.protections, ==, 0);
    g_assert_cmpuint(t.alarms, ==, 0);

    struct item_value limits[] = {value_of(&f, "parameter.cell_high", "3.2 V"),
                                  value_of(&f, "parameter.cell_ov", "3.25 V")};
    g_assert_true(board_write_values(f.board, limits, 2, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpstr(t.active, ==, "cell overvoltage, cell high voltage");
    g_assert_true(t.protections != 0 && t.alarms != 0);
    g_assert_true(t.discharge_fet && !t.charge_fet);
    struct item_value mute[] = {value_of(&f, "switch.cell_high", "false"),
                                value_of(&f, "switch.cell_ov", "false")};
    g_assert_true(board_write_values(f.board, mute, 2, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpstr(t.active, ==, "");
    tear_down(&f);
}

static void test_calibrate(void)
{
    struct fixture f;
    struct board_telemetry t;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    vboard_bench_current(f.far.board, 20000);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error)); /* current flows */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 0);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_ZERO, 0, 0, &error));
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 0)), <=, 1);
    vboard_bench_current(f.far.board, -20000);
    g_assert_true(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, -20000, &error));
    g_assert_cmpint(ABS(vboard_truth_current_error_ma(f.far.board, 40000)), <=, 10);
    g_assert_false(board_calibrate(f.board, CALIBRATE_CURRENT_GAIN, 0, 400000, &error)); /* no i16 of 10 mA */
    g_assert_error(error, PACK_ERROR, ERROR_RULE);
    g_clear_error(&error);
    vboard_bench_current(f.far.board, 0);

    const int64_t truth = 16 * vboard_bench_cells_mv(f.far.board);
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(ABS(t.pack_mv - truth), >, 20);
    g_assert_true(board_calibrate(f.board, CALIBRATE_VOLTAGE, 0, truth, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_cmpint(ABS(t.pack_mv - truth), <=, 20);
    g_assert_false(
        board_calibrate(f.board, CALIBRATE_VOLTAGE, 0, 30000, &error)); /* far from what is there */
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    tear_down(&f);
}

static bool limits(struct fixture *f)
{
    struct profile_item third = *profile_item_find(f->profile, "status.fet");
    struct item_value value;
    g_autoptr(GError) error = NULL;
    third.offset += 2;
    third.count = 1;
    g_assert_true(board_read_item(f->board, &third, &value, &error));
    return value.raw;
}

static void test_controls(void)
{
    struct fixture f;
    struct board_telemetry t;
    struct board_identity identity;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_FET, 0, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(!t.charge_fet && t.discharge_fet);
    g_assert_true(board_control(f.board, CONTROL_CHARGE_FET, 1, &error));
    g_assert_true(board_control(f.board, CONTROL_DISCHARGE_FET, 0, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.charge_fet && !t.discharge_fet);
    const struct item_value limit = value_of(&f, "parameter.charge_high", "150 A");
    g_assert_true(board_write_item(f.board, &limit, NULL, &error));
    vboard_bench_current(f.far.board, 180000);
    g_assert_true(limits(&f));
    g_assert_true(board_control(f.board, CONTROL_CHARGE_LIMITER, 0, &error));
    g_assert_false(limits(&f));
    vboard_bench_current(f.far.board, 0);
    /* No such orders are published. */
    g_assert_false(board_control(f.board, CONTROL_CHARGE_LIMITER, 1, NULL));
    g_assert_false(board_control(f.board, CONTROL_DISCHARGE_FET, 1, &error));
    g_assert_error(error, PACK_ERROR, ERROR_REFUSED);
    g_clear_error(&error);

    struct item_value value = value_of(&f, "parameter.cell_ov", "3.5 V");
    g_assert_true(board_write_item(f.board, &value, NULL, &error));
    wait_ms(&f, 100);
    g_assert_true(board_control(f.board, CONTROL_RESET, 0, &error));
    wait_ms(&f, 150);
    g_assert_true(board_wait_alive(f.board, tick_now(&f.far.clock.tick) + TICK_S(5), &identity, &error));
    g_assert_true(board_telemetry(f.board, &t, &error));
    g_assert_true(t.charge_fet && t.discharge_fet);
    g_assert_cmpint(read_raw(&f, "parameter.cell_ov"), ==, 3500);
    g_assert_true(board_control(f.board, CONTROL_FACTORY_DEFAULTS, 0, &error));
    g_assert_cmpint(read_raw(&f, "parameter.cell_ov"), ==, 3650);

    g_assert_true(board_control(f.board, CONTROL_SLEEP, 0, &error));
    wait_ms(&f, 500);
    g_assert_false(board_identify(f.board, &identity, &error));
    g_assert_error(error, PACK_ERROR, ERROR_SILENT);
    tear_down(&f);
}

static void test_clock(void)
{
    struct fixture f;
    int64_t wall, now;
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    now = tick_wall(&f.far.clock.tick);
    g_assert_true(board_clock_write(f.board, now, &error));
    g_assert_true(board_clock_read(f.board, &wall, &error));
    g_assert_cmpint(ABS(wall - now), <, 2000000);
    tear_down(&f);
}

struct story {
    unsigned n;
    int64_t last_us;
    bool overvoltage;
};

static bool listen(void *context, const struct board_record *record, GError **error)
{
    struct story *story = context;
    (void)error;
    g_assert_cmpuint(record->id, ==, story->n + 1);
    g_assert_true(story->n == 0 || record->wall_us < story->last_us);
    g_assert_cmpint(record->cell_max_mv, >, 3200);
    g_assert_cmpint(record->cell_min_mv, <=, record->cell_max_mv);
    story->overvoltage |= strcmp(record->what, "cell overvoltage") == 0;
    story->last_us = record->wall_us;
    story->n++;
    return true;
}

static void test_history(void)
{
    struct fixture f;
    struct story story = {0};
    g_autoptr(GError) error = NULL;
    set_up(&f, NULL);
    for (unsigned twice = 0; twice < 2; twice++) {
        story.n = 0;
        g_assert_true(board_history_read(f.board, listen, &story, &error));
        g_assert_cmpuint(story.n, ==, 12);
    }
    g_assert_true(story.overvoltage);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/seplos3/capture/pack", test_capture_pack);
    g_test_add_func("/seplos3/capture/names", test_capture_names);
    g_test_add_func("/seplos3/capture/parameters", test_capture_parameters);
    g_test_add_func("/seplos3/capture/coils", test_capture_coils);
    g_test_add_func("/seplos3/capture/system", test_capture_system);
    g_test_add_func("/seplos3/system", test_system);
    g_test_add_func("/seplos3/capture/exceptions", test_capture_exceptions);
    g_test_add_func("/seplos3/identify", test_identify);
    g_test_add_func("/seplos3/values", test_values);
    g_test_add_func("/seplos3/telemetry", test_telemetry);
    g_test_add_func("/seplos3/calibrate", test_calibrate);
    g_test_add_func("/seplos3/controls", test_controls);
    g_test_add_func("/seplos3/clock", test_clock);
    g_test_add_func("/seplos3/history", test_history);
    return g_test_run();
}

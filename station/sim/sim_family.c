/* What the oracle knows of each family of boards. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#include <string.h>

static const struct sim_skip basen_own[] = {{0x06, 0, 12}, {0x10, 0, 30}, {0, 0, 0}};
static const struct sim_skip monv4_own[] = {{0x0150, 0, 4}, {0x0700, 0, 30}, {0, 0, 0}};
static const char *const monv4_lacks[] = {"wrong-password", "rtc-stuck", "antitheft-stuck", NULL};
/* The journal is the board's own; what is nobody else's beside it is its serial number. */
static const struct sim_skip mainx_own[] = {{0x6000, 0, 24}, {0x7000, 0, 386}, {0, 0, 0}};
static const char *const mainx_lacks[] = {"wrong-password",
                                          "antitheft-stuck",
                                          "no-zero",
                                          "noisy-current",
                                          "bent-current",
                                          "ack-no-write",
                                          "cached-readback",
                                          "stuck-bit",
                                          "wrong-mcu",
                                          "wrong-hardware",
                                          "uid-after-reset",
                                          "swapped-while-flashing",
                                          "silent-after-flash",
                                          "no-crc",
                                          "blank-flash",
                                          "half-flashed",
                                          "hung",
                                          NULL};
/* Both numbers, and what the calibrations made of the sensors. */
static const struct sim_skip seplos3_own[] = {{0x1700, 42, 60}, {0xff00, 0, 32}, {0, 0, 0}};
static const char *const seplos3_lacks[] = {"wrong-password",
                                            "antitheft-stuck",
                                            "ack-no-write",
                                            "cached-readback",
                                            "stuck-bit",
                                            "wrong-mcu",
                                            "wrong-hardware",
                                            "silent-after-flash",
                                            "no-crc",
                                            "blank-flash",
                                            "uid-after-reset",
                                            "swapped-while-flashing",
                                            "half-flashed",
                                            "hung",
                                            NULL};
static const struct sim_skip clever_own[] = {{0x06, 0, 36},  {0x07, 0, 8},    {0x10, 0, 30},
                                             {0x20, 38, 12}, {0xf1, 150, 30}, {0, 0, 0}};
/* Its firmware does not come over this line, its password is the station's, and there is no anti-theft. */
#define NO_FIRMWARE                                                                                          \
    "no-crc", "ack-no-write", "cached-readback", "stuck-bit", "wrong-mcu", "uid-after-reset",                \
        "swapped-while-flashing", "silent-after-flash", "blank-flash", "half-flashed", "hung"
static const char *const clever_lacks[] = {NO_FIRMWARE, "wrong-password", "antitheft-stuck", "bent-current",
                                           NULL};
/* What is published lets nobody change a limit, calibrate or set a clock. */
static const char *const topbms_lacks[] = {NO_FIRMWARE,
                                           "wrong-password",
                                           "antitheft-stuck",
                                           "wrong-hardware",
                                           "clamp-parameter",
                                           "lose-parameter",
                                           "ack-param-no-write",
                                           "no-zero",
                                           "bent-current",
                                           "rtc-stuck",
                                           NULL};
static const struct sim_skip pace_own[] = {{0xc2, 0, 40}, {0, 0, 0}};
/* No firmware, no login, no hardware revision, nothing that calibrates. */
static const char *const pace_lacks[] = {
    NO_FIRMWARE, "wrong-hardware", "wrong-password", "bent-current", "no-zero", "antitheft-stuck", NULL};
/* The date, the bar code, what calibration left. */
static const struct sim_skip jbd_own[] = {{0x10, 10, 2}, {0xa2, 1, 31}, {0xad, 0, 86}, {0, 0, 0}};
static const char *const jbd_lacks[] = {"no-crc",
                                        "ack-no-write",
                                        "cached-readback",
                                        "stuck-bit",
                                        "wrong-mcu",
                                        "uid-after-reset",
                                        "silent-after-flash",
                                        "swapped-while-flashing",
                                        "blank-flash",
                                        "half-flashed",
                                        "hung",
                                        "rtc-stuck",
                                        "antitheft-stuck",
                                        NULL};
static const struct sim_skip rockets_own[] = {{0x2000, 0, 12}, {0, 0, 0}};
/* No firmware, no parameters, no login, no calibration; the recipe does not look at the hardware revision. */
static const char *const rockets_lacks[] = {"ack-no-write",
                                            "cached-readback",
                                            "stuck-bit",
                                            "clamp-parameter",
                                            "lose-parameter",
                                            "wrong-hardware",
                                            "wrong-mcu",
                                            "wrong-password",
                                            "ack-param-no-write",
                                            "no-zero",
                                            "bent-current",
                                            "no-crc",
                                            "antitheft-stuck",
                                            "uid-after-reset",
                                            "swapped-while-flashing",
                                            "silent-after-flash",
                                            "blank-flash",
                                            "half-flashed",
                                            "hung",
                                            NULL};
/* The machine code, and what the zero calibration left. */
static const struct sim_skip daly_own[] = {{0xb9, 0, 32}, {1, 0, 4}, {0, 0, 0}};
/* No firmware, no login, no clock, no gain; its product is its hardware revision. */
static const char *const daly_lacks[] = {"no-crc",
                                         "ack-no-write",
                                         "cached-readback",
                                         "stuck-bit",
                                         "wrong-hardware",
                                         "wrong-mcu",
                                         "wrong-password",
                                         "bent-current",
                                         "rtc-stuck",
                                         "antitheft-stuck",
                                         "uid-after-reset",
                                         "swapped-while-flashing",
                                         "blank-flash",
                                         "half-flashed",
                                         "hung",
                                         "silent-after-flash",
                                         NULL};
/* Acceptance only. What a board is known by is printed on it, so one that is swapped for its like goes
 * unseen. */
#define ACCEPTED_LACKS                                                                                       \
    "swap", "no-crc", "ack-no-write", "cached-readback", "stuck-bit", "wrong-hardware", "wrong-mcu",         \
        "wrong-password", "bent-current", "antitheft-stuck", "uid-after-reset", "swapped-while-flashing",    \
        "blank-flash", "half-flashed", "hung", "silent-after-flash", "clamp-parameter", "lose-parameter",    \
        "ack-param-no-write", "no-zero", "foreign-sn"
static const char *const accepted_lacks[] = {ACCEPTED_LACKS, "rtc-stuck", "busy", NULL};
static const char *const daly_uart_lacks[] = {ACCEPTED_LACKS, NULL};
/* On the bus a board says how many cells it has, and nothing else of what it is. */
static const char *const daly_can_lacks[] = {ACCEPTED_LACKS, "rtc-stuck", "busy", "wrong-product", NULL};
static const struct sim_skip tianpower_own[] = {{0, 0, 0}};
static const char *const nothing[] = {NULL};

/* The visible table; the first is what is simulated when nobody names one. */
static const struct sim_family families[] = {
    {.name = "basen", .serial_block = 0x10, .own = basen_own, .current_error_ma = 200, .lacks = nothing},
    /* The gain goes in steps of 1/82 */
    {.name = "monv4",
     .serial_block = 0x0700,
     .own = monv4_own,
     .clockless = true,
     .current_error_ma = 400,
     .lacks = monv4_lacks},
    {.name = "mainx",
     .serial_block = 0x6000,
     .own = mainx_own,
     .current_error_ma = 200,
     .lacks = mainx_lacks},
    {.name = "seplos3",
     .serial_block = 0x1700,
     .serial_at = 72,
     .own = seplos3_own,
     .current_error_ma = 200,
     .lacks = seplos3_lacks},
    /* The zero alone is calibrated: at 40 A three per cent are left. */
    {.name = "clever",
     .serial_block = 0xf1,
     .serial_at = 150,
     .own = clever_own,
     .current_error_ma = 1300,
     .lacks = clever_lacks},
    {.name = "topbms",
     .serial_block = 0xf1,
     .serial_at = 150,
     .by_serial = true,
     .clockless = true,
     .own = clever_own,
     .current_error_ma = 200,
     .lacks = topbms_lacks},
    {.name = "pace",
     .serial_block = 0xc2,
     .by_serial = true,
     .own = pace_own,
     .current_error_ma = 200,
     .lacks = pace_lacks,
     .has_number = true},
    {.name = "jbd",
     .serial_block = 0xa2,
     .serial_at = 1,
     .by_serial = true,
     .clockless = true,
     .own = jbd_own,
     .current_error_ma = 200,
     .lacks = jbd_lacks},
    {.name = "rockets",
     .serial_block = 0x2000,
     .own = rockets_own,
     .current_error_ma = 100,
     .lacks = rockets_lacks,
     .frames = true,
     .has_number = true,
     .local_clock = true},
    {.name = "daly-modbus",
     .serial_block = 0xb9,
     .by_serial = true,
     .clockless = true,
     .own = daly_own,
     .current_error_ma = 200,
     .lacks = daly_lacks,
     .has_number = true},
    {.name = "daly",
     .by_serial = true,
     .by_label = true,
     .local_clock = true,
     .own = daly_own,
     .current_error_ma = 200,
     .lacks = daly_uart_lacks,
     .has_number = true},
    {.name = "daly-can",
     .by_serial = true,
     .by_label = true,
     .clockless = true,
     .own = daly_own,
     .current_error_ma = 200,
     .lacks = daly_can_lacks,
     .frames = true,
     .has_number = true},
    {.name = "tianpower",
     .by_serial = true,
     .by_label = true,
     .clockless = true,
     .own = tianpower_own,
     .current_error_ma = 200,
     .lacks = accepted_lacks,
     .has_number = true},
};

const struct sim_family *sim_family_find(const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        if (!name || strcmp(families[i].name, name) == 0)
            return &families[i];
        g_string_append_printf(names, "%s%s", i ? ", " : "", families[i].name);
    }
    error_set(error, ERROR_USAGE, "no family '%s'; there are %s", name, names->str);
    return NULL;
}

const char *sim_family_name(const struct sim_family *family)
{
    return family->name;
}

bool sim_family_lacks(const struct sim_family *family, const struct sim_class *class)
{
    return (class->only && strcmp(class->only, family->name) != 0) ||
           (class->defect && g_strv_contains(family->lacks, class->defect));
}

uint64_t sim_family_mask(const struct sim_family *family, uint64_t mask)
{
    for (unsigned i = 0; sim_classes()[i].name; i++)
        if (g_strv_contains(family->lacks, sim_classes()[i].name))
            mask &= ~(UINT64_C(1) << i);
    return mask;
}

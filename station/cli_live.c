/* board telemetry and board calibrate: what a board measures, and what makes it measure right. */
#include "station/cli_session.h"

#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_live_verbs[];

static void print_reading(const char *name, enum quantity quantity, int64_t value)
{
    g_autofree char *text = value == TELEMETRY_ABSENT ? g_strdup("absent") : quantity_format(quantity, value);
    printf("%-16s %s\n", name, text);
}

/* The readings of one number each, for people and for programs. */
static const struct single {
    const char *name, *key;
    enum profile_reading_name reading;
    enum quantity quantity;
    size_t offset;
} singles[] = {
    {"pack", "pack_mv", TELEMETRY_PACK_VOLTAGE, QUANTITY_VOLTAGE, offsetof(struct board_telemetry, pack_mv)},
    {"current", "current_ma", TELEMETRY_CURRENT, QUANTITY_CURRENT,
     offsetof(struct board_telemetry, current_ma)},
    {"soc", "soc_ppc", TELEMETRY_SOC, QUANTITY_PERCENT, offsetof(struct board_telemetry, soc_ppc)},
    {"soh", "soh_ppc", TELEMETRY_SOH, QUANTITY_PERCENT, offsetof(struct board_telemetry, soh_ppc)},
    {"full", "full_mah", TELEMETRY_FULL, QUANTITY_CHARGE, offsetof(struct board_telemetry, full_mah)},
    {"remaining", "remaining_mah", TELEMETRY_REMAINING, QUANTITY_CHARGE,
     offsetof(struct board_telemetry, remaining_mah)},
    {"cycles", "cycles", TELEMETRY_CYCLES, QUANTITY_NONE, offsetof(struct board_telemetry, cycles)},
    {"MOSFET", "mos_mdeg", TELEMETRY_MOS, QUANTITY_TEMPERATURE, offsetof(struct board_telemetry, mos_mdeg)},
    {"ambient", "ambient_mdeg", TELEMETRY_AMBIENT, QUANTITY_TEMPERATURE,
     offsetof(struct board_telemetry, ambient_mdeg)},
};

static int64_t single_of(const struct board_telemetry *t, const struct single *s)
{
    return *(const int64_t *)(const void *)((const char *)t + s->offset);
}

static const char *switch_word(const struct board_telemetry *t, enum profile_reading_name reading, bool on)
{
    return !telemetry_tells(t, reading) ? "not reported" : on ? "on" : "off";
}

static const char *active_word(const struct board_telemetry *t)
{
    const bool told = telemetry_tells(t, TELEMETRY_PROTECTIONS) || telemetry_tells(t, TELEMETRY_ALARMS);
    return !told ? "not reported" : t->active[0] ? t->active : "nothing";
}

static void print_telemetry(const struct board_telemetry *t)
{
    char name[24];
    for (gsize i = 0; i < G_N_ELEMENTS(singles); i++)
        if (telemetry_tells(t, singles[i].reading))
            print_reading(singles[i].name, singles[i].quantity, single_of(t, &singles[i]));
        else
            printf("%-16s not reported\n", singles[i].name);
    for (unsigned i = 0; i < t->cells; i++) {
        g_snprintf(name, sizeof name, "cell %u", i + 1);
        print_reading(name, QUANTITY_VOLTAGE, t->cell_mv[i]);
    }
    for (unsigned i = 0; i < t->sensors; i++) {
        g_snprintf(name, sizeof name, "temperature %u", i + 1);
        print_reading(name, QUANTITY_TEMPERATURE, t->sensor_mdeg[i]);
    }
    printf("%-16s %s\n%-16s %s\n", "charge FET", switch_word(t, TELEMETRY_CHARGE_FET, t->charge_fet),
           "discharge FET", switch_word(t, TELEMETRY_DISCHARGE_FET, t->discharge_fet));
    printf("%-16s %s\n", "active", active_word(t));
}

static json_t *number(int64_t value)
{
    return value == TELEMETRY_ABSENT ? json_null() : json_integer(value);
}

static json_t *numbers(const int64_t *values, unsigned n)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(array, number(values[i]));
    return array;
}

/* null is a reading that the board does not tell. */
static json_t *told(const struct board_telemetry *t, enum profile_reading_name reading, json_t *value)
{
    if (telemetry_tells(t, reading))
        return value;
    json_decref(value);
    return json_null();
}

static json_t *telemetry_json(const struct board_telemetry *t)
{
    json_t *data = json_object();
    json_object_set_new(data, "cells_mv", numbers(t->cell_mv, t->cells));
    json_object_set_new(data, "temperatures_mdeg", numbers(t->sensor_mdeg, t->sensors));
    for (gsize i = 0; i < G_N_ELEMENTS(singles); i++)
        json_object_set_new(data, singles[i].key,
                            told(t, singles[i].reading, number(single_of(t, &singles[i]))));
    json_object_set_new(data, "charge_fet", told(t, TELEMETRY_CHARGE_FET, json_boolean(t->charge_fet)));
    json_object_set_new(data, "discharge_fet",
                        told(t, TELEMETRY_DISCHARGE_FET, json_boolean(t->discharge_fet)));
    json_object_set_new(data, "protections", told(t, TELEMETRY_PROTECTIONS, json_integer(t->protections)));
    json_object_set_new(data, "alarms", told(t, TELEMETRY_ALARMS, json_integer(t->alarms)));
    json_object_set_new(data, "active", json_string(t->active));
    return data;
}

static bool board_telemetry_verb(const struct cli_input *input, struct session *session, GError **error)
{
    struct board_telemetry t;
    if (!board_telemetry(session->board, &t, error))
        return false;
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:o}", "v", 1, "type", "info", "data", telemetry_json(&t)));
    else
        print_telemetry(&t);
    return true;
}

#define SETTLE_MS 500

/* What it measures now, for the person to hold against the reference. */
static bool print_after(struct session *session, enum board_calibration what, unsigned place, GError **error)
{
    struct board_telemetry t;
    char name[24];
    if (what == CALIBRATE_RESET)
        return true;
    if (!wire_pause_ms(session->wire, SETTLE_MS, error) || !board_telemetry(session->board, &t, error))
        return false;
    if (what == CALIBRATE_VOLTAGE)
        print_reading("pack", QUANTITY_VOLTAGE, t.pack_mv);
    else if (what == CALIBRATE_CELL && place < t.cells) {
        g_snprintf(name, sizeof name, "cell %u", place + 1);
        print_reading(name, QUANTITY_VOLTAGE, t.cell_mv[place]);
    } else if (what == CALIBRATE_CURRENT_ZERO || what == CALIBRATE_CURRENT_GAIN)
        print_reading("current", QUANTITY_CURRENT, t.current_ma);
    else if (what == CALIBRATE_TEMPERATURE && place < t.sensors) {
        g_snprintf(name, sizeof name, "temperature %u", place + 1);
        print_reading(name, QUANTITY_TEMPERATURE, t.sensor_mdeg[place]);
    } else if (what == CALIBRATE_TEMPERATURE)
        print_reading(place == t.sensors ? "MOSFET" : "ambient", QUANTITY_TEMPERATURE,
                      place == t.sensors ? t.mos_mdeg : t.ambient_mdeg);
    return true;
}

#define CALIBRATIONS                                                                                         \
    "zero; gain CURRENT; voltage VOLTAGE; cell CELL VOLTAGE; temperature SENSOR TEMPERATURE; reset"

/* Numbered as `board telemetry` shows it: cells from 1; sensors as on the board, from 0. */
static bool parse_place(const char *text, bool is_cell, unsigned *place, GError **error)
{
    guint64 number = 0;
    const guint64 first = is_cell ? 1 : 0, last = is_cell ? BOARD_CELLS_MAX : BOARD_SENSORS_MAX + 1;
    if (!g_ascii_string_to_unsigned(text, 10, first, last, &number, NULL))
        return error_set(error, ERROR_USAGE, "'%s' is no %s number from %u to %u", text,
                         is_cell ? "cell" : "sensor", (unsigned)first, (unsigned)last);
    *place = (unsigned)(number - first);
    return true;
}

/* The words of CALIBRATIONS. What the person says is the truth. */
static bool board_calibrate_verb(const struct cli_input *input, struct session *session, GError **error)
{
    static const struct {
        const char *name;
        enum board_calibration what;
        guint arguments;
        enum quantity quantity;
    } kinds[] = {{"zero", CALIBRATE_CURRENT_ZERO, 1, QUANTITY_NONE},
                 {"gain", CALIBRATE_CURRENT_GAIN, 2, QUANTITY_CURRENT},
                 {"voltage", CALIBRATE_VOLTAGE, 2, QUANTITY_VOLTAGE},
                 {"cell", CALIBRATE_CELL, 3, QUANTITY_VOLTAGE},
                 {"temperature", CALIBRATE_TEMPERATURE, 3, QUANTITY_TEMPERATURE},
                 {"reset", CALIBRATE_RESET, 1, QUANTITY_NONE}};
    const char *const *words = (const char *const *)input->arguments->pdata;
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        int64_t truth = 0;
        unsigned place = 0;
        guint n = input->arguments->len;
        if (strcmp(kinds[i].name, words[0]) != 0 || n != kinds[i].arguments)
            continue;
        if ((n == 3 && !parse_place(words[1], kinds[i].what == CALIBRATE_CELL, &place, error)) ||
            (n > 1 && !quantity_parse(words[n - 1], kinds[i].quantity, &truth, error)) ||
            !board_calibrate(session->board, kinds[i].what, place, truth, error))
            return false;
        printf("%s: done\n", words[0]);
        return print_after(session, kinds[i].what, place, error);
    }
    return error_set(error, ERROR_USAGE, "there are: " CALIBRATIONS);
}

static bool board_polarity_verb(const struct cli_input *input, struct session *session, GError **error)
{
    enum profile_polarity found;
    if (!cli_has(input, "yes"))
        return error_set(error, ERROR_USAGE,
                         "is the charger off and no load connected, so that the charge FET may go off for a "
                         "moment? then say --yes");
    if (!board_measure_polarity(session->board, &found, error))
        return false;
    printf("fet_polarity: %s\n", found == POLARITY_PLAIN ? "plain" : "inverted");
    return true;
}

static int polarity_verb(const struct cli_input *input)
{
    return session_run(input, board_polarity_verb);
}

/* The new one takes the place of the old one in its file, so that the next login knows it. */
static bool board_password_verb(const struct cli_input *input, struct session *session, GError **error)
{
    const char *file = cli_get(input, "password-file"), *from = cli_get(input, "new-password-file");
    bool sent = false;
    if (!file || !from)
        return error_set(error, ERROR_USAGE, "--password-file and --new-password-file are needed");
    struct secret *wanted = secret_from_file(from, error);
    bool ok = wanted && board_change_password(session->board, 1, session->password, wanted, &sent, error);
    g_autoptr(GError) failure = NULL;
    if (ok && !g_file_set_contents_full(file, secret_reveal(wanted), -1,
                                        G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                        &failure))
        ok = error_set(error, ERROR_STORAGE, "%s%s", failure->message,
                       sent ? ": the board has the new password already, keep its file" : "");
    secret_free(wanted);
    if (ok)
        printf(sent ? "the board and %s have the new password\n"
                    : "the station alone looks at this password: %s has the new one, nothing was sent\n",
               file);
    return ok;
}

static int password_verb(const struct cli_input *input)
{
    return session_run(input, board_password_verb);
}

static int telemetry_verb(const struct cli_input *input)
{
    return session_run(input, board_telemetry_verb);
}

static int calibrate_verb(const struct cli_input *input)
{
    return session_run(input, board_calibrate_verb);
}

static const struct cli_option options[] = {BOARD_OPTIONS, {NULL}};
static const struct cli_option password_options[] = {
    BOARD_OPTIONS,
    {"new-password-file", 0, "FILE", false, "file (mode 0600) with the password from now on"},
    {NULL}};
static const struct cli_option polarity_options[] = {
    BOARD_OPTIONS,
    {"yes", 'y', NULL, false, "no charger and no load are connected: the charge FET may go off for a moment"},
    {NULL}};

const struct cli_verb cli_live_verbs[] = {
    {.name = "board telemetry",
     .arguments = "",
     .summary = "read what the board measures, and what is active",
     .options = options,
     .run = telemetry_verb},
    {.name = "board calibrate",
     .arguments = "KIND [PLACE] [VALUE]",
     .arguments_min = 1,
     .arguments_max = 3,
     .summary = "calibrate current, voltage, a cell, a temperature; or undo all of it",
     .text = "There are: " CALIBRATIONS
             ". The value is the truth, as a reference shows it. Cells count from 1, as "
             "`board telemetry` shows them, sensors from 0: cells', MOSFET, ambient.",
     .options = options,
     .run = calibrate_verb},
    {.name = "board password",
     .arguments = "",
     .summary = "change the write password",
     .text = "A board that looks at passwords itself is told, and proves the new one by a login. Where the "
             "station alone does (`auth: host`), nothing is sent. Either way the new password replaces the "
             "old one in the file of --password-file.",
     .options = password_options,
     .run = password_verb},
    {.name = "board polarity",
     .arguments = "",
     .summary = "measure which way round the board's FET commands switch",
     .text = "Public sources contradict each other about some boards. What it prints goes into the profile.",
     .options = polarity_options,
     .run = polarity_verb},
    {NULL},
};

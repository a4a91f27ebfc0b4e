/* board connect: adapter and board as two states. board clock --auto: a clock for each board put on the
 * adapter. can: frames to and from a bus, in the formats of can-utils. */
#include "station/cli_session.h"

#include "proto/wire_frames.h"
#include "station/base/error.h"

#include <string.h>

extern const struct cli_verb cli_connect_verbs[];

#define LOOK_MS      500
#define WITHIN_S     120
#define LISTEN_MS    1000
#define SEND_MS      1000
#define LOG_BYTES    (64 * 1024 * 1024)
#define CLOCK_OFF_MS 2000

static bool number_option(const struct cli_input *input, const char *name, guint64 preset, guint64 most,
                          guint64 *value, GError **error)
{
    const char *text = cli_get(input, name);
    *value = preset;
    return !text || g_ascii_string_to_unsigned(text, 10, 1, most, value, NULL) ||
           error_set(error, ERROR_USAGE, "--%s: '%s' is no number from 1 to %" G_GUINT64_FORMAT, name, text,
                     most);
}

static void show_state(const struct cli_input *input, const char *who, const char *state, const char *text)
{
    if (input->json)
        cli_print_json(json_pack("{s:i,s:s,s:{s:s,s:s,s:s}}", "v", 1, "type", "info", "data", "who", who,
                                 "state", state, "text", text));
    else
        printf("%-7s %-10s %s\n", who, state, text);
    fflush(stdout);
}

/* What tells this board from others: its serial number, else its unique id. */
static bool name_board(struct session *session, const struct board_identity *identity, char name[64],
                       GError **error)
{
    const struct profile_item *item = profile_item_find(session->profile, session->profile->serial_item);
    struct item_value value = {0};
    name[0] = '\0';
    if (item && !board_read_item(session->board, item, &value, error))
        return false;
    if (item && !value.absent)
        g_strlcpy(name, value.text, 64);
    for (unsigned i = 0; !name[0] && identity->has_unique_id && i < sizeof identity->unique_id; i++)
        g_snprintf(name + 2 * i, 3, "%02x", identity->unique_id[i]);
    return true;
}

static bool connect_board(const struct cli_input *input, struct session *session, GError **error)
{
    guint64 within;
    struct board_identity identity;
    g_autofree char *line = wire_line_format(&session->wire->line);
    g_autofree char *where = g_strdup_printf("%s at %s", session->wire->url, line);
    struct tick *tick = session->wire->tick;
    if (!number_option(input, "within", WITHIN_S, 86400, &within, error))
        return false;
    const int64_t deadline = tick_now(tick) + TICK_S((int64_t)within);
    show_state(input, "adapter", "open", where);
    for (bool told = false;; told = true) {
        g_autoptr(GError) silence = NULL;
        char name[64];
        if (board_identify(session->board, &identity, &silence) &&
            name_board(session, &identity, name, &silence)) {
            g_autofree char *text = g_strdup_printf("%s %s %s", name, identity.product, identity.firmware);
            show_state(input, "board", "connected", text);
            return true;
        }
        if (error_kind(silence) != ERROR_SILENT || tick_now(tick) >= deadline) {
            g_propagate_prefixed_error(error, g_steal_pointer(&silence),
                                       "adapter open, board not connected: ");
            return false;
        }
        if (!told)
            show_state(input, "board", "silent",
                       session->profile->wake ? session->profile->wake : "waiting for an answer");
        if (!wire_pause_ms(session->wire, LOOK_MS, error))
            return false;
    }
}

static bool set_clock(const struct cli_input *input, struct session *session, const char *name,
                      GError **error)
{
    struct tick *tick = session->wire->tick;
    int64_t shown;
    if (!board_clock_write(session->board, tick_wall(tick), error) ||
        !board_clock_read(session->board, &shown, error))
        return false;
    const int64_t off_ms = (shown - tick_wall(tick)) / 1000;
    if (ABS(off_ms) > CLOCK_OFF_MS)
        return error_set(error, ERROR_MISMATCH, "%s: the clock was set and is %" G_GINT64_FORMAT " ms off",
                         name, off_ms);
    g_autofree char *text = tick_format_utc(shown);
    g_autofree char *line = g_strdup_printf("%.19sZ", text);
    show_state(input, name, "clock-set", line);
    return true;
}

bool session_clock_auto(const struct cli_input *input, struct session *session, GError **error)
{
    guint64 count, done = 0;
    char last[64] = "";
    if (!number_option(input, "count", G_MAXUINT32, G_MAXUINT32, &count, error))
        return false;
    while (done < count) {
        g_autoptr(GError) failure = NULL;
        struct board_identity identity;
        char name[64] = "";
        bool there = board_identify(session->board, &identity, &failure) &&
                     name_board(session, &identity, name, &failure);
        if (there && strcmp(name, last) != 0) {
            if (set_clock(input, session, name, &failure)) {
                g_strlcpy(last, name, sizeof last);
                done++;
                continue;
            }
            there = false;
        }
        /* A battery that is being swapped is silent, and half of an answer may still come. */
        if (!there && !error_rule(failure)->retry) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!wire_pause_ms(session->wire, LOOK_MS, error))
            return false;
    }
    return true;
}

static int connect_verb(const struct cli_input *input)
{
    GError *error = NULL;
    struct session session = {0};
    bool ok = session_open(input, &session, &error) && connect_board(input, &session, &error);
    session_close(&session);
    return ok ? 0 : cli_fail(input, error);
}

/* can */
static void show_frame(struct wire *wire, const struct can_message *message)
{
    char text[CAN_TEXT_MAX];
    int64_t at = tick_wall(wire->tick);
    const char *name = strrchr(wire->url, ':') + 1, *slash = strrchr(name, '/');
    can_format(message, text);
    printf("(%010" G_GINT64_FORMAT ".%06d) %.15s %s\n", at / 1000000, (int)(at % 1000000),
           slash ? slash + 1 : name, text);
}

/* Shows what comes until the deadline. */
static bool listen_until(struct wire *wire, int64_t deadline_us, GError **error)
{
    while (tick_now(wire->tick) < deadline_us) {
        g_autoptr(GError) silence = NULL;
        struct can_message message;
        if (wire_receive_frame(wire, &message, deadline_us, &silence)) {
            show_frame(wire, &message);
        } else if (error_kind(silence) != ERROR_SILENT) {
            g_propagate_error(error, g_steal_pointer(&silence));
            return false;
        }
    }
    return true;
}

static bool send_frame(struct wire *wire, const struct can_message *message, GError **error)
{
    return wire_send_frame(wire, message, tick_deadline_ms(wire->tick, SEND_MS), error);
}

/* A log goes out with the pauses it was written with. */
static bool replay(struct wire *wire, const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = bind_read_file(path, LOG_BYTES, error);
    if (!bytes)
        return false;
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const int64_t began = tick_now(wire->tick);
    int64_t first = -1;
    for (guint i = 0; lines[i]; i++) {
        struct can_logged logged;
        g_strchomp(lines[i]);
        if (lines[i][0] == '\0' || lines[i][0] == '#')
            continue;
        if (!can_parse_log(lines[i], &logged, error)) {
            g_prefix_error(error, "%s:%u: ", path, i + 1);
            return false;
        }
        first = first < 0 ? logged.at_us : first;
        if (!listen_until(wire, began + MAX(logged.at_us - first, 0), error) ||
            (!logged.message.error && !send_frame(wire, &logged.message, error)))
            return false;
    }
    return true;
}

static bool speak(const struct cli_input *input, struct wire *wire, GError **error)
{
    guint64 listen;
    if (!number_option(input, "listen", LISTEN_MS, 86400000, &listen, error))
        return false;
    for (guint i = 0; i < input->arguments->len; i++) {
        struct can_message message;
        if (!can_parse(g_ptr_array_index(input->arguments, i), &message, error) ||
            !send_frame(wire, &message, error))
            return false;
    }
    if (cli_has(input, "replay") && !replay(wire, cli_get(input, "replay"), error))
        return false;
    return listen_until(wire, tick_deadline_ms(wire->tick, (int64_t)listen), error);
}

static int can_verb(const struct cli_input *input)
{
    GError *error = NULL;
    struct wire_options options = {.tick = tick_real()};
    if (!cli_has(input, "link"))
        return cli_usage(input, "--link is needed");
    bool ok = wire_line_parse(cli_has(input, "line") ? cli_get(input, "line") : "250000-can", &options.line,
                              &error);
    if (ok && !wire_line_is_can(&options.line))
        return cli_usage(input, "--line is the bit rate of a CAN bus, such as 250000-can");
    struct wire *wire = ok ? wire_open(cli_get(input, "link"), &options, &error) : NULL;
    ok = wire && speak(input, wire, &error);
    wire_close(wire);
    return ok ? 0 : cli_fail(input, error);
}

static const struct cli_option connect_options[] = {
    BOARD_OPTIONS, {"within", 0, "S", false, "how long to wait for the board; default 120"}, {NULL}};
static const struct cli_option can_options[] = {
    {"link", 'l', "URL", false, "can:IFACE, slcan:PORT or can-socket:PATH"},
    {"line", 0, "LINE", false, "bit rate; default 250000-can"},
    {"replay", 0, "FILE", false, "send what a log of candump -L holds, with its pauses"},
    {"listen", 0, "MS", false, "how long to show what comes; default 1000"},
    {NULL}};

const struct cli_verb cli_connect_verbs[] = {
    {.name = "board connect",
     .arguments = "",
     .summary = "open the adapter, then wait for the board, and say which of the two is there",
     .text = "Two states, as two lamps: the adapter is open, the board is connected. A board that sleeps is "
             "silent: "
             "the profile says what to do, and the station notices when it answers.",
     .options = connect_options,
     .run = connect_verb},
    {.name = "can",
     .arguments = "[FRAME…]",
     .arguments_max = 64,
     .summary = "send frames to a CAN bus and show what comes",
     .text = "Frames as cansend takes them, such as 601#4018100100000000; what comes is shown as candump -L "
             "does. Sends "
             "what it is given to whoever is on the bus: for engineers.",
     .options = can_options,
     .run = can_verb},
    {NULL},
};

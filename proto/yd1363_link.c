#include "proto/yd1363_link.h"

#include "station/base/error.h"

#include <string.h>

#define FRAMES_MAX 64 /* frames looked at in one wait: echoes and late replies */
#define SHOWN      64 /* characters of an answer in a message */

/* An answer does not say what it answers: one that comes late must not be taken for the next. */
struct link {
    int64_t owed_until_us; /* answers to lost requests may still come */
    size_t last_n;
    char last[YD1363_FRAME_MAX];
};

static struct link *link_of(struct board *board)
{
    if (!board->scratch)
        board->scratch = g_new0(struct link, 1);
    return board->scratch;
}

/* What came instead of an answer. */
struct waiting {
    const struct yd1363_exchange *x;
    const struct yd1363_frame *request;
    struct yd1363_decoder decoder;
    unsigned frames;
    char *why;
    GString *came; /* characters */
};

static void append_shown(GString *text, const struct yd1363_exchange *x, const char *came, size_t n)
{
    if (x->secret) {
        g_string_append(text, " (not shown)");
        return;
    }
    g_string_append_c(text, ' ');
    for (size_t i = 0; i < n && i < SHOWN; i++)
        if (came[i] > ' ' && came[i] <= '~')
            g_string_append_c(text, came[i]);
        else
            g_string_append_printf(text, "<%02X>", (uint8_t)came[i]);
    if (n > SHOWN)
        g_string_append(text, " …");
}

static void append_frame(GString *text, const struct yd1363_exchange *x, const struct yd1363_frame *frame)
{
    g_autofree char *came = g_malloc(YD1363_FRAME_MAX);
    const size_t n = yd1363_encode(frame, came);
    append_shown(text, x, came, n - 1);
}

bool yd1363_unfit(const struct board *board, const struct yd1363_exchange *x,
                  const struct yd1363_frame *reply, const char *why, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    append_frame(text, x, reply);
    return error_set(error, ERROR_GARBLED, "%s of board %u: %s:%s", x->name, board->address, why, text->str);
}

bool yd1363_wrong_size(const struct board *board, const struct yd1363_exchange *x,
                       const struct yd1363_frame *reply, size_t wanted, GError **error)
{
    g_autofree char *why = g_strdup_printf("the answer has %zu bytes, %zu are needed", reply->n, wanted);
    return yd1363_unfit(board, x, reply, why, error);
}

static bool refused(const struct board *board, const struct yd1363_exchange *x,
                    const struct yd1363_frame *reply, GError **error)
{
    const char *why = yd1363_rtn_name(reply->cid2), *advice = yd1363_rtn_advice(reply->cid2);
    g_autoptr(GString) text = g_string_new(NULL);
    append_frame(text, x, reply);
    return error_set(error, ERROR_REFUSED, "%s of board %u: the board answered '%s' (RTN %02XH): %s:%s",
                     x->name, board->address, why ? why : "a code that no document names", reply->cid2,
                     advice ? advice : "take the board to quality", text->str);
}

static void note(struct waiting *w, char *why)
{
    g_free(w->why);
    w->why = why;
}

static bool is_answer(struct waiting *w, const struct yd1363_frame *reply)
{
    const struct yd1363_frame *request = w->request;
    if (reply->address != request->address) {
        note(w, g_strdup_printf("an answer of board %u", reply->address));
        return false;
    }
    return reply->cid2 != request->cid2 || reply->n != request->n ||
           memcmp(reply->info, request->info, reply->n) != 0 || reply->cid2 == 0;
}

static bool nothing(struct waiting *w, GError **silent, GError **error)
{
    if (error_kind(*silent) == ERROR_SILENT && w->decoder.n > 0)
        note(w, g_strdup("cut short"));
    if (error_kind(*silent) == ERROR_SILENT && w->why) {
        g_autoptr(GString) text = g_string_new(NULL);
        append_shown(text, w->x, w->came->str, w->came->len);
        return error_set(error, ERROR_GARBLED, "garbled answer (%s): %zu characters came:%s", w->why,
                         w->came->len, text->str);
    }
    g_propagate_error(error, g_steal_pointer(silent));
    return false;
}

/* The first whole frame of this board that is not our own request echoed back. */
static bool receive(struct board *board, struct waiting *w, struct yd1363_frame *reply, int64_t deadline_us,
                    GError **error)
{
    size_t late = 0;
    while (w->frames < FRAMES_MAX) {
        uint8_t bytes[64];
        size_t got;
        g_autoptr(GError) silent = NULL;
        if (!wire_receive(board->wire, bytes, sizeof bytes, &got, deadline_us, &silent))
            return nothing(w, &silent, error);
        g_string_append_len(w->came, (const char *)bytes, (gssize)got);
        for (size_t i = 0; i < got; i++) {
            enum yd1363_state state = yd1363_decode(&w->decoder, bytes[i], reply);
            w->frames += state != YD1363_MORE;
            if (state == YD1363_BAD)
                note(w, g_strdup(w->decoder.why));
            if (state == YD1363_FRAME && is_answer(w, reply))
                return true;
        }
        /* A wire gives what has arrived even after the deadline. That may be a whole answer, but a far side
         * that never stops would be listened to for ever. */
        late += tick_now(board->wire->tick) > MIN(deadline_us, board->wire->limit_us) ? got : 0;
        if (late > YD1363_FRAME_MAX)
            return error_set(error, ERROR_GARBLED, "the line is never quiet and brings no answer");
    }
    return error_set(error, ERROR_GARBLED, "%d frames and none of them an answer", FRAMES_MAX);
}

/* After a loss, a request other than the lost one waits until no answer to that one can come any more. */
static bool settle(struct board *board, struct link *link, const char *text, size_t n, bool secret,
                   GError **error)
{
    const bool same = n == link->last_n && memcmp(text, link->last, n) == 0;
    const int64_t left = link->owed_until_us - tick_now(board->wire->tick);
    if (!same && left > 0 && !wire_pause_ms(board->wire, (left + 999) / 1000, error))
        return false;
    if (!same)
        link->owed_until_us = 0;
    link->last_n = secret ? 0 : n;
    memcpy(link->last, text, link->last_n);
    return wire_discard(board->wire, error);
}

/* lost: an answer to an earlier copy of this request, which may still come. */
static bool once(struct board *board, const struct yd1363_exchange *x, const struct yd1363_frame *request,
                 bool lost, struct yd1363_frame *reply, GError **error)
{
    struct link *link = link_of(board);
    struct tick *tick = board->wire->tick;
    g_autofree char *text = g_malloc(YD1363_FRAME_MAX);
    const size_t n = yd1363_encode(request, text);
    const int64_t patience = board->profile->reply_max + x->extra_us;
    struct waiting w = {.x = x, .request = request};
    bool ok = settle(board, link, text, n, x->secret, error) &&
              wire_send(board->wire, text, n, tick_now(tick) + TICK_S(10), error);
    if (x->secret)
        explicit_bzero(text, n);
    if (!ok)
        return false;
    const int64_t sent_us = tick_now(tick);
    board->frames++;
    w.came = g_string_new(NULL);
    yd1363_reset(&w.decoder);
    ok = receive(board, &w, reply, sent_us + patience, error);
    g_string_free(w.came, TRUE);
    g_free(w.why);
    board->frames_lost += !ok;
    if (!ok || lost)
        link->owed_until_us = sent_us + 2 * patience;
    return ok;
}

static bool known_version(const struct board *board, const struct yd1363_exchange *x,
                          const struct yd1363_frame *reply, GError **error)
{
    const struct profile_frame *frame = &board->profile->frame;
    gsize n = 0;
    const uint8_t *known = frame->answers ? g_bytes_get_data(frame->answers, &n) : NULL;
    if (n == 0 || memchr(known, reply->version, n))
        return true;
    g_autofree char *why = g_strdup_printf(
        "the board answers with VER %02XH, which the profile does not name under frame.answers",
        reply->version);
    return yd1363_unfit(board, x, reply, why, error);
}

static bool make_request(const struct board *board, const struct yd1363_exchange *x,
                         struct yd1363_frame *request, GError **error)
{
    const struct profile_command *command = x->code ? NULL : profile_command_find(board->profile, x->name);
    const struct profile_frame *frame = &board->profile->frame;
    if (!command && !x->code)
        return error_set(error, ERROR_REFUSED, "profile '%s' has no command '%s': not supported",
                         board->profile->profile, x->name);
    *request = (struct yd1363_frame){.version = (uint8_t)frame->version,
                                     .address = (uint8_t)board->address,
                                     .cid1 = (uint8_t)frame->equipment,
                                     .cid2 = (uint8_t)(command ? command->code : x->code)};
    if (command && command->info) {
        gsize fixed;
        const void *bytes = g_bytes_get_data(command->info, &fixed);
        memcpy(request->info, bytes, fixed);
        request->n = fixed;
    }
    if (x->n)
        memcpy(request->info + request->n, x->info, x->n);
    request->n += x->n;
    return true;
}

static bool repeat(struct board *board, const struct yd1363_exchange *x, const struct yd1363_frame *request,
                   struct yd1363_frame *reply, GError **error)
{
    const int64_t tries = x->repeat == YD1363_NEVER  ? 1
                          : x->repeat == YD1363_ONCE ? 2
                                                     : 1 + board->profile->retries;
    bool lost = false;
    for (int64_t i = 1;; i++) {
        g_autoptr(GError) failure = NULL;
        if (once(board, x, request, lost, reply, &failure)) {
            /* A damaged request is answered RTN 02 or 03 by some boards: the same as silence. */
            if ((reply->cid2 != 0x02 && reply->cid2 != 0x03) || i == tries)
                return known_version(board, x, reply, error) &&
                       (reply->cid2 == 0 || refused(board, x, reply, error));
        } else {
            lost = true;
            if (i == tries || !error_rule(failure)->retry) {
                g_propagate_prefixed_error(error, g_steal_pointer(&failure), "%s of board %u: ", x->name,
                                           board->address);
                return false;
            }
        }
        if (!wire_pause_ms(board->wire, MAX(board->profile->gap_min / 1000, 1), error))
            return false;
    }
}

bool yd1363_transact(struct board *board, const struct yd1363_exchange *x, struct yd1363_frame *reply,
                     GError **error)
{
    g_autofree struct yd1363_frame *request = g_new(struct yd1363_frame, 1);
    if (!make_request(board, x, request, error))
        return false;
    const bool ok = repeat(board, x, request, reply, error);
    if (x->secret)
        explicit_bzero(request, sizeof *request);
    return ok;
}

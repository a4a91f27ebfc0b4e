#include "station/screen.h"

#include "station/base/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 24

struct screen {
    const struct screen_watcher *watcher; /* NULL = a terminal or NDJSON */
    bool json, terminal, line_open;
    char title[96];
    char phase[32];
    int64_t phase_shown_us;
    int64_t shown_percent;
    unsigned steps;
};

struct screen *screen_new(bool json)
{
    struct screen *screen = g_new0(struct screen, 1);
    screen->json = json;
    screen->terminal = !json && isatty(STDOUT_FILENO);
    return screen;
}

struct screen *screen_new_watched(const struct screen_watcher *watcher)
{
    struct screen *screen = g_new0(struct screen, 1);
    screen->watcher = watcher;
    return screen;
}

void screen_free(struct screen *screen)
{
    g_free(screen);
}

static void close_line(struct screen *screen)
{
    if (screen->line_open)
        printf("\r\033[K");
    screen->line_open = false;
}

static void show_bar(struct screen *screen, const struct event *event)
{
    int64_t percent = event->total ? (int64_t)(event->done * 100 / event->total) : 100;
    bool last = event->done >= event->total;
    bool is_bytes = strcmp(event->phase, "erase") == 0 || strcmp(event->phase, "program") == 0 ||
                    strcmp(event->phase, "verify") == 0;
    if (screen->terminal) {
        char bar[BAR_WIDTH + 1];
        int filled = (int)(percent * BAR_WIDTH / 100);
        memset(bar, '.', BAR_WIDTH);
        memset(bar, '#', (size_t)filled);
        bar[BAR_WIDTH] = '\0';
        printf("\r\033[K       %-8s [%s] %3d %%  %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT "%s",
               event->phase, bar, (int)percent, event->done, event->total, is_bytes ? " bytes" : "");
        fflush(stdout);
        screen->line_open = true;
        if (last && is_bytes) {
            putchar('\n');
            screen->line_open = false;
        }
        return;
    }
    /* A log wants few lines: the ends of byte phases alone. */
    if (last && is_bytes)
        printf("       %-8s %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes\n", event->phase,
               event->done, event->total);
}

static void show_end(struct screen *screen, const struct event *event)
{
    close_line(screen);
    if (event->ok) {
        printf("  ok   %2d %-44s %6.1f s\n", event->step + 1, event->title, (double)event->duration_us / 1e6);
        return;
    }
    printf("  FAIL %2d %-44s %6.1f s\n       %s\n", event->step + 1, event->title,
           (double)event->duration_us / 1e6, event->text);
}

void screen_event(struct screen *screen, const struct event *event)
{
    if (screen->watcher) {
        screen->watcher->event(screen->watcher->context, event);
        return;
    }
    if (screen->json) {
        json_t *line = event_line_json(event);
        char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(line);
        return;
    }
    switch (event->type) {
    case EVENT_RUN_BEGIN:
        screen->steps = event->begin.steps;
        printf("run %" G_GINT64_FORMAT "  %s  recipe %s r%s  %s%s\n", event->run, event->begin.sn,
               event->begin.recipe, event->begin.recipe_revision,
               event->begin.production ? "production" : "TRIAL",
               event->begin.reference ? "  (reference dialect, not the vendor's protocol)" : "");
        break;
    case EVENT_STEP_BEGIN:
        if (screen->terminal) {
            printf("\r\033[K  …    %2d %s", event->step + 1, event->title);
            screen->line_open = true;
        }
        break;
    case EVENT_PROGRESS:
        show_bar(screen, event);
        break;
    case EVENT_NOTE:
        close_line(screen);
        printf("       note: %s\n", event->text);
        break;
    case EVENT_STEP_END:
        show_end(screen, event);
        break;
    default:
        break;
    }
    fflush(stdout);
}

void screen_verdict(struct screen *screen, const struct engine_result *result, const char *sn,
                    bool production)
{
    const char *word = event_verdict_name(result->verdict);
    if (screen->watcher)
        screen->watcher->verdict(screen->watcher->context, result, sn);
    if (screen->json || screen->watcher)
        return; /* RUN_END said it */
    close_line(screen);
    if (result->verdict == VERDICT_PASS) {
        printf("%s%s %s\n", production ? "" : "TRIAL ", word, sn);
        return;
    }
    printf("%s%s %s: %s\n", production ? "" : "TRIAL ", word, sn, result->text);
    if (result->advice)
        printf("       %s\n", result->advice);
}

void screen_line(struct screen *screen, const char *format, ...)
{
    va_list args;
    if (screen->watcher)
        return;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (screen->json) {
        json_t *line = json_pack("{s:i,s:s,s:{s:s}}", "v", 1, "type", "info", "data", "text", text);
        char *dump = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
        puts(dump);
        free(dump);
        json_decref(line);
    } else {
        close_line(screen);
        printf("%s\n", text);
    }
    fflush(stdout);
}

static bool read_line(char *line, size_t n)
{
    if (!fgets(line, (int)n, stdin))
        return false;
    g_strstrip(line);
    return true;
}

bool screen_ask(struct screen *screen, const struct desk_ask *ask, bool assume_yes,
                struct desk_answer *answer, GError **error)
{
    static const char *const units[] = {"yes or no", "yes (pass) or no (fail)", "a number with its unit",
                                        "text"};
    if (screen->watcher)
        return screen->watcher->ask(screen->watcher->context, ask, answer, error);
    close_line(screen);
    if (ask->question == ASK_CONFIRM && assume_yes) {
        screen_line(screen, "       %s  yes (--yes)", ask->text);
        answer->yes = true;
        return true;
    }
    if (!isatty(STDIN_FILENO))
        return error_set(error, ERROR_CANCELLED, "nobody is here to answer: %s", ask->text);
    for (int tries = 0; tries < 5; tries++) {
        fprintf(stderr, "       %s [%s] ", ask->text, units[ask->question]);
        if (!read_line(answer->text, sizeof answer->text))
            break;
        if (ask->question == ASK_TEXT && answer->text[0])
            return true;
        if (ask->question == ASK_NUMBER) {
            g_autoptr(GError) wrong = NULL;
            if (quantity_parse(answer->text, ask->quantity, &answer->number, &wrong))
                return true;
            fprintf(stderr, "       %s\n", wrong->message);
            continue;
        }
        answer->yes = g_ascii_tolower(answer->text[0]) == 'y';
        if (answer->yes || g_ascii_tolower(answer->text[0]) == 'n')
            return true;
    }
    return error_set(error, ERROR_CANCELLED, "no answer to: %s", ask->text);
}

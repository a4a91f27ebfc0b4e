#include "station/base/words.h"

#include <string.h>

#define WORD_MAX     64 /* longer words are never compared: the distance table lives on the stack */
#define EDITS_MAX    2
#define PREFIX_BYTES 3 /* a shorter beginning says nothing */

static void append_printable(GString *out, gunichar c)
{
    if (g_unichar_isprint(c))
        g_string_append_unichar(out, c);
    else if (c <= 0xff)
        g_string_append_printf(out, "\\x%02X", c);
    else
        g_string_append_printf(out, "\\u%04X", c);
}

char *words_printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);
    for (const char *at = valid; *at; at = g_utf8_next_char(at))
        append_printable(out, g_utf8_get_char(at));
    return g_string_free(out, FALSE);
}

char *words_shown(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new("'");
    unsigned count = 0;
    const char *at = valid;
    for (; *at && count < WORDS_SHOWN_MAX; at = g_utf8_next_char(at), count++)
        append_printable(out, g_utf8_get_char(at));
    g_string_append(out, *at ? "…'" : "'");
    return g_string_free(out, FALSE);
}

/* Case and the choice between - and _ are no difference. */
static char plain(char c)
{
    return c == '-' ? '_' : g_ascii_tolower(c);
}

/* Optimal string alignment: insert, delete, replace, swap neighbours. */
static unsigned distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    unsigned cell[3][WORD_MAX + 1];
    if (rows > WORD_MAX || columns > WORD_MAX)
        return G_MAXUINT;
    for (size_t j = 0; j <= columns; j++)
        cell[0][j] = (unsigned)j;
    for (size_t i = 1; i <= rows; i++) {
        unsigned *now = cell[i % 3], *last = cell[(i + 2) % 3], *before = cell[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= columns; j++) {
            char x = plain(a[i - 1]), y = plain(b[j - 1]);
            now[j] = MIN(MIN(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == plain(b[j - 2]) && y == plain(a[i - 2]))
                now[j] = MIN(now[j], before[j - 2] + 1);
        }
    }
    return cell[rows % 3][columns];
}

static bool begins(const char *a, const char *b)
{
    size_t length = MIN(strlen(a), strlen(b));
    return length >= PREFIX_BYTES && g_ascii_strncasecmp(a, b, length) == 0;
}

const char *words_nearest(const char *typed, const char *const *words)
{
    static const size_t letters_needed[EDITS_MAX + 1] = {0, 2, 5};
    const char *best = NULL;
    unsigned least = G_MAXUINT;
    for (; *words; words++) {
        unsigned edits = distance(typed, *words);
        /* Two edits make "time" of "name", so short words get fewer. */
        if (edits > EDITS_MAX || MAX(strlen(typed), strlen(*words)) < letters_needed[edits])
            edits = begins(typed, *words) ? EDITS_MAX + 1 : G_MAXUINT;
        if (edits < least) {
            least = edits;
            best = *words;
        }
    }
    return best;
}

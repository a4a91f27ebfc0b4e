#include "station/base/bind_node.h"

#include <string.h>

struct bind_cursor bind_cursor_start(GBytes *bytes)
{
    static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark is no character of the text */
    gsize size = 0;
    const char *data = g_bytes_get_data(bytes, &size);
    data = data ? data : ""; /* an empty GBytes has none, and libyaml asserts that there is some */
    struct bind_cursor cursor = {data, data + size, {1, 1}, 0};
    if (size >= 3 && memcmp(data, mark, 3) == 0)
        cursor.at += 3;
    return cursor;
}

bool bind_cursor_next(struct bind_cursor *cursor, gunichar *c)
{
    if (cursor->at >= cursor->end)
        return false;
    gunichar read = g_utf8_get_char_validated(cursor->at, cursor->end - cursor->at);
    /* The validated reader takes U+0000 for the end of the text. */
    if (*cursor->at == '\0')
        read = 0;
    bool broken = read == (gunichar)-1 || read == (gunichar)-2;
    const char *last = cursor->at;
    cursor->at += broken || read == 0 ? 1 : g_utf8_skip[(unsigned char)*last];
    cursor->index++;
    if (read == '\r' && cursor->at < cursor->end && *cursor->at == '\n') {
        cursor->at++;
        cursor->index++;
    }
    if (read == '\n' || read == '\r' || read == 0x85 || read == 0x2028 || read == 0x2029) {
        cursor->place.line++;
        cursor->place.column = 1;
        *c = '\n';
        return true;
    }
    cursor->place.column++;
    *c = broken ? (gunichar)-1 : read;
    return true;
}

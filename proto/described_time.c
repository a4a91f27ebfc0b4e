/* What the clock of a board shows, in its form and its zone. */
#include "proto/described.h"

#include "station/base/error.h"

#include <string.h>

#define EPOCH_1984 INT64_C(441763200) /* s, 1984-01-01 */
#define DAY_S      86400
#define YEAR_FIRST 2000
#define YEAR_LAST  2099

/* Seconds that local time is ahead of UTC at an instant of UTC. A clock that shows local time shows it with
 * the offset of now, whatever day it thinks it is. */
static int64_t ahead(const struct profile_clock *clock, int64_t now_us)
{
    if (!clock->local)
        return 0;
    g_autoptr(GTimeZone) zone = g_time_zone_new_local();
    return g_time_zone_get_offset(zone,
                                  g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, now_us / 1000000));
}

static bool no_time(int year, const uint8_t *p, GError **error)
{
    return error_set(error, ERROR_GARBLED, "the clock says %d-%u-%u %u:%u:%u, which is no time", year, p[0],
                     p[1], p[2], p[3], p[4]);
}

static bool decode_canopen(const uint8_t *b, int64_t *shown_us, GError **error)
{
    int64_t ms = b[0] | b[1] << 8 | b[2] << 16 | (b[3] & 0x0f) << 24, days = b[4] | b[5] << 8;
    if (ms >= DAY_S * INT64_C(1000))
        return error_set(error, ERROR_GARBLED,
                         "the clock says %" G_GINT64_FORMAT " ms after midnight, which is more than a day",
                         ms);
    *shown_us = (EPOCH_1984 + days * DAY_S) * 1000000 + ms * 1000;
    return true;
}

bool described_time_decode(const struct profile_clock *clock, const uint8_t *b, int64_t now_us,
                           int64_t *wall_us, GError **error)
{
    int64_t shown_us = 0;
    if (clock->form == CLOCK_CANOPEN) {
        if (!decode_canopen(b, &shown_us, error))
            return false;
    } else {
        const bool plain = clock->form == CLOCK_YMDHMS;
        const uint8_t *p = plain ? b + 1 : b + 2;
        const int year = plain ? YEAR_FIRST + b[0] : b[0] | b[1] << 8;
        g_autoptr(GDateTime) shown = g_date_time_new_utc(year, p[0], p[1], p[2], p[3], p[4]);
        if (!shown)
            return no_time(year, p, error);
        shown_us = g_date_time_to_unix(shown) * 1000000;
    }
    *wall_us = shown_us - ahead(clock, now_us) * 1000000;
    return true;
}

static void encode_canopen(int64_t shown_us, uint8_t bytes[8])
{
    const int64_t day = DAY_S * INT64_C(1000), ms = shown_us / 1000 - EPOCH_1984 * 1000;
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(ms % day >> (8 * i));
    bytes[4] = (uint8_t)(ms / day);
    bytes[5] = (uint8_t)(ms / day >> 8);
}

bool described_time_encode(const struct profile_clock *clock, int64_t wall_us, uint8_t bytes[8],
                           GError **error)
{
    const int64_t shown_us = wall_us + ahead(clock, wall_us) * 1000000;
    g_autoptr(GDateTime) shown = g_date_time_new_from_unix_utc(shown_us / 1000000);
    memset(bytes, 0, 8);
    if (!shown || g_date_time_get_year(shown) < YEAR_FIRST || g_date_time_get_year(shown) > YEAR_LAST)
        return error_set(error, ERROR_RULE, "the station's clock shows no year from %d to %d", YEAR_FIRST,
                         YEAR_LAST);
    if (clock->form == CLOCK_CANOPEN) {
        encode_canopen(shown_us, bytes);
        return true;
    }
    const bool plain = clock->form == CLOCK_YMDHMS;
    const int year = g_date_time_get_year(shown);
    uint8_t *p = plain ? bytes + 1 : bytes + 2;
    bytes[0] = (uint8_t)(plain ? year - YEAR_FIRST : year);
    if (!plain)
        bytes[1] = (uint8_t)(year >> 8);
    p[0] = (uint8_t)g_date_time_get_month(shown);
    p[1] = (uint8_t)g_date_time_get_day_of_month(shown);
    p[2] = (uint8_t)g_date_time_get_hour(shown);
    p[3] = (uint8_t)g_date_time_get_minute(shown);
    p[4] = (uint8_t)g_date_time_get_second(shown);
    return true;
}

/* A virtual board of family clever behind a loop wire, and its profile with a setting changed. */
#pragma once

#include "far.h"

#include "proto/board.h"
#include "station/base/error.h"

#define PROFILE SOURCE_DIR "/recipes/boards/clever-176x33.yaml"
#define PUBLIC  SOURCE_DIR "/recipes/boards/topbms-v17.yaml"

struct fixture {
    struct far far;
    struct profile *profile;
    struct board *board;
};

/* from → to in the profile's text, so that a setting can be another one. */
static inline struct profile *load(const char *path, const char *from, const char *to)
{
    g_autofree char *text = NULL;
    GError *error = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    if (from) {
        g_auto(GStrv) parts = g_strsplit(text, from, 2);
        g_assert_nonnull(parts[1]);
        g_free(text);
        text = g_strjoinv(to, parts);
    }
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(bind_report_auto) report = bind_report_new("p", bytes);
    struct profile *profile = profile_load("p", bytes, report);
    if (!profile)
        bind_report_check(report, &error);
    g_assert_no_error(error);
    return profile;
}

static inline void wait_ms(struct fixture *f, int64_t ms)
{
    tick_sleep_until(&f->far.clock.tick, tick_deadline_ms(&f->far.clock.tick, ms));
}

static inline void open_with(struct fixture *f, struct profile *profile, const char *const *defects)
{
    GError *error = NULL;
    f->profile = profile;
    far_open_at(&f->far, "clever", 3, "9600-8N1", false, defects);
    wait_ms(f, 500);
    f->board = board_open(f->profile, f->far.wire, 3, false, &error);
    g_assert_no_error(error);
}

static inline void set_up(struct fixture *f, const char *defect)
{
    const char *const defects[] = {defect, NULL};
    open_with(f, load(PROFILE, NULL, NULL), defect ? defects : NULL);
}

static inline void tear_down(struct fixture *f)
{
    board_close(f->board);
    far_close(&f->far);
    profile_free(f->profile);
}

static inline void login(struct fixture *f)
{
    GError *error = NULL;
    struct secret *password = secret_from_text("AF123456");
    g_assert_true(board_login(f->board, 1, password, &error));
    secret_free(password);
}

static inline struct item_value value_of(struct fixture *f, const char *key, const char *text)
{
    struct item_value value;
    GError *error = NULL;
    bool ok = profile_value_parse(profile_item_find(f->profile, key), text, &value, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return value;
}

static inline void write_text(struct fixture *f, const char *key, const char *text)
{
    GError *error = NULL;
    const struct item_value value = value_of(f, key, text);
    bool ok = board_write_item(f->board, &value, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
}

static inline int64_t raw(struct fixture *f, const char *key)
{
    struct item_value value;
    GError *error = NULL;
    bool ok = board_read_item(f->board, profile_item_find(f->profile, key), &value, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return value.raw;
}

/* A table with every type, for the tests of the binder. */
#pragma once

#include "station/base/bind.h"

#include <string.h>

struct sample_inner {
    char *name;
    struct bind_place place;
    int64_t volt_mv;
};

struct sample_wait {
    int64_t time_us;
    struct bind_place place;
};

struct sample {
    char *model;
    struct bind_place place;
    int64_t cells, address, timeout_us, date_us, count;
    bool flag;
    int mode;
    GBytes *key;
    struct sample_inner inner;
    GPtrArray *list, *texts, *pairs, *steps;
    GArray *numbers;
};

static const struct bind_choice sample_modes[] = {
    {"slow", 1, "Takes its time."},
    {"fast", 2, "Hurries."},
    {"turbo", 7, "Hurries more."},
    {NULL, 0, NULL},
};

static const struct bind_field sample_inner_fields[] = {
    {.key = "name",
     .type = BIND_TEXT,
     .offset = offsetof(struct sample_inner, name),
     .required = true,
     .max = 16,
     .min = 2,
     .doc = "Its name."},
    {.key = "volt",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct sample_inner, volt_mv),
     .quantity = QUANTITY_VOLTAGE,
     .min = 2000,
     .max = 4000,
     .preset = "3.2 V",
     .doc = "Its voltage."},
    {.key = NULL},
};
static const struct bind_schema sample_inner = {"inner", "An inner map.", sizeof(struct sample_inner),
                                                offsetof(struct sample_inner, place), sample_inner_fields};

static const struct bind_field sample_wait_fields[] = {
    {.key = "time",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct sample_wait, time_us),
     .quantity = QUANTITY_TIME,
     .required = true,
     .doc = "How long."},
    {.key = NULL},
};
static const struct bind_schema sample_wait = {"wait", "Waits.", sizeof(struct sample_wait),
                                               offsetof(struct sample_wait, place), sample_wait_fields};

static const struct bind_variant sample_steps[] = {
    {"wait", &sample_wait},
    {"measure", &sample_inner},
    {NULL, NULL},
};

static const struct bind_field sample_fields[] = {
    {.key = "model",
     .type = BIND_TEXT,
     .offset = offsetof(struct sample, model),
     .required = true,
     .pattern = "[A-Z0-9-]+",
     .doc = "The board's model."},
    {.key = "cells",
     .type = BIND_INTEGER,
     .offset = offsetof(struct sample, cells),
     .min = 1,
     .max = 32,
     .preset = "16",
     .doc = "Cells in series."},
    {.key = "address",
     .type = BIND_ADDRESS,
     .offset = offsetof(struct sample, address),
     .min = 0x08000000,
     .max = 0x0800ffff,
     .doc = "Where it goes | is loaded."},
    {.key = "timeout",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct sample, timeout_us),
     .quantity = QUANTITY_TIME,
     .preset = "30 s",
     .min = 1000,
     .max = INT64_MAX,
     .doc = "How long to wait."},
    {.key = "date", .type = BIND_DATE, .offset = offsetof(struct sample, date_us), .doc = "A day."},
    {.key = "count",
     .type = BIND_QUANTITY,
     .offset = offsetof(struct sample, count),
     .quantity = QUANTITY_NONE,
     .doc = "A count."},
    {.key = "flag",
     .type = BIND_FLAG,
     .offset = offsetof(struct sample, flag),
     .preset = "true",
     .doc = "A flag."},
    {.key = "mode",
     .type = BIND_CHOICE,
     .offset = offsetof(struct sample, mode),
     .choices = sample_modes,
     .preset = "fast",
     .doc = "How it is done."},
    {.key = "key",
     .type = BIND_HEX,
     .offset = offsetof(struct sample, key),
     .min = 2,
     .max = 4,
     .doc = "Some bytes."},
    {.key = "inner",
     .type = BIND_MAP,
     .offset = offsetof(struct sample, inner),
     .child = &sample_inner,
     .doc = "One inner map."},
    {.key = "list",
     .type = BIND_LIST,
     .offset = offsetof(struct sample, list),
     .child = &sample_inner,
     .min = 1,
     .max = 3,
     .doc = "Many inner maps."},
    {.key = "texts",
     .type = BIND_TEXTS,
     .offset = offsetof(struct sample, texts),
     .min = 0,
     .max = 30000,
     .doc = "Texts."},
    {.key = "numbers", .type = BIND_INTEGERS, .offset = offsetof(struct sample, numbers), .doc = "Numbers."},
    {.key = "pairs",
     .type = BIND_PAIRS,
     .offset = offsetof(struct sample, pairs),
     .pattern = "[a-z_]+",
     .doc = "Free keys."},
    {.key = "steps",
     .type = BIND_VARIANTS,
     .offset = offsetof(struct sample, steps),
     .variants = sample_steps,
     .tag_key = "do",
     .doc = "Steps."},
    {.key = NULL},
};
static const struct bind_schema sample_schema = {"packline/sample/1", "A sample file.", sizeof(struct sample),
                                                 offsetof(struct sample, place), sample_fields};

/* Loads a text; the caller frees both. */
static inline struct sample *sample_load(const char *text, struct bind_report **report)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    *report = bind_report_new("f.yaml", bytes);
    return bind_load(&sample_schema, bytes, *report);
}

/* The report as one text: "3:8 message (hint)\n" for each entry, sorted. */
static inline char *sample_refusals(const char *text)
{
    g_autoptr(bind_report_auto) report = NULL;
    struct sample *sample = sample_load(text, &report);
    json_t *array = bind_report_json(report), *entry;
    GString *out = g_string_new(NULL);
    size_t i;
    g_assert_true((sample == NULL) == (bind_report_errors(report) > 0));
    bind_free(&sample_schema, sample);
    json_array_foreach(array, i, entry)
    {
        const char *hint = json_string_value(json_object_get(entry, "hint"));
        g_string_append_printf(out, "%d:%d %s%s%s%s\n",
                               (int)json_integer_value(json_object_get(entry, "line")),
                               (int)json_integer_value(json_object_get(entry, "column")),
                               json_string_value(json_object_get(entry, "message")), hint ? " (" : "",
                               hint ? hint : "", hint ? ")" : "");
    }
    json_decref(array);
    return g_string_free(out, FALSE);
}

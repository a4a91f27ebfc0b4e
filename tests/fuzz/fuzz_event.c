/* Events whose words and numbers come from a board or from people: the line for integrators is one line of
 * JSON that reads the same again, whatever is in it. */
#include "tests/fuzz/fuzz.h"

#include "station/event.h"

#define WORDS 40

static int64_t number_of(const char *text)
{
    uint8_t bytes[8] = {0};
    int64_t number;
    memcpy(bytes, text, MIN(strlen(text), sizeof bytes));
    memcpy(&number, bytes, sizeof number);
    return number;
}

static void fill(struct event *e, char **w)
{
    struct event_run *run = &e->begin;
    const char **const texts[] = {&e->verb,
                                  &e->title,
                                  &e->key,
                                  &e->text,
                                  &e->detail,
                                  &e->unique_id,
                                  &e->sn,
                                  &e->product,
                                  &e->hardware,
                                  &e->firmware,
                                  &e->bootloader,
                                  &e->mcu_id,
                                  &e->before,
                                  &e->written,
                                  &e->found,
                                  &e->stage,
                                  &e->instrument,
                                  &e->phase,
                                  &run->station,
                                  &run->slot,
                                  &run->scan,
                                  &run->sn,
                                  &run->model,
                                  &run->recipe,
                                  &e->error_kind,
                                  &run->profile,
                                  &run->recipe_sha256,
                                  &run->operator_name,
                                  &run->package_version};
    for (gsize i = 0; i < G_N_ELEMENTS(texts) && *w; i++)
        *texts[i] = *w++;
    int64_t *const numbers[] = {&e->value,     &e->min,    &e->max,    &e->raw_written,
                                &e->raw_found, &e->now_us, &e->wall_us};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers) && *w; i++)
        *numbers[i] = number_of(*w++);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event event = {.step = -1, .has_min = true, .has_max = true};
    if (size < 3)
        return 0;
    event.type = data[0] % EVENT_TYPES;
    event.quantity = data[1] % QUANTITIES;
    event.verdict = data[2] % (VERDICT_ABORTED + 1);
    g_autofree char *text = g_strndup((const char *)data + 3, size - 3);
    g_auto(GStrv) words = g_strsplit(text, "|", WORDS);
    fill(&event, words);
    json_t *json = event_line_json(&event);
    char *line = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    g_assert_nonnull(line);
    g_assert_null(strchr(line, '\n'));
    json_t *again = json_loads(line, 0, NULL);
    g_assert_true(json_equal(json, again));
    json_decref(again);
    json_decref(json);
    free(line);
    return 0;
}

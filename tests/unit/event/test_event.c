/* The objects that integrators read: stable types, no NULL from foreign bytes. */
#include "station/event.h"

#include <string.h>

static void test_lines(void)
{
    static const char *const types[EVENT_TYPES] = {[EVENT_RUN_BEGIN] = "task_begin",
                                                   [EVENT_STEP_BEGIN] = "task_begin",
                                                   [EVENT_INTENT] = "info",
                                                   [EVENT_RESULT] = "info",
                                                   [EVENT_IDENTITY] = "info",
                                                   [EVENT_VALUE] = "info",
                                                   [EVENT_MEASUREMENT] = "info",
                                                   [EVENT_IMAGE] = "info",
                                                   [EVENT_NOTE] = "log",
                                                   [EVENT_PROGRESS] = "task_progress",
                                                   [EVENT_STEP_END] = "task_end",
                                                   [EVENT_RUN_END] = "task_end"};
    for (int type = 0; type < EVENT_TYPES; type++) {
        const struct event event = {
            .type = (enum event_type)type, .run = 7, .step = 2, .text = "caf\xe9 \x01", .phase = "erase"};
        json_t *line = event_line_json(&event);
        g_assert_nonnull(line);
        g_assert_cmpint(json_integer_value(json_object_get(line, "v")), ==, 1);
        g_assert_cmpstr(json_string_value(json_object_get(line, "type")), ==, types[type]);
        json_t *data = json_object_get(line, "data");
        g_assert_cmpstr(json_string_value(json_object_get(data, "event")), ==, event_type_name(event.type));
        g_assert_cmpint(json_integer_value(json_object_get(data, "run")), ==, 7);
        char *text = json_dumps(line, JSON_COMPACT);
        g_assert_nonnull(text);
        g_assert_null(strchr(text, '\n'));
        free(text);
        json_decref(line);
    }
}

static void test_measurement(void)
{
    const struct event event = {.type = EVENT_MEASUREMENT,
                                .key = "cell_max",
                                .quantity = QUANTITY_VOLTAGE,
                                .value = 3305,
                                .max = 3550,
                                .has_max = true,
                                .ok = true};
    json_t *data = event_json(&event);
    g_assert_cmpstr(json_string_value(json_object_get(data, "shown")), ==, "3.305 V");
    g_assert_cmpint(json_integer_value(json_object_get(data, "max")), ==, 3550);
    g_assert_null(json_object_get(data, "min"));
    g_assert_true(json_is_true(json_object_get(data, "ok")));
    json_decref(data);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/event/lines", test_lines);
    g_test_add_func("/event/measurement", test_measurement);
    return g_test_run();
}

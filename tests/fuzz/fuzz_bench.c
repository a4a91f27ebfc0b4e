/* An instrument that answers anything, and a bench command that says anything to the virtual board. */
#include "tests/fuzz/fuzz.h"

#include "proto/virtual/vboard.h"
#include "station/base/error.h"
#include "station/bench.h"

extern const struct bench_kind bench_scpi_kind;
bool bench_scpi_start(struct bench *bench, const char *identity, GError **error);

static void ask_board(const uint8_t *data, size_t size)
{
    const struct vboard_options options = {.family = vboard_families()[0], .address = 1, .unit_seed = 1};
    struct vboard *board = vboard_new(&options, 0, NULL);
    g_autofree char *line = g_strndup((const char *)data, size);
    g_free(vboard_bench_command(board, line, 1000));
    vboard_free(board);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_answers answers;
    g_autoptr(GError) error = NULL;
    int64_t value;
    ask_board(data, size);
    fuzz_answers_open(&answers, data, size, "9600-8N1");
    answers.babble = size > 0 && data[0] & 1;
    struct bench *bench = g_new0(struct bench, 1);
    bench->kind = &bench_scpi_kind;
    bench->tick = &answers.clock.tick;
    bench->wire = answers.wire;
    bool ok = bench_scpi_start(bench, "", &error) && bench_set_current(bench, 20000, &error) &&
              bench_read_current(bench, &value, &error) && bench_read_temperature(bench, &value, &error) &&
              bench_read_cell(bench, 3, &value, &error);
    g_assert_true(ok || error);
    bench_close(bench); /* closes the wire */
    answers.wire = NULL;
    fuzz_answers_close(&answers);
    return 0;
}

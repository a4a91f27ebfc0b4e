/* The application of a tianpower board, written from docs/families/tianpower.md alone. */
#include "proto/virtual/parts.h"

#include <string.h>

extern const struct vb_family vb_family_tianpower;

#define REPLY_MS    20
#define SILENCE_US  50000 /* a frame that stops in its middle is none */
#define CELLS       16
#define ZERO_RAW    30000 /* of a current in 10 mA */
#define HEAT_RAW    50    /* of a temperature in °C */
#define REST_MA     500
#define LOW_CELL_MV 130
#define FULL_RAW    10000 /* 10 mAh */
#define SOC_RAW     5000  /* 0.01 % */
#define NOTHING     0x70  /* a block nobody reaches: the defects want one */
#define MODEL       "QT-YS00-16SV100A-V3.40"
#define OTHER_MODEL "TP-BD16S48V150-V3.1.29"
#define HARDWARE    "TP-BD16S-HW1.0 "

struct vb_app {
    uint8_t frame[6 + 255];
    unsigned n;
    int64_t heard_us;
};

static struct vb_app *app_new(void)
{
    return g_new0(struct vb_app, 1);
}

static void app_free(struct vb_app *app)
{
    g_free(app);
}

static void app_start(struct vboard *board, int64_t now_us)
{
    memset(board->app, 0, sizeof *board->app);
    board->app->heard_us = now_us;
}

static void factory(struct vboard *board)
{
    vb_block_add(&board->nvm, 0, NOTHING, 2);
}

static int64_t cell_mv(const struct vboard *board, unsigned cell)
{
    return vb_cell_mv(board, cell) - (cell == 3 && vb_defect(board, "cell-spread") ? LOW_CELL_MV : 0);
}

struct groups {
    uint8_t bytes[255];
    unsigned n;
};

static void begin(struct groups *g, uint8_t number, uint8_t count)
{
    g->bytes[g->n++] = number;
    g->bytes[g->n++] = count;
}

static void word(struct groups *g, int64_t value)
{
    g->bytes[g->n++] = (uint8_t)((uint64_t)value >> 8);
    g->bytes[g->n++] = (uint8_t)value;
}

static void single(struct groups *g, uint8_t number, int64_t value)
{
    begin(g, number, 1);
    word(g, value);
}

/* A cell that is being balanced has its highest bit set. */
static void cells(struct vboard *board, struct groups *g)
{
    begin(g, 1, CELLS);
    for (unsigned i = 0; i < CELLS; i++)
        word(g, cell_mv(board, i) | (i % 7 == 0 ? 0x8000 : 0));
}

/* Four of the cells, then MOSFETs and surroundings; their high bytes carry other things. */
static void heats(struct vboard *board, struct groups *g)
{
    static const unsigned sensors[] = {0, 1, 2, 3, 4, 5}, more[] = {0, 0, 0, 0, 0x8000, 0x2000};
    begin(g, 5, 6);
    for (unsigned i = 0; i < 6; i++)
        word(g, (vb_temperature_mdeg(board, sensors[i]) / 1000 + HEAT_RAW) | more[i]);
}

static void state(struct vboard *board, struct groups *g, int64_t ma)
{
    const int64_t flag = vb_defect_number(board, "flag", -1);
    unsigned bits = ma > REST_MA ? 1u : ma < -REST_MA ? 2u : 0;
    if (flag >= 0)
        bits |= 1u << flag % 16;
    begin(g, 6, 5);
    word(g, 0);
    word(g, bits);
    for (unsigned i = 0; i < 3; i++)
        word(g, 0);
}

static void measure(struct vboard *board, struct groups *g)
{
    const int64_t ma = vb_current_ma(board, true);
    int64_t sum = 0;
    for (unsigned i = 0; i < CELLS; i++)
        sum += cell_mv(board, i);
    cells(board, g);
    single(g, 2, CLAMP(ZERO_RAW - ma / 10, 0, UINT16_MAX));
    single(g, 3, SOC_RAW);
    single(g, 4, FULL_RAW);
    heats(board, g);
    state(board, g, ma);
    single(g, 7, 1);
    single(g, 8, sum / 10);
    single(g, 9, 10000);
    single(g, 10, 0);
}

static bool get(struct vboard *board, uint8_t function, struct groups *g)
{
    const char *model = vb_defect(board, "wrong-product") ? OTHER_MODEL : MODEL;
    switch (function) {
    case 0x01:
        measure(board, g);
        return true;
    case 0x33:
        g->n = (unsigned)strlen(model);
        memcpy(g->bytes, model, g->n);
        return true;
    case 0x42:
        g->n = (unsigned)strlen(HARDWARE);
        memcpy(g->bytes, HARDWARE, g->n);
        return true;
    default:
        return false;
    }
}

static uint8_t check_of(const uint8_t *bytes, unsigned n)
{
    uint8_t all = 0, sum = 0;
    while (n--) {
        all ^= *bytes;
        sum = (uint8_t)(sum + *bytes++);
    }
    return all ^ sum;
}

/* What it does not know it does not answer. */
static void answer(struct vboard *board, int64_t now_us)
{
    const uint8_t *frame = board->app->frame;
    const unsigned n = board->app->n;
    struct groups g = {.n = 0};
    uint8_t reply[4 + 255 + 2];
    if (frame[n - 1] != 0x0d || frame[n - 2] != check_of(frame, n - 2) || frame[1] != board->address ||
        !get(board, frame[2], &g))
        return;
    memcpy(reply, frame, 3);
    reply[3] = (uint8_t)g.n;
    memcpy(reply + 4, g.bytes, g.n);
    reply[4 + g.n] = check_of(reply, 4 + g.n);
    reply[5 + g.n] = 0x0d;
    vb_send(board, reply, 6 + g.n, now_us + vb_ms(board, REPLY_MS));
}

static void app_byte(struct vboard *board, uint8_t byte, int64_t now_us)
{
    struct vb_app *app = board->app;
    if (now_us - app->heard_us > SILENCE_US)
        app->n = 0;
    app->heard_us = now_us;
    if (app->n == 0 && byte != 0x7e && byte != 0x7c)
        return;
    app->frame[app->n++] = byte;
    if (app->n < 4 || app->n < 6u + app->frame[3])
        return;
    answer(board, now_us);
    app->n = 0;
}

const struct vb_family vb_family_tianpower = {.name = "tianpower",
                                              .factory = factory,
                                              .app_new = app_new,
                                              .app_free = app_free,
                                              .app_start = app_start,
                                              .app_byte = app_byte,
                                              .correction = vb_true_correction,
                                              .cells = CELLS,
                                              .parameters = NOTHING};

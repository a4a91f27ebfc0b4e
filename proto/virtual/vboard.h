/* A virtual board: the far side of the wire, with its own flash, non-volatile memory, clock and physics.
 *
 * It shares no code with the drivers that talk to it and takes no part in their opinions: what it does is
 * written from the manuals and the published documents alone. Pure: bytes and instants in, bytes out; the
 * caller owns time and sockets, so it runs under a virtual clock in one process or behind packline-board in
 * real time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vboard;

struct vboard_options {
    const char *family;         /* "basen" */
    const char *state_path;     /* non-volatile memory and flash; NULL = in memory only */
    bool fast;                  /* flash and settle times divided by 100 */
    bool bootloader;            /* powered up with the boot pin set */
    unsigned address;           /* on the bus, or its DIP switches; 0 = as the family comes */
    bool address_zero;          /* address 0, of a family that has it */
    uint64_t unit_seed;         /* unique id, sensor and calibration errors derive from it */
    int64_t wall_us;            /* UTC at power-on, for a clock that was never set it is ignored */
    const char *const *defects; /* names, NULL-terminated; vboard_defects lists them */
};

struct vboard *vboard_new(const struct vboard_options *options, int64_t now_us, GError **error);
void vboard_free(struct vboard *board); /* saves the non-volatile memory */

void vboard_accept(struct vboard *board, const uint8_t *bytes, size_t n, int64_t now_us);
/* Bytes that have left the board by now. */
size_t vboard_produce(struct vboard *board, uint8_t *bytes, size_t max, int64_t now_us);
/* Next instant at which the board does something by itself; INT64_MAX for never. */
int64_t vboard_next_us(struct vboard *board);
void vboard_lines(struct vboard *board, bool dtr, bool rts, int64_t now_us); /* DTR = boot pin, RTS = reset */
void vboard_power(struct vboard *board, bool on, int64_t now_us);
void vboard_reset_button(struct vboard *board, bool pressed, int64_t now_us);

/* The bench around the board: what physics it sees. */
void vboard_bench_current(struct vboard *board, int64_t ma);       /* charge positive */
void vboard_bench_temperature(struct vboard *board, int64_t mdeg); /* m°C of all sensors */
int64_t vboard_bench_cells_mv(struct vboard *board);               /* true mean cell voltage */

/* The line protocol of a bench control socket (SCPI-like, one command a line, docs/virtual-bench.md); the
 * answer is newly allocated, "" when the command has none. */
char *vboard_bench_command(struct vboard *board, const char *line, int64_t now_us);

/* Truth for oracles and tests: not reachable over the wire. */
void vboard_truth_unique_id(const struct vboard *board, uint8_t id[12]);
const uint8_t *vboard_truth_flash(const struct vboard *board, uint32_t *address, size_t *size);
/* Raw non-volatile block bytes as the board holds them; false for an unknown block. */
bool vboard_truth_block(const struct vboard *board, unsigned block, const uint8_t **bytes, size_t *n);
/* Block by block; false when there are no more. */
bool vboard_truth_nth_block(const struct vboard *board, unsigned i, unsigned *block, const uint8_t **bytes,
                            size_t *n);
bool vboard_truth_running(const struct vboard *board); /* the application runs (image intact) */
/* What the board's clock shows, µs UTC. */
int64_t vboard_truth_clock_us(const struct vboard *board, int64_t now_us);
/* Residual error of the board's current reading at a true current, mA. */
int64_t vboard_truth_current_error_ma(const struct vboard *board, int64_t true_ma);

struct vboard_defect {
    const char *name, *doc;
};
const struct vboard_defect *vboard_defects(void); /* ends with name NULL */
const char *const *vboard_families(void);

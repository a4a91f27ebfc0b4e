/* Inside the virtual boards: what the parts of one board share. */
#pragma once

#include "proto/virtual/vboard.h"

#define VB_FLASH_ADDRESS 0x08000000u
#define VB_FLASH_SIZE    (128u * 1024)
#define VB_PAGE          2048u
#define VB_UID_ADDRESS   0x1FFF7A10u
#define VB_SENSORS       6 /* four cell sensors, MOS, ambient */
#define VB_SENSORS_MAX   33
#define VB_BLOCKS        16
#define VB_BLOCK_MAX     512
#define VB_HISTORY       40

enum vb_mode { VB_OFF, VB_STARTING, VB_APPLICATION, VB_BOOTLOADER, VB_ASLEEP, VB_IN_RESET };

/* A run of non-volatile bytes, as the page of its family under docs/families/ numbers them. */
struct vb_block {
    unsigned number, size;
    uint8_t bytes[VB_BLOCK_MAX];
};

struct vb_nvm {
    uint8_t flash[VB_FLASH_SIZE];
    struct vb_block blocks[VB_BLOCKS];
    uint8_t unique_id[12];
    uint64_t unit_seed;
    int64_t rtc_us; /* board time, UTC, at the instant rtc_at_us */
    uint32_t history_count, history_first_id;
};

struct vb_chunk {
    int64_t due_us;
    unsigned n, sent;
    uint8_t *bytes;
};

/* What calibration made of the sensors; truth = (raw - zero) * gain. */
struct vb_correction {
    int64_t zero_ma;
    int64_t gain_num, gain_den;
    int64_t heat_mdeg[VB_SENSORS_MAX]; /* added */
};

/* A family of boards: what its application says. One row of the table in vboard.c, one file of its own. */
struct vb_family {
    const char *name;
    /* Blocks of a virgin board, with the defects that are in them. */
    void (*factory)(struct vboard *board);
    /* The application's own state; a reset of the board calls start, never new. */
    struct vb_app *(*app_new)(void);
    void (*app_free)(struct vb_app *app);
    void (*app_start)(struct vboard *board, int64_t now_us);
    void (*app_byte)(struct vboard *board, uint8_t byte, int64_t now_us);
    void (*app_tick)(struct vboard *board, int64_t now_us); /* NULL: does nothing by itself */
    int64_t (*app_next_us)(const struct vboard *board);     /* NULL: never; when tick must come */
    void (*correction)(const struct vboard *board, struct vb_correction *correction);
    unsigned cells;       /* in series */
    unsigned parameters;  /* number of the block that the defect lose-parameter resets */
    unsigned address;     /* of a board that nobody set another one; 0 = 1 */
    bool frames;          /* its line is a CAN bus: bytes are records of struct can_frame */
    bool from_zero;       /* its DIP switch may say 0 */
    bool sleeps;          /* it is asleep when power comes, and has no bootloader on its line */
    int wake_ma, wake_ms; /* a charging current above this for so long wakes it */
};

struct vboard {
    const struct vb_family *family;
    bool fast;
    unsigned address;
    char *state_path;
    GHashTable *defects; /* name → GINT number (as text) */
    enum vb_mode mode;
    int64_t mode_at_us; /* when a timed change of mode is due; INT64_MAX = none */
    enum vb_mode mode_next;
    GQueue *out; /* struct vb_chunk* */
    uint64_t received;
    bool unplugged;
    bool boot_pin, reset_line;
    int64_t button_since_us;

    struct vb_nvm nvm;  /* what survives power-off */
    struct vb_nvm live; /* what the application works on; only its blocks are used */
    int64_t chatter_us; /* the next byte that nobody asked for */
    int64_t charged_us; /* since when a sleeping board is charged; INT64_MAX = it is not */
    int64_t commit_us;  /* when live blocks become non-volatile; INT64_MAX = nothing pending */
    int64_t rtc_at_us;
    int64_t dirty_since_us, dirty_last_us; /* of the state file; INT64_MAX = clean */

    /* bench */
    int64_t bench_ma, bench_mdeg;
    bool bench_output;
    char bench_error[64];
    uint64_t noise;

    struct vb_app *app;
    struct vb_boot *boot;
};

/* board time scaling: real milliseconds, or a hundredth */
int64_t vb_ms(const struct vboard *board, int64_t ms);
bool vb_defect(const struct vboard *board, const char *name);
int64_t vb_defect_number(const struct vboard *board, const char *name, int64_t preset);
void vb_send(struct vboard *board, const void *bytes, unsigned n, int64_t due_us);
void vb_change_mode(struct vboard *board, enum vb_mode next, int64_t due_us);
void vb_dirty(struct vboard *board, int64_t now_us);
struct vb_block *vb_block(struct vb_nvm *nvm, unsigned number);

/* NOR flash: erase to FFH, program only from FFH (or the same byte). Offsets from the flash address. */
void vb_flash_erase(struct vboard *board, unsigned first_page, unsigned count);
bool vb_flash_program(struct vboard *board, unsigned offset, const uint8_t *bytes, unsigned n);
/* The image at the start of the flash is whole; its descriptor's texts. */
bool vb_flash_intact(const struct vboard *board, char version[17], char product[17]);
void vb_flash_factory(struct vboard *board); /* the test firmware an incoming board carries */

struct vb_boot *vb_boot_new(void);
void vb_boot_free(struct vb_boot *boot);
void vb_boot_reset(struct vb_boot *boot);
void vb_boot_byte(struct vboard *board, uint8_t byte, int64_t now_us);

/* Makes block number i of the non-volatile memory, all zero. */
void vb_block_add(struct vb_nvm *nvm, unsigned i, unsigned number, unsigned size);

/* Physics. */
int64_t vb_current_ma(struct vboard *board, bool noisy);     /* as the application reads it */
int64_t vb_current_raw_ma(struct vboard *board, bool noisy); /* before its corrections */
int64_t vb_true_ma(const struct vboard *board);
/* Takes out the errors of the unit: a board that was calibrated by its maker. */
void vb_true_correction(const struct vboard *board, struct vb_correction *correction);
int64_t vb_cell_mv(const struct vboard *board, unsigned cell);
int64_t vb_temperature_mdeg(struct vboard *board, unsigned sensor);     /* corrected */
int64_t vb_temperature_raw_mdeg(struct vboard *board, unsigned sensor); /* uncorrected */

/* State file. */
bool vb_nvm_load(struct vboard *board, GError **error);
bool vb_nvm_save(struct vboard *board, int64_t now_us);
uint64_t vb_random(uint64_t *state);

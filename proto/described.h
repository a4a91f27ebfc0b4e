/* What a profile describes by items alone: identity, readings, procedures and clock of a plain register
 * machine. board.c comes here where the dialect has no request of its own. */
#pragma once

#include "proto/board.h"

/* What a procedure is told: truth in base units (mA, m°C), argument as it is. */
struct described_call {
    int64_t truth, argument;
};

bool described_identify(struct board *board, struct board_identity *identity, GError **error);
bool described_telemetry(struct board *board, struct board_telemetry *telemetry, GError **error);
/* REFUSED "not supported" when the profile does not describe it. */
bool described_run(struct board *board, enum profile_procedure_name name, const struct described_call *call,
                   GError **error);
/* A session: what is between the procedures open and save or discard. Nothing is done when none is needed,
 * none is described, or one is open. */
struct described_session {
    bool opened;
};
bool described_open(struct board *board, bool needed, struct described_session *session, GError **error);
/* Gives back ok, or false when the session could not be closed as asked. What failed is never saved. */
bool described_close(struct board *board, const struct described_session *session, bool save, bool ok,
                     GError **error);
bool described_clock_read(struct board *board, int64_t *wall_us, GError **error);
bool described_clock_write(struct board *board, int64_t wall_us, GError **error);
/* Newest first; *end behind the oldest. GARBLED when the log changed while it was read. */
bool described_log_open(struct board *board, unsigned *count, GError **error);
bool described_log_next(struct board *board, struct board_record *record, bool *end, GError **error);

/* described_time.c: what a board's clock shows, as UTC, and back. now_us, UTC, says which offset local time
 * has. */
bool described_time_decode(const struct profile_clock *clock, const uint8_t *bytes, int64_t now_us,
                           int64_t *wall_us, GError **error);
bool described_time_encode(const struct profile_clock *clock, int64_t wall_us, uint8_t bytes[8],
                           GError **error);

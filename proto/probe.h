/* Does a profile fit the board that is connected? Reads only. */
#pragma once

#include "proto/board.h"

enum probe_flow { PROBE_FLOW_UNKNOWN, PROBE_FLOW_CHARGE, PROBE_FLOW_DISCHARGE, PROBE_FLOW_IDLE };
enum probe_result { PROBE_GOOD, PROBE_BAD, PROBE_OPEN /* cannot be told */, PROBE_NOTE /* worth a look */ };

struct probe_finding {
    enum probe_result result;
    const char *what; /* "sum of cells" */
    const char *text;
};
typedef void (*probe_sink)(void *context, const struct probe_finding *finding);

/* flow: what the operator knows of the current. Gives the number of bad findings, or -1 with an error when
 * the board cannot be read. */
int board_probe(struct board *board, enum probe_flow flow, probe_sink sink, void *context, GError **error);

/* A CAN adapter that speaks Lawicel ASCII in front of a virtual board: the other end of what slcan: links
 * expect. Written from the CAN232 manual; shares nothing with the driver. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct adapter;
struct adapter *adapter_new(void);
void adapter_free(struct adapter *adapter);
/* Characters from the host: frames for the board as records of struct can_frame are appended to `records`,
 * what the adapter says to `line`. */
void adapter_host(struct adapter *adapter, const uint8_t *text, size_t n, GByteArray *records, GString *line);
/* Records from the board, as characters for the host; nothing while the channel is closed. */
void adapter_board(struct adapter *adapter, const uint8_t *records, size_t n, GString *line);

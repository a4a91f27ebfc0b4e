/* Frames over a CAN wire, one at a time. */
#pragma once

#include "proto/can.h"
#include "proto/wire.h"

bool wire_send_frame(struct wire *wire, const struct can_message *message, int64_t deadline_us,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* GARBLED for a record that is no frame. */
bool wire_receive_frame(struct wire *wire, struct can_message *message, int64_t deadline_us,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An adapter in front of the bus; takes the stream under it. Opens the channel at the rate of the line. */
struct wire *wire_slcan(struct wire *stream, const struct wire_options *options, GError **error);

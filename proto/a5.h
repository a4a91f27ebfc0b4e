/* The A5 framing: thirteen bytes on a UART (A5, address, data id, 08, eight bytes, sum), and the same eight
 * bytes in a frame of a CAN bus with a 29-bit id (18H, data id, receiver, sender). Pure. */
#pragma once

#include "proto/can.h"

#define A5_START     0xa5
#define A5_DATA      8
#define A5_FRAME_MAX 13
#define A5_PRIORITY  0x18

struct a5_frame {
    uint8_t address; /* of a request: who asks; of an answer: the board */
    uint8_t id;
    uint8_t data[A5_DATA];
};

/* Into out, which takes A5_FRAME_MAX. */
void a5_encode(const struct a5_frame *frame, uint8_t *out);

enum a5_state { A5_MORE, A5_FRAME, A5_BAD };

/* Put a byte, then take until MORE. A5 stands in data too, so of what is no frame all but its A5 is looked
 * through again. */
struct a5_decoder {
    size_t n;
    uint8_t bytes[A5_FRAME_MAX];
    uint8_t bad[A5_FRAME_MAX]; /* of the last BAD */
};
/* There is always room for it after taking until MORE. */
void a5_put(struct a5_decoder *decoder, uint8_t byte);
/* end: no more bytes will come, what has begun is cut short. */
enum a5_state a5_take(struct a5_decoder *decoder, bool end, struct a5_frame *frame);

/* Between a frame and the bus. Data id and bytes are the same; receiver and sender stand in the id. */
void a5_to_can(const struct a5_frame *frame, uint8_t receiver, uint8_t sender, struct can_message *message);
bool a5_from_can(const struct can_message *message, uint8_t *receiver, uint8_t *sender,
                 struct a5_frame *frame);

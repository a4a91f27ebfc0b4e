/* The 7E or 7C … 0D binary framing: start, address, function, LEN, data, check, 0D. Requests and answers have
 * one shape. And the groups that the data of a reading is made of. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TP_START     0x7e
#define TP_START_OLD 0x7c
#define TP_END       0x0d
#define TP_DATA_MAX  255
#define TP_FRAME_MAX (4 + TP_DATA_MAX + 2)

struct tp_frame {
    uint8_t start, address, function, n;
    uint8_t data[TP_DATA_MAX];
};

/* Into out, which takes TP_FRAME_MAX; returns the length. */
size_t tp_encode(const struct tp_frame *frame, uint8_t *out);

enum tp_state { TP_MORE, TP_FRAME, TP_BAD };

/* Put a byte, then take until MORE. 7E, 7C and 0D stand in data too: only LEN, check and 0D together make a
 * frame, and of what is none all but its start is looked through again. */
struct tp_decoder {
    size_t n;
    uint8_t bytes[TP_FRAME_MAX];
    uint8_t bad[16]; /* the beginning of the last BAD */
    size_t bad_n;
};
/* There is always room for it after taking until MORE. */
void tp_put(struct tp_decoder *decoder, uint8_t byte);
/* end: no more bytes will come, what has begun is cut short. */
enum tp_state tp_take(struct tp_decoder *decoder, bool end, struct tp_frame *frame);

/* The data of a reading: groups one behind the other, each its number, how many values, and the values, high
 * byte first. Values have two bytes, those of the groups in `wide` four (bit n: group n). */
struct tp_group {
    const uint8_t *values;
    unsigned count, width;
};
/* false: the groups do not fill the data exactly, or this one is not there (then *broken is false). */
bool tp_group_find(const uint8_t *data, size_t n, uint64_t wide, unsigned number, struct tp_group *group,
                   bool *broken);
/* Two readings of the same size that may be of the same board a moment apart: the same groups, each value
 * within a sixty-fourth of the other. */
bool tp_groups_agree(const uint8_t *one, const uint8_t *two, size_t n, uint64_t wide);

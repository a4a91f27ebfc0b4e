/* YD/T 1363 framing: ASCII between '~' and CR. Pure: bytes in, bytes out, no I/O, no clock.
 *
 * '~' VER ADR CID1 CID2|RTN LENGTH INFO CHKSUM CR; every byte after '~' is two upper-case hexadecimal
 * characters. LENGTH = LCHKSUM<<12 | LENID, LENID counts INFO characters; CHKSUM is the two's complement of
 * the sum of all characters between '~' and itself (YD/T 1363.3, 5.2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YD1363_INFO_MAX  2047 /* bytes: LENID is 12 bits of characters */
#define YD1363_FRAME_MAX (1 + 12 + 2 * YD1363_INFO_MAX + 4 + 1)

struct yd1363_frame {
    uint8_t version, address, cid1;
    uint8_t cid2; /* or RTN of a reply */
    size_t n;     /* INFO bytes */
    uint8_t info[YD1363_INFO_MAX];
};

/* The frame as characters into out, which takes YD1363_FRAME_MAX; returns the length. n must be in range. */
size_t yd1363_encode(const struct yd1363_frame *frame, char *out);

enum yd1363_state { YD1363_MORE, YD1363_FRAME, YD1363_BAD };

/* An incremental decoder: a '~' always starts anew, since it stands nowhere else; EOI counts only where
 * LENGTH says. BAD is told once a damaged frame, then the decoder waits for the next '~'. */
struct yd1363_decoder {
    size_t n;
    const char *why; /* of the last BAD */
    char text[YD1363_FRAME_MAX];
};
void yd1363_reset(struct yd1363_decoder *decoder);
enum yd1363_state yd1363_decode(struct yd1363_decoder *decoder, uint8_t byte, struct yd1363_frame *frame);

/* "no permission"; NULL for codes the standard and its users do not name. */
const char *yd1363_rtn_name(uint8_t rtn);
/* What to do about it, for the codes that have a name. */
const char *yd1363_rtn_advice(uint8_t rtn);

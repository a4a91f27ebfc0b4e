/* CAN frames (ISO 11898-1, classical) as bytes and text: records of the kernel's struct can_frame, the lines
 * of candump -L, what cansend takes, and the ASCII of Lawicel adapters. Pure.
 *
 * A CAN wire is a wire whose bytes are whole records; its line is written "250000-can". */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAN_RECORD   16 /* bytes of struct can_frame */
#define CAN_TEXT_MAX 32 /* "1FFFFFFF#0011223344556677" and the end of the string */
#define CAN_DATA     8

struct can_message {
    uint32_t id;
    bool extended; /* 29-bit id */
    bool remote;   /* asks for data; n is what is asked for */
    bool error;    /* of the controller, never on the bus; id holds its class */
    uint8_t n;
    uint8_t data[CAN_DATA];
};

void can_to_record(const struct can_message *message, uint8_t record[CAN_RECORD]);
/* false: no classical frame (more than 8 bytes). */
bool can_from_record(const uint8_t record[CAN_RECORD], struct can_message *message);
/* Bits of it on the bus with the pause behind it, without stuff bits. */
unsigned can_bits(const struct can_message *message);

/* cansend: "123#DEADBEEF", "1F334455#11.22", "123#R", "123#R4". */
void can_format(const struct can_message *message, char text[CAN_TEXT_MAX]);
bool can_parse(const char *text, struct can_message *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One line of candump -L: "(1436509052.249713) can0 123#DEADBEEF", with or without a direction (R or T)
 * behind it. */
struct can_logged {
    int64_t at_us;
    char interface[16];
    struct can_message message;
};
bool can_parse_log(const char *line, struct can_logged *logged, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Lawicel ASCII ("slcan"): t1232AABB, T with 29-bit ids, r and R without data, each ended by CR. */
#define SLCAN_MAX 32 /* characters of a frame, its CR included */
size_t slcan_encode(const struct can_message *message, char text[SLCAN_MAX]);
/* "S5" of a bit rate; NULL when adapters have none for it. */
const char *slcan_rate(unsigned bits_per_second);

enum slcan_state {
    SLCAN_MORE,
    SLCAN_FRAME,
    SLCAN_DONE,    /* a command was obeyed, or a frame taken; or an answer such as V1013 */
    SLCAN_REFUSED, /* BEL */
    SLCAN_BAD      /* a line that means nothing */
};
struct slcan_decoder {
    char text[SLCAN_MAX];
    unsigned n;
    bool overlong;
};
enum slcan_state slcan_decode(struct slcan_decoder *decoder, uint8_t byte, struct can_message *message);

/* The service data objects of CANopen (CiA 301, 7.2.4): one transfer as a client sees it, expedited or in
 * segments. Pure: what to send and what an answer means. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDO_FRAME    8
#define SDO_REQUEST  0x600u /* plus the node's id: client to server */
#define SDO_ANSWER   0x580u /* plus the node's id: server to client */
#define SDO_NODE_MAX 127

/* Reasons this side gives. */
#define SDO_ABORT_TOGGLE   0x05030000u
#define SDO_ABORT_TIMEOUT  0x05040000u
#define SDO_ABORT_COMMAND  0x05040001u
#define SDO_ABORT_MEMORY   0x05040005u
#define SDO_ABORT_TOO_LONG 0x06070012u
#define SDO_ABORT_SHORT    0x06070013u

enum sdo_state { SDO_IDLE, SDO_UPLOAD, SDO_UPLOAD_SEGMENT, SDO_DOWNLOAD, SDO_DOWNLOAD_SEGMENT };

struct sdo {
    enum sdo_state state;
    uint16_t index;
    uint8_t sub;
    bool toggle;
    bool announced; /* the server said how many bytes come */
    size_t expected;
    uint8_t *to;         /* of an upload */
    const uint8_t *from; /* of a download */
    size_t size;         /* room of an upload, bytes of a download */
    size_t done;         /* bytes moved */
    bool vague;          /* expedited without a size: up to four bytes, nobody says how many */
    uint32_t abort;      /* why it ended */
    uint8_t out[SDO_FRAME];
};

/* Both leave the first frame in out. */
void sdo_upload(struct sdo *sdo, uint16_t index, uint8_t sub, uint8_t *to, size_t size);
void sdo_download(struct sdo *sdo, uint16_t index, uint8_t sub, const uint8_t *from, size_t size);

enum sdo_step {
    SDO_SEND,    /* out goes next */
    SDO_DONE,    /* done bytes were moved */
    SDO_OTHER,   /* no answer to this transfer: late, or to somebody else */
    SDO_ABORTED, /* by the server, abort says why */
    SDO_BROKEN   /* the server broke the protocol, abort says how; out is the abort it must be sent */
};
enum sdo_step sdo_answer(struct sdo *sdo, const uint8_t in[SDO_FRAME]);

/* Ends a transfer from this side: out is the abort. */
void sdo_give_up(struct sdo *sdo, uint32_t reason);
/* CiA 301's words; NULL for a code of the manufacturer's own. */
const char *sdo_abort_name(uint32_t code);

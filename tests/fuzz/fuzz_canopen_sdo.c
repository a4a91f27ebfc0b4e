/* A transfer with a server that answers anything: it never moves more than there is room for, and an upload
 * that is done holds what was announced. Input: kind, size, then frames of eight bytes. */
#include "tests/fuzz/fuzz.h"

#include "proto/canopen_sdo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdo sdo;
    if (size < 2)
        return 0;
    const bool upload = data[0] & 1;
    const size_t room = data[1];
    g_autofree uint8_t *bytes =
        g_malloc0(MAX(room, 1)); /* of exactly this size, so that a sanitizer sees one more */
    if (upload)
        sdo_upload(&sdo, 0x2000, 1, bytes, room);
    else
        sdo_download(&sdo, 0x2000, 1, bytes, room);
    for (size_t at = 2; at + SDO_FRAME <= size; at += SDO_FRAME) {
        enum sdo_step step = sdo_answer(&sdo, data + at);
        g_assert_cmpuint(sdo.done, <=, room);
        if (step == SDO_DONE) {
            g_assert_true(upload || sdo.done == room);
            g_assert_true(!sdo.announced || sdo.done == sdo.expected);
        }
        if (step == SDO_BROKEN || step == SDO_ABORTED)
            g_assert_true(step == SDO_ABORTED || sdo.out[0] == 0x80);
        if (step != SDO_SEND && step != SDO_OTHER)
            break;
    }
    return 0;
}

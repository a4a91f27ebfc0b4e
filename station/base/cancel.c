#include "station/base/cancel.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cancel {
    atomic_bool requested;
    int fd;
};

struct cancel *cancel_new(void)
{
    struct cancel *cancel = g_new0(struct cancel, 1);
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return cancel;
}

void cancel_free(struct cancel *cancel)
{
    if (!cancel)
        return;
    if (cancel->fd >= 0)
        close(cancel->fd);
    g_free(cancel);
}

void cancel_request(struct cancel *cancel)
{
    uint64_t one = 1;
    atomic_store(&cancel->requested, true);
    if (write(cancel->fd, &one, sizeof one) < 0)
        return; /* already readable: the counter is full, which is what we want */
}

bool cancel_requested(const struct cancel *cancel)
{
    return cancel && atomic_load(&cancel->requested);
}

int cancel_fd(const struct cancel *cancel)
{
    return cancel ? cancel->fd : -1;
}

/* can: a bus of the kernel (SocketCAN). The bit rate belongs to the administrator: it is read back, never
 * set. */
#include "proto/can.h"
#include "proto/wire_kinds.h"

#include "station/base/error.h"

#if defined(__linux__) && __has_include(<linux/can/raw.h>) && __has_include(<linux/can/netlink.h>)

#include <errno.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/netlink.h>
#include <linux/can/raw.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL_MS     50 /* how long a full queue may take to move */
#define NETLINK_MAX 16384

G_STATIC_ASSERT(sizeof(struct can_frame) == CAN_RECORD);

struct wire_can {
    struct wire wire;
    int fd;
};

static bool failed(const struct wire *wire, int why, GError **error)
{
    if (why == ENETDOWN)
        return error_set(error, ERROR_CABLE, "%s is down: ip link set %s up type can bitrate %u", wire->url,
                         wire->url + 4, wire->line.baud);
    return error_set(error, why == ENODEV || why == ENXIO ? ERROR_ABSENT : ERROR_CABLE, "%s: %s", wire->url,
                     g_strerror(why));
}

/* A frame that nobody acknowledges is repeated by the controller for ever, and the queue fills behind it. */
static bool can_send_one(struct wire *wire, const uint8_t *record, int64_t deadline_us, GError **error)
{
    const int fd = ((struct wire_can *)wire)->fd;
    const int64_t give_up = tick_deadline_ms(wire->tick, FULL_MS);
    while (send(fd, record, CAN_RECORD, MSG_DONTWAIT) != CAN_RECORD) {
        if (errno == EAGAIN) {
            if (!wire_wait_fd(wire, fd, POLLOUT, deadline_us, error))
                return false;
        } else if (errno == ENOBUFS && tick_now(wire->tick) < give_up) {
            if (!wire_pause_ms(wire, 1, error))
                return false;
        } else if (errno == ENOBUFS) {
            return error_set(error, ERROR_SILENT,
                             "%s: nobody acknowledges on the bus: the board is asleep, not connected, or at "
                             "another bit rate",
                             wire->url);
        } else if (errno != EINTR) {
            return failed(wire, errno, error);
        }
    }
    return true;
}

static bool can_send(struct wire *wire, const uint8_t *bytes, size_t n, int64_t deadline_us, GError **error)
{
    for (size_t at = 0; at + CAN_RECORD <= n; at += CAN_RECORD)
        if (!can_send_one(wire, bytes + at, deadline_us, error))
            return false;
    return true;
}

static bool can_receive(struct wire *wire, uint8_t *bytes, size_t max, size_t *got, int64_t deadline_us,
                        GError **error)
{
    const int fd = ((struct wire_can *)wire)->fd;
    struct can_frame frame;
    g_return_val_if_fail(max >= CAN_RECORD, false);
    while (true) {
        ssize_t n = recv(fd, &frame, sizeof frame, MSG_DONTWAIT);
        if (n == (ssize_t)sizeof frame && (frame.can_id & CAN_ERR_FLAG))
            return error_set(error, ERROR_CABLE,
                             "%s: the controller has left the bus (bus-off): check termination, wiring and "
                             "bit rate",
                             wire->url);
        if (n == (ssize_t)sizeof frame) {
            memcpy(bytes, &frame, CAN_RECORD);
            *got = CAN_RECORD;
            return true;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return failed(wire, errno, error);
        if (!wire_wait_fd(wire, fd, POLLIN, deadline_us, error))
            return false;
    }
}

static bool can_set_line(struct wire *wire, const struct wire_line *line, GError **error)
{
    return line->baud == wire->line.baud ||
           error_set(error, ERROR_RULE, "%s: the bit rate of an open bus stays", wire->url);
}

static bool can_discard(struct wire *wire, GError **error)
{
    struct can_frame waste;
    (void)error;
    for (int i = 0; i < 1000; i++)
        if (recv(((struct wire_can *)wire)->fd, &waste, sizeof waste, MSG_DONTWAIT) <= 0)
            break;
    return true;
}

static void can_close(struct wire *wire)
{
    close(((struct wire_can *)wire)->fd);
}

static const struct wire_kind can_kind = {"can:", can_send,    can_receive, can_set_line,
                                          NULL,   can_discard, can_close};

/* The value of an attribute in a run of them, or NULL. */
static const struct rtattr *attribute(const struct rtattr *first, size_t size, unsigned short type)
{
    int left = (int)size;
    for (const struct rtattr *a = first; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if ((a->rta_type & NLA_TYPE_MASK) == type)
            return a;
    return NULL;
}

static const struct rtattr *inside(const struct rtattr *outer, unsigned short type)
{
    return outer ? attribute(RTA_DATA(outer), RTA_PAYLOAD(outer), type) : NULL;
}

/* The bit rate the interface runs at; 0 when it has none (vcan) or does not tell. */
static unsigned rate_of(unsigned index)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
    } ask = {.head = {.nlmsg_len = sizeof ask, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
             .info = {.ifi_index = (int)index}};
    g_autofree struct nlmsghdr *answer = g_malloc0(NETLINK_MAX);
    struct can_bittiming timing = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ssize_t n = -1;
    if (fd >= 0 && send(fd, &ask, sizeof ask, 0) == (ssize_t)sizeof ask)
        n = recv(fd, answer, NETLINK_MAX, 0);
    if (fd >= 0)
        close(fd);
    if (n <= 0 || !NLMSG_OK(answer, (size_t)n) || answer->nlmsg_type != RTM_NEWLINK)
        return 0;
    const struct rtattr *link = attribute(IFLA_RTA(NLMSG_DATA(answer)), IFLA_PAYLOAD(answer), IFLA_LINKINFO);
    const struct rtattr *found = inside(inside(link, IFLA_INFO_DATA), IFLA_CAN_BITTIMING);
    if (found && RTA_PAYLOAD(found) >= sizeof timing)
        memcpy(&timing, RTA_DATA(found), sizeof timing);
    return timing.bitrate;
}

static bool attach(struct wire_can *c, const char *name, GError **error)
{
    const can_err_mask_t errors = CAN_ERR_BUSOFF;
    struct sockaddr_can address = {.can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(name)};
    if (address.can_ifindex == 0)
        return error_set(error, ERROR_ABSENT, "%s: no such interface", c->wire.url);
    const unsigned rate = rate_of((unsigned)address.can_ifindex);
    if (rate && rate != c->wire.line.baud)
        return error_set(error, ERROR_CABLE,
                         "%s runs at %u bit/s, the board at %u: ip link set %s type can bitrate %u",
                         c->wire.url, rate, c->wire.line.baud, name, c->wire.line.baud);
    if (bind(c->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(c->fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &errors, sizeof errors) != 0)
        return failed(&c->wire, errno, error);
    return true;
}

struct wire *wire_can_open(const char *name, const struct wire_options *options, GError **error)
{
    g_autofree char *url = g_strconcat("can:", name, NULL);
    int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);
    if (fd < 0) {
        error_set(error, ERROR_ABSENT,
                  "%s: this kernel has no CAN (%s): load can-raw and the driver of the adapter, or use an "
                  "adapter with slcan:",
                  url, g_strerror(errno));
        return NULL;
    }
    struct wire_can *c = g_new0(struct wire_can, 1);
    wire_init(&c->wire, &can_kind, options, url);
    c->fd = fd;
    if (attach(c, name, error))
        return &c->wire;
    wire_close(&c->wire);
    return NULL;
}

#else

struct wire *wire_can_open(const char *name, const struct wire_options *options, GError **error)
{
    (void)options;
    error_set(error, ERROR_ABSENT,
              "can:%s: this build knows no CAN of the kernel; use an adapter with slcan:", name);
    return NULL;
}

#endif

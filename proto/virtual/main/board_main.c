/* packline-board: a virtual board behind a socket or a pseudo-terminal, in real time. */
#include "proto/virtual/main/adapter.h"
#include "proto/virtual/vboard.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 128

struct line {
    int listener, client; /* -1 = none; a pty has only a client */
    char text[LINE_MAX_BYTES];
    size_t n;
    struct adapter *adapter; /* of the board's line; NULL = none */
};

struct options {
    struct vboard_options board;
    const char *listen, *bench;
    bool lan, slcan;
};

static int64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void die(const char *what, const char *why, int code)
{
    fprintf(stderr, "packline-board: error: %s: %s\n", what, why);
    exit(code);
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof address.sun_path)
        die(path, "the socket path is too long", 2);
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    struct stat there;
    if (fd < 0)
        die(path, strerror(errno), 4);
    if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode))
        die(path, "exists and is no socket: give another path", 2);
    /* A socket file that nobody listens on is left over from a board that was killed. */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        die(path, "another board listens here", 12);
    if (errno == ECONNREFUSED)
        unlink(path);
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
        die(path, strerror(errno), 4);
    return fd;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static int listen_tcp(const char *where, bool lan, char *shown, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    const char *colon = strrchr(where, ':');
    if (!colon)
        die(where, "expected tcp:HOST:PORT", 2);
    g_autofree char *host = g_strndup(where, (gsize)(colon - where));
    int failed = getaddrinfo(host, colon + 1, &hints, &found), on = 1;
    if (failed)
        die(where, gai_strerror(failed), 4);
    if (!lan && !is_loopback(found->ai_addr))
        die(where, "not a loopback address; --allow-lan lets others in", 7);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
        die(where, strerror(errno), 4);
    struct sockaddr_storage real;
    socklen_t length = sizeof real;
    char port[16];
    getsockname(fd, (struct sockaddr *)&real, &length);
    getnameinfo((struct sockaddr *)&real, length, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    g_snprintf(shown, size, "tcp:%s:%s", host, port);
    freeaddrinfo(found);
    return fd;
}

/* The far end stays open here too, so that a program that closes the terminal does not hang up the board. */
static int open_pty(char *shown, size_t size)
{
    struct termios raw;
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        die("pty", strerror(errno), 4);
    const char *name = ptsname(fd);
    int far = open(name, O_RDWR | O_NOCTTY);
    if (far < 0 || tcgetattr(far, &raw) != 0)
        die("pty", strerror(errno), 4);
    cfmakeraw(&raw);
    tcsetattr(far, TCSANOW, &raw);
    g_snprintf(shown, size, "pty:%s", name);
    return fd;
}

static void open_line(struct line *line, const char *url, bool lan, const char *word)
{
    char shown[256];
    *line = (struct line){.listener = -1, .client = -1};
    if (!url)
        return;
    g_strlcpy(shown, url, sizeof shown);
    if (g_str_has_prefix(url, "unix:"))
        line->listener = listen_unix(url + 5);
    else if (g_str_has_prefix(url, "tcp:"))
        line->listener = listen_tcp(url + 4, lan, shown, sizeof shown);
    else if (strcmp(url, "pty") == 0)
        line->client = open_pty(shown, sizeof shown);
    else
        die(url, "expected unix:PATH, tcp:HOST:PORT or pty", 2);
    printf("%s %s\n", word, shown);
    fflush(stdout);
}

static void accept_client(struct line *line)
{
    int on = 1, fd = accept4(line->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (line->client >= 0)
        close(line->client);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    line->client = fd;
    line->n = 0;
}

static void drop_client(struct line *line)
{
    if (line->listener < 0)
        return; /* a pty stays */
    close(line->client);
    line->client = -1;
}

static void send_all(struct line *line, const uint8_t *bytes, size_t n)
{
    while (n > 0 && line->client >= 0) {
        ssize_t sent = write(line->client, bytes, n);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = line->client, .events = POLLOUT};
            if (poll(&ready, 1, 1000) <= 0)
                return; /* nobody reads: a UART would lose the bytes too */
        } else if (errno != EINTR) {
            drop_client(line);
        }
    }
}

static void through_adapter(struct vboard *board, struct line *line, const uint8_t *bytes, size_t n)
{
    g_autoptr(GByteArray) records = g_byte_array_new();
    g_autoptr(GString) text = g_string_new(NULL);
    adapter_host(line->adapter, bytes, n, records, text);
    send_all(line, (const uint8_t *)text->str, text->len);
    vboard_accept(board, records->data, records->len, now_us());
}

static void serve_board(struct vboard *board, struct line *line)
{
    uint8_t bytes[1024];
    ssize_t n = read(line->client, bytes, sizeof bytes);
    if (n > 0 && line->adapter)
        through_adapter(board, line, bytes, (size_t)n);
    else if (n > 0)
        vboard_accept(board, bytes, (size_t)n, now_us());
    else if (n == 0 || (errno != EAGAIN && errno != EINTR && errno != EIO))
        drop_client(line);
}

static void serve_bench(struct vboard *board, struct line *line)
{
    char byte;
    ssize_t n;
    while ((n = read(line->client, &byte, 1)) == 1) {
        if (byte != '\n' && line->n < sizeof line->text - 1) {
            line->text[line->n++] = byte;
            continue;
        }
        line->text[line->n] = '\0';
        line->n = 0;
        g_autofree char *answer = vboard_bench_command(board, g_strchomp(line->text), now_us());
        if (answer[0]) {
            g_autofree char *text = g_strconcat(answer, "\n", NULL);
            send_all(line, (const uint8_t *)text, strlen(text));
        }
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        drop_client(line);
}

static void deliver(struct vboard *board, struct line *line)
{
    uint8_t bytes[1024];
    size_t n;
    while ((n = vboard_produce(board, bytes, sizeof bytes, now_us())) > 0) {
        g_autoptr(GString) text = g_string_new(NULL);
        if (line->adapter)
            adapter_board(line->adapter, bytes, n, text);
        send_all(line, line->adapter ? (const uint8_t *)text->str : bytes, line->adapter ? text->len : n);
    }
}

static void run(struct vboard *board, struct line *line, struct line *bench, int signals)
{
    while (true) {
        struct pollfd fds[] = {{line->listener, POLLIN, 0},
                               {line->client, POLLIN, 0},
                               {bench->listener, POLLIN, 0},
                               {bench->client, POLLIN, 0},
                               {signals, POLLIN, 0}};
        int64_t next = vboard_next_us(board), wait = next == INT64_MAX ? 3600000000 : next - now_us();
        wait = CLAMP(wait, 0, 3600000000);
        struct timespec ts = {.tv_sec = wait / 1000000, .tv_nsec = wait % 1000000 * 1000};
        ppoll(fds, G_N_ELEMENTS(fds), &ts, NULL);
        if (fds[4].revents)
            return;
        if (fds[0].revents)
            accept_client(line);
        else if (fds[1].revents)
            serve_board(board, line);
        if (fds[2].revents)
            accept_client(bench);
        else if (fds[3].revents)
            serve_bench(board, bench);
        deliver(board, line);
    }
}

static const char usage_text[] =
    "Usage: packline-board --family F --listen unix:PATH|tcp:HOST:PORT|pty [OPTION…]\n\n"
    "A virtual board: the far side of the wire. Prints the address it listens on.\n\n"
    "      --family F         which board; --list-families\n"
    "      --listen ADDRESS   where the service line is\n"
    "      --bench unix:PATH  where the bench around the board is (docs/virtual-bench.md)\n"
    "      --state FILE       non-volatile memory and flash; a new file is a new board\n"
    "      --speed real|fast  fast divides the board's waiting times by 100\n"
    "      --bootloader       power it up with the boot pin set\n"
    "      --defect NAME      may stand more than once; --list-defects\n"
    "      --address N        address on the bus, 0 to 255; else that of the family's profile\n"
    "      --unit-seed N      unique id and sensor errors of a new board\n"
    "      --slcan            a Lawicel adapter stands between the line and a board on a CAN bus\n"
    "      --allow-lan        listen on an address that is not loopback\n"
    "      --help, --man, --version\n";

/* The man page is the same text, and the defects. */
static void print_man(void)
{
    printf(".TH PACKLINE\\-BOARD 1 \"\" \"packline " PACKLINE_VERSION
           "\"\n.SH NAME\npackline\\-board \\- a virtual "
           "battery\\-management board\n.SH SYNOPSIS\n.nf\n");
    for (const char *p = usage_text; *p; p++)
        printf(*p == '-' ? "\\%c" : "%c", *p);
    printf(".fi\n.SH DEFECTS\n");
    for (const struct vboard_defect *d = vboard_defects(); d->name; d++)
        printf(".TP\n.B %s\n%s\n", d->name, d->doc);
}

static const struct option long_options[] = {
    {"family", 1, NULL, 'f'},        {"listen", 1, NULL, 'l'},  {"bench", 1, NULL, 'b'},
    {"state", 1, NULL, 's'},         {"speed", 1, NULL, 'p'},   {"bootloader", 0, NULL, 'B'},
    {"defect", 1, NULL, 'd'},        {"address", 1, NULL, 'a'}, {"unit-seed", 1, NULL, 'u'},
    {"allow-lan", 0, NULL, 'L'},     {"slcan", 0, NULL, 'S'},   {"help", 0, NULL, 'h'},
    {"man", 0, NULL, 'M'},           {"version", 0, NULL, 'v'}, {"list-defects", 0, NULL, 'D'},
    {"list-families", 0, NULL, 'F'}, {NULL, 0, NULL, 0},
};

static void take_option(struct options *o, int letter, GPtrArray *defects)
{
    guint64 number = 0;
    if ((letter == 'a' && !g_ascii_string_to_unsigned(optarg, 10, 0, 255, &number, NULL)) ||
        (letter == 'u' && !g_ascii_string_to_unsigned(optarg, 10, 0, G_MAXINT64, &number, NULL)))
        die(optarg, letter == 'a' ? "an address is 0 to 255" : "a seed is a number", 2);
    switch (letter) {
    case 'f':
        o->board.family = optarg;
        break;
    case 'l':
        o->listen = optarg;
        break;
    case 'b':
        o->bench = optarg;
        break;
    case 's':
        o->board.state_path = optarg;
        break;
    case 'p':
        if (strcmp(optarg, "fast") != 0 && strcmp(optarg, "real") != 0)
            die(optarg, "speed is real or fast", 2);
        o->board.fast = optarg[0] == 'f';
        break;
    case 'B':
        o->board.bootloader = true;
        break;
    case 'd':
        g_ptr_array_add(defects, optarg);
        break;
    case 'a':
        o->board.address = (unsigned)number;
        o->board.address_zero = number == 0;
        break;
    case 'u':
        o->board.unit_seed = number;
        break;
    case 'L':
        o->lan = true;
        break;
    case 'S':
        o->slcan = true;
        break;
    case 'D':
        for (const struct vboard_defect *d = vboard_defects(); d->name; d++)
            printf("%-24s %s\n", d->name, d->doc);
        exit(0);
    case 'F':
        for (const char *const *name = vboard_families(); *name; name++)
            puts(*name);
        exit(0);
    case 'M':
        print_man();
        exit(0);
    case 'h':
        fputs(usage_text, stdout);
        exit(0);
    case 'v':
        puts("packline-board " PACKLINE_VERSION);
        exit(0);
    default:
        fputs(usage_text, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.board = {.unit_seed = 1}};
    g_autoptr(GPtrArray) defects = g_ptr_array_new();
    struct line line, bench;
    GError *error = NULL;
    sigset_t signals;
    for (int letter; (letter = getopt_long(argc, argv, "h", long_options, NULL)) != -1;)
        take_option(&o, letter, defects);
    if (!o.board.family || !o.listen || optind != argc) {
        fputs(usage_text, stderr);
        return 2;
    }
    g_ptr_array_add(defects, NULL);
    o.board.defects = (const char *const *)defects->pdata;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    struct vboard *board = vboard_new(&o.board, now_us(), &error);
    if (!board)
        die("board", error->message, error->code == 0 ? 2 : 3);
    open_line(&line, o.listen, o.lan, "listening");
    line.adapter = o.slcan ? adapter_new() : NULL;
    open_line(&bench, o.bench, o.lan, "bench");
    run(board, &line, &bench, signalfd(-1, &signals, SFD_CLOEXEC));
    vboard_free(board);
    adapter_free(line.adapter);
    if (g_str_has_prefix(o.listen, "unix:"))
        unlink(o.listen + 5);
    if (o.bench && g_str_has_prefix(o.bench, "unix:"))
        unlink(o.bench + 5);
    return 0;
}

/* demo: a whole station in a folder of its own, real but for the board, which is packline-board in another
 * process.
 *
 * The folder is made once: keys, trusted keys, secrets, a signed package of the reference firmware, the
 * shipped recipe with its profile and layout, and a signed release of the set. Every unit gets a new virtual
 * board. */
#include "station/cli.h"

#include "station/base/error.h"
#include "station/kit.h"
#include "station/unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct cli_verb cli_demo_verbs[];

#define DEMO_START_MS 5000
#define DEMO_LINE_MAX 512

struct demo {
    const struct cli_input *input;
    char *share;  /* recipes/, labels/ */
    char *build;  /* this program, packline-board, reference/ */
    char *folder; /* the demo station */
    const char *family;
    char *sockets;
    bool fast, paced;
};

static char *in(const struct demo *demo, const char *name)
{
    return g_build_filename(demo->folder, name, NULL);
}

static bool write_station(const struct demo *demo, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("schema: packline/station/1\n"
                        "station: demo\n"
                        "store: store\n"
                        "trust: trust\n"
                        "secrets:\n"
                        "  basen-admin: secrets/basen-admin\n"
                        "  basen-antitheft: secrets/basen-antitheft\n"
                        "  clever-write: secrets/clever-write\n"
                        "slots:\n"
                        "  - slot: A\n"
                        "    link: %s%s/board.sock%s\n"
                        "    address: %u\n"
                        "    bench:\n"
                        "      - kind: scpi\n"
                        "        link: unix:%s/bench.sock\n"
                        "        identity: PACKLINE,VIRTUAL-BENCH\n"
                        "        due: 2099-12-31\n"
                        "printers:\n"
                        "  - printer: files\n"
                        "    link: file:printed\n"
                        "    dpi: 300\n",
                        kit_scheme(demo->family), demo->sockets, demo->paced ? "?pace" : "",
                        kit_address(demo->family), demo->sockets);
    return kit_write(demo->folder, "station.yaml", text, 0644, error);
}

/* Waits for the line that says where the board listens. */
static bool wait_listening(int fd, GError **error)
{
    char line[DEMO_LINE_MAX];
    size_t n = 0;
    while (n < sizeof line - 1) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, DEMO_START_MS) <= 0 || read(fd, line + n, 1) != 1)
            return error_set(error, ERROR_ABSENT, "the virtual board did not start");
        n++;
        line[n] = '\0';
        if (strstr(line, "bench unix:") && line[n - 1] == '\n')
            return true;
    }
    return error_set(error, ERROR_ABSENT, "the virtual board said: %s", line);
}

static bool start_board(const struct demo *demo, unsigned number, GPid *pid, GError **error)
{
    g_autofree char *program = g_build_filename(demo->build, "packline-board", NULL);
    g_autofree char *listen = g_strdup_printf("unix:%s/board.sock", demo->sockets);
    g_autofree char *bench = g_strdup_printf("unix:%s/bench.sock", demo->sockets);
    g_autofree char *name = g_strdup_printf("units/board-%06u.state", number);
    g_autofree char *state = in(demo, name);
    g_autofree char *seed = g_strdup_printf("%u", number);
    const char *argv[40] = {program,
                            "--family",
                            demo->family,
                            "--listen",
                            listen,
                            "--bench",
                            bench,
                            "--state",
                            state,
                            "--unit-seed",
                            seed,
                            "--speed",
                            demo->fast ? "fast" : "real",
                            NULL};
    const GPtrArray *defects = cli_all(demo->input, "defect");
    int n = 13, fd;
    for (guint i = 0; defects && i < defects->len && n < 37; i++) {
        argv[n++] = "--defect";
        argv[n++] = g_ptr_array_index(defects, i);
    }
    g_autoptr(GError) inner = NULL;
    if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, pid, NULL,
                                  &fd, NULL, &inner))
        return error_set(error, ERROR_ABSENT, "%s", inner->message);
    bool ok = wait_listening(fd, error);
    close(fd);
    return ok;
}

static void stop_board(GPid pid)
{
    if (pid > 0 && kill(pid, SIGTERM) == 0)
        waitpid(pid, NULL, 0);
}

/* Boards are numbered by their state files, so a second demo takes a second board. */
static unsigned next_number(const struct demo *demo)
{
    unsigned number = 1;
    for (; number < 1000000; number++) {
        g_autofree char *name = g_strdup_printf("units/board-%06u.state", number);
        g_autofree char *path = in(demo, name);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            break;
    }
    return number;
}

/* false = the person wants no more units. */
static bool ask_scan(const struct demo *demo, char **scan)
{
    char line[DEMO_LINE_MAX];
    bool ask = !cli_has(demo->input, "once") && !cli_has(demo->input, "scan") && isatty(STDIN_FILENO);
    if (!ask)
        return true;
    printf("Scan the board's barcode, or press Enter for %s (q ends): ", *scan);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return false;
    g_strstrip(line);
    if (strcmp(line, "q") == 0)
        return false;
    if (line[0]) {
        g_free(*scan);
        *scan = g_strdup(line);
    }
    return true;
}

static int provision(const struct demo *demo, unsigned number, const char *scan, GError **error)
{
    GPid pid = 0;
    g_autofree char *station = in(demo, "station.yaml");
    g_autofree char *release = in(demo, "recipes/release.yaml");
    g_autoptr(config_auto) config = config_open(station, error);
    if (!config)
        return -1;
    g_autofree char *folder = config_path(config, config->store);
    g_autoptr(store_auto) store = store_open(folder, config->station, tick_real(), error);
    if (!store)
        return -1;
    struct screen *screen = screen_new(demo->input->json);
    int code = -1;
    if (start_board(demo, number, &pid, error)) {
        const struct unit_request request = {.recipe = release,
                                             .scan = scan,
                                             .operator_name = "demo",
                                             .assume_yes = true,
                                             .tick = tick_real()};
        code = unit_run(config, store, &request, screen, error);
    }
    stop_board(pid);
    screen_free(screen);
    return code;
}

static int one_unit(const struct demo *demo, bool *again)
{
    GError *error = NULL;
    unsigned number = cli_has(demo->input, "board")
                          ? (unsigned)g_ascii_strtoull(cli_get(demo->input, "board"), NULL, 10)
                          : next_number(demo);
    g_autofree char *scan = cli_has(demo->input, "scan") ? g_strdup(cli_get(demo->input, "scan"))
                                                         : kit_scan(demo->family, number);
    *again = ask_scan(demo, &scan);
    if (!*again)
        return 0;
    int code = provision(demo, number, scan, &error);
    return code < 0 ? cli_fail(demo->input, error) : code;
}

static bool prepare(struct demo *demo, GError **error)
{
    g_autofree char *made = in(demo, "made");
    demo->sockets = g_dir_make_tmp("packline-XXXXXX", NULL);
    if (!demo->sockets)
        return error_set(error, ERROR_STORAGE, "no temporary folder: %s", g_strerror(errno));
    if (!g_file_test(made, G_FILE_TEST_EXISTS)) {
        if (!cli_has(demo->input, "json"))
            fprintf(stderr, "Making a demo station in %s\n", demo->folder);
        g_autofree char *image = g_build_filename(demo->build, "reference", "reference.elf", NULL);
        if (!kit_make(demo->share, image, demo->family, demo->folder, error))
            return false;
    }
    return write_station(demo, error);
}

static void clean_up(struct demo *demo)
{
    static const char *const names[] = {"board.sock", "bench.sock"};
    for (gsize i = 0; demo->sockets && i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(demo->sockets, names[i], NULL);
        unlink(path);
    }
    if (demo->sockets)
        rmdir(demo->sockets);
    g_free(demo->sockets);
    g_free(demo->share);
    g_free(demo->build);
    g_free(demo->folder);
}

static int demo_verb(const struct cli_input *input)
{
    GError *error = NULL;
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    struct demo demo = {.input = input};
    const char *share = g_getenv("PACKLINE_SHARE");
    demo.build = g_path_get_dirname(program ? program : "./packline");
    demo.share = g_strdup(share ? share : PACKLINE_SHARE);
    demo.family = cli_has(input, "family") ? cli_get(input, "family") : "basen";
    demo.folder = cli_has(input, "folder")   ? g_strdup(cli_get(input, "folder"))
                  : cli_has(input, "family") ? g_strdup_printf("var/demo-%s", demo.family)
                                             : g_build_filename("var", "demo", NULL);
    demo.fast = cli_has(input, "speed") && strcmp(cli_get(input, "speed"), "fast") == 0;
    demo.paced = !demo.fast || cli_has(input, "pace");
    int code = 0;
    if (!prepare(&demo, &error)) {
        code = cli_fail(input, error);
    } else {
        bool again = true, more = !cli_has(input, "once") && !cli_has(input, "scan") && isatty(STDIN_FILENO);
        do {
            int unit = one_unit(&demo, &again);
            code = again ? unit : code;
        } while (more && again);
    }
    clean_up(&demo);
    return code;
}

static const struct cli_option demo_options[] = {
    {"once", 0, NULL, false, "exactly one unit, nothing is asked"},
    {"family", 0, "NAME", false, "a board of this family; default basen"},
    {"folder", 0, "FOLDER", false, "where the demo station lives; default var/demo, or var/demo-NAME"},
    {"speed", 0, "SPEED", false,
     "real (default) or fast: the board's own waiting times divided by 100, no line pacing"},
    {"pace", 0, NULL, false, "keep the line's bit times with --speed fast too"},
    {"scan", 0, "TEXT", false, "the barcode to scan; default is BSN and the board's number"},
    {"board", 0, "N", false, "put this virtual board into the slot again instead of a new one"},
    {"defect", 0, "NAME", true, "give the virtual board a defect (packline-board --list-defects)"},
    {NULL},
};

const struct cli_verb cli_demo_verbs[] = {
    {.name = "demo",
     .arguments = "",
     .summary = "provision a virtual board from scan to label",
     .text = "Makes a station in a folder of its own, starts a virtual board, and provisions it with "
             "everything real on "
             "the station's side. Run it again for the next board.",
     .options = demo_options,
     .run = demo_verb},
    {NULL},
};

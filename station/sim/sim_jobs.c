/* Shifts are independent, so processes can share them. Each has a station file and a store of its own, and
 * leaves its counts in a file. */
#include "station/sim/parts.h"

#include "station/base/error.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
    pid_t pid;
    char *path;
};

static void add(struct sim_count *sum, const struct sim_count *part)
{
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)part;
    for (size_t i = 0; i < offsetof(struct sim_count, traffic) / sizeof *to; i++)
        to[i] += from[i];
    for (unsigned i = 0; i < SIM_STEPS_MAX; i++)
        sum->traffic[i] |= part->traffic[i];
    sum->longest_us = MAX(sum->longest_us, part->longest_us);
}

static unsigned shifts_of(const struct sim_options *options)
{
    return (options->units + SIM_UNITS_A_SHIFT - 1) / SIM_UNITS_A_SHIFT;
}

/* Every jobs-th shift; then the file: digests, counts, and what was broken first. */
static bool work(const struct sim_options *options, struct sim_count *count, FILE *out)
{
    g_autoptr(GError) error = NULL;
    bool ok = sim_write_station(options, &error);
    for (unsigned shift = options->worker; ok && shift < shifts_of(options); shift += options->jobs) {
        char digest[65];
        ok = sim_run_shift(options, shift, options->units, count, digest, &error) &&
             fwrite(digest, sizeof digest, 1, out) == 1;
    }
    if (error)
        fprintf(stderr, "simulation: %s\n", error->message);
    return ok && fwrite(count, sizeof *count, 1, out) == 1 &&
           (!count->first || fputs(count->first, out) >= 0) && fclose(out) == 0;
}

static bool start(const struct sim_options *options, struct sim_count *learned, unsigned worker,
                  struct job *job, GError **error)
{
    struct sim_options own = *options;
    struct sim_count count = *learned;
    own.worker = worker;
    memset(&count, 0, offsetof(struct sim_count, traffic));
    count.first = NULL;
    count.first_unit = -1;
    job->path = g_strdup_printf("%s/counts-%u", options->folder, worker);
    FILE *out = fopen(job->path, "wb");
    if (!out)
        return error_set(error, ERROR_INTERNAL, "%s cannot be written", job->path);
    pid_t parent = getpid();
    job->pid = fork();
    if (job->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(getppid() == parent && work(&own, &count, out) ? 0 : 1);
    }
    fclose(out);
    return job->pid > 0 || error_set(error, ERROR_INTERNAL, "no process for job %u", worker);
}

/* Takes the worker's counts; its digests stay where they are for the trace. */
static bool collect(struct job *job, unsigned shifts, struct sim_count *count, char *digests, unsigned jobs,
                    GError **error)
{
    int status;
    struct sim_count part;
    char first[512];
    if (waitpid(job->pid, &status, 0) != job->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(error, ERROR_INTERNAL, "a process of the simulation died (status %d)", status);
    FILE *in = fopen(job->path, "rb");
    bool ok = in != NULL;
    for (unsigned i = 0; ok && i < shifts; i++)
        ok = fread(digests + 65 * i * jobs, 65, 1, in) == 1;
    ok = ok && fread(&part, sizeof part, 1, in) == 1;
    if (ok) {
        first[fread(first, 1, sizeof first - 1, in)] = '\0';
        add(count, &part);
        if (part.first_unit >= 0 && (count->first_unit < 0 || part.first_unit < count->first_unit)) {
            count->first_unit = part.first_unit;
            g_free(count->first);
            count->first = g_strdup(first);
        }
    }
    if (in)
        fclose(in);
    return ok || error_set(error, ERROR_INTERNAL, "%s is cut short", job->path);
}

bool sim_run_jobs(const struct sim_options *options, struct sim_count *count, GError **error)
{
    struct job jobs[SIM_JOBS_MAX] = {0};
    unsigned shifts = shifts_of(options);
    g_autofree char *digests = g_malloc0((gsize)shifts * 65);
    g_autoptr(GChecksum) trace = g_checksum_new(G_CHECKSUM_SHA256);
    if (!sim_learn(options, count, error))
        return false;
    unsigned started = 0;
    bool ok = true;
    for (; ok && started < options->jobs; started++)
        ok = start(options, count, started, &jobs[started], error);
    for (unsigned i = 0; i < started; i++) {
        unsigned own = shifts / options->jobs + (i < shifts % options->jobs);
        if (ok)
            ok = collect(&jobs[i], own, count, digests + 65 * (gsize)i, options->jobs, error);
        else if (jobs[i].pid > 0)
            waitpid(jobs[i].pid, NULL, 0);
        g_free(jobs[i].path);
    }
    for (unsigned i = 0; i < shifts; i++)
        g_checksum_update(trace, (const guchar *)digests + 65 * (gsize)i, -1);
    g_strlcpy(count->trace, g_checksum_get_string(trace), sizeof count->trace);
    return ok;
}

#include "aws/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define OUTPUT_LIMIT (64 * 1024)
#define COMPLAINT_LIMIT 300

struct child {
    pid_t pid;
    int fds[2];                // its standard output and error; -1: ended
    struct buffer *outputs[2]; // what came through them
};

// A process group of its own, so that what it starts can be ended with it; no
// descriptors and no blocked or ignored signals of ours.
static int spawn(char **words, const int pipes[2][2], pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipes[0][1], 1);
    posix_spawn_file_actions_adddup2(&files, pipes[1][1], 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                              POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    rc = posix_spawnp(pid, words[0], &files, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static void close_pair(const int pair[2])
{
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static bool start(struct child *child, char **words, struct error *err)
{
    int pipes[2][2], rc;

    if (pipe2(pipes[0], O_CLOEXEC))
        return error_set(err, ERROR_TRANSIENT, "pipe: %s", strerror(errno));
    if (pipe2(pipes[1], O_CLOEXEC)) {
        close_pair(pipes[0]);
        return error_set(err, ERROR_TRANSIENT, "pipe: %s", strerror(errno));
    }
    rc = spawn(words, pipes, &child->pid);
    for (size_t i = 0; i < 2; i++) {
        (void)close(pipes[i][1]);
        child->fds[i] = pipes[i][0];
    }
    if (rc == 0)
        return true;
    (void)close(child->fds[0]);
    (void)close(child->fds[1]);
    return error_set(err, ERROR_INVALID, "cannot run %s: %s", words[0],
                     strerror(rc));
}

// What is over the limit is read and forgotten: the child must not block.
static void drain(struct child *child, size_t i)
{
    char chunk[4096];
    ssize_t size = read(child->fds[i], chunk, sizeof(chunk));
    size_t room = child->outputs[i]->limit - child->outputs[i]->size;

    if (size < 0 && errno == EINTR)
        return;
    if (size <= 0) {
        (void)close(child->fds[i]);
        child->fds[i] = -1; // poll passes over it
        return;
    }
    if (i == 1 && (size_t)size > room)
        size = (ssize_t)room;
    buffer_append(child->outputs[i], chunk, (size_t)size);
    explicit_bzero(chunk, sizeof(chunk));
}

static bool read_all(struct child *child, const struct child_options *options,
                     struct error *err)
{
    int64_t deadline_ms = clock_now_ms(options->clock) + options->timeout_ms;

    while (child->fds[0] >= 0 || child->fds[1] >= 0) {
        struct pollfd fds[3] = {{child->fds[0], POLLIN, 0},
                                {child->fds[1], POLLIN, 0},
                                {options->stop_fd, POLLIN, 0}};
        int64_t left_ms = clock_until_ms(
            deadline_ms, clock_now_ms(options->clock), options->timeout_ms);

        if (poll(fds, 3, (int)left_ms) == 0)
            return error_set(err, ERROR_TRANSIENT, "no end within %d s",
                             (int)(options->timeout_ms / 1000));
        if (fds[2].revents)
            return error_set(err, ERROR_STOPPED, "stopped");
        for (size_t i = 0; i < 2; i++)
            if (fds[i].revents)
                drain(child, i);
    }
    return true;
}

static void end(struct child *child, bool kill_it, int *status)
{
    if (kill_it)
        (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, status, 0) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < 2; i++)
        if (child->fds[i] >= 0)
            (void)close(child->fds[i]);
}

bool child_run(const struct child_options *options, struct child_result *result,
               struct error *err)
{
    struct child child = {.outputs = {&result->output, &result->complaint}};
    bool ok;

    result->status = 0;
    buffer_init(&result->output, OUTPUT_LIMIT);
    buffer_init(&result->complaint, COMPLAINT_LIMIT);
    if (!start(&child, options->words, err))
        return false;
    ok = read_all(&child, options, err);
    end(&child, !ok, &result->status);
    return ok;
}

void child_result_finish(struct child_result *result)
{
    buffer_wipe(&result->output);
    buffer_wipe(&result->complaint);
}

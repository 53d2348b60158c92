#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lines.h"

#define SLICE_MS 20 // between looks where the kernel has no pidfd

struct running {
    pid_t pid;
    int input, pidfd;             // descriptors; -1: none
    int output[2], complaints[2]; // pipes; [0] is ours
    struct lines said, complained;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fail(struct command_end *end, const char *what, int error)
{
    (void)snprintf(end->reason, sizeof(end->reason), "did not start: %s: %s",
                   what, strerror(error));
    return false;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(fd, data, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

static bool open_input(struct running *running, const struct command *command)
{
    running->input = memfd_create("event", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return running->input >= 0 &&
           write_all(running->input, command->input, command->input_size) &&
           lseek(running->input, 0, SEEK_SET) == 0 &&
           fcntl(running->input, F_ADD_SEALS,
                 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

// Only our end does not block: the command's end is another open file.
static bool open_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC) == 0 &&
           fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void close_all(struct running *running)
{
    close_one(&running->input);
    close_one(&running->pidfd);
    for (int i = 0; i < 2; i++) {
        close_one(&running->output[i]);
        close_one(&running->complaints[i]);
    }
}

static void set_up_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    (void)posix_spawnattr_setpgroup(attributes, 0);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                   POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETPGROUP);
}

static int spawn(struct running *running, const struct command *command)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    set_up_attributes(&attributes);
    error = posix_spawn_file_actions_adddup2(&actions, running->input, 0);
    if (!error)
        error =
            posix_spawn_file_actions_adddup2(&actions, running->output[1], 1);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions,
                                                 running->complaints[1], 2);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!error)
        error = posix_spawnp(&running->pid, command->argv[0], &actions,
                             &attributes, command->argv, command->environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool start(struct running *running, const struct command *command,
                  struct command_end *end)
{
    int error;

    if (!open_input(running, command))
        return fail(end, "memory for the event", errno);
    if (!open_pipe(running->output) || !open_pipe(running->complaints))
        return fail(end, "pipe", errno);
    error = spawn(running, command);
    if (error)
        return fail(end, command->argv[0], error);
    close_one(&running->input);
    close_one(&running->output[1]);
    close_one(&running->complaints[1]);
    running->pidfd = pidfd_open(running->pid, 0);
    return true;
}

// Takes what is there. Closes the pipe at its end.
static void take_output(int *fd, struct lines *lines)
{
    char data[4096];
    ssize_t size;

    // A command that never stops talking must not hold up its own deadline.
    for (int i = 0; *fd >= 0 && i < 64; i++) {
        size = read(*fd, data, sizeof(data));
        if (size > 0)
            lines_add(lines, data, (size_t)size);
        else if (size == 0)
            close_one(fd);
        else if (errno != EINTR)
            return;
    }
}

// Over, but not reaped: the process id, and its group, cannot be reused yet.
static bool is_over(const struct running *running)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)running->pid, &info, WEXITED | WNOHANG | WNOWAIT))
        return errno != EINTR;
    return info.si_pid != 0;
}

static void wait_a_while(struct running *running, int64_t left_ms)
{
    struct pollfd fds[] = {
        {.fd = running->output[0], .events = POLLIN},
        {.fd = running->complaints[0], .events = POLLIN},
        {.fd = running->pidfd, .events = POLLIN},
    };
    int64_t longest_ms = running->pidfd >= 0 ? 60000 : SLICE_MS;

    (void)poll(fds, 3, (int)(left_ms < longest_ms ? left_ms : longest_ms));
    take_output(&running->output[0], &running->said);
    take_output(&running->complaints[0], &running->complained);
}

// False when it was still running at the deadline.
static bool attend(struct running *running, int64_t deadline_ms)
{
    while (!is_over(running)) {
        int64_t left_ms = deadline_ms - now_ms();

        if (left_ms <= 0)
            return false;
        wait_a_while(running, left_ms);
    }
    return true;
}

static void tell_status(struct command_end *end, int status)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(end->reason, sizeof(end->reason),
                       "was ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
        return;
    }
    end->done = WEXITSTATUS(status) == 0;
    end->try_again = WEXITSTATUS(status) == COMMAND_TRY_AGAIN;
    (void)snprintf(end->reason, sizeof(end->reason), "exited with %d%s",
                   WEXITSTATUS(status),
                   end->try_again               ? " (try again)"
                   : WEXITSTATUS(status) == 126 ? " (not executable)"
                   : WEXITSTATUS(status) == 127 ? " (not found)"
                                                : "");
}

// The rest of the group first, while the leader's id is still taken.
static bool reap(struct running *running, int *status)
{
    pid_t reaped;

    (void)kill(-running->pid, SIGKILL);
    do
        reaped = waitpid(running->pid, status, 0);
    while (reaped < 0 && errno == EINTR);
    return reaped == running->pid;
}

static void finish(struct running *running, int64_t timeout_ms, bool in_time,
                   struct command_end *end)
{
    int status = 0;
    bool reaped = reap(running, &status);

    take_output(&running->output[0], &running->said);
    take_output(&running->complaints[0], &running->complained);
    lines_end(&running->said);
    lines_end(&running->complained);
    if (!in_time)
        (void)snprintf(end->reason, sizeof(end->reason),
                       "was killed after %lld ms", (long long)timeout_ms);
    else if (!reaped)
        (void)snprintf(end->reason, sizeof(end->reason),
                       "ended, but its exit status was lost: %s",
                       strerror(errno));
    else
        tell_status(end, status);
}

void command_run(const struct command *command, struct command_end *end)
{
    struct running running = {
        .input = -1, .pidfd = -1, .output = {-1, -1}, .complaints = {-1, -1}};
    int64_t deadline_ms = now_ms() + command->timeout_ms;

    *end = (struct command_end){0};
    lines_init(&running.said, command->host, POLLARD_LOG_INFO);
    lines_init(&running.complained, command->host, POLLARD_LOG_WARN);
    if (start(&running, command, end))
        finish(&running, command->timeout_ms, attend(&running, deadline_ms),
               end);
    close_all(&running);
}

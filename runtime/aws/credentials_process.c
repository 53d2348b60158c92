#include "aws/credentials_process.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define OUTPUT_LIMIT (64 * 1024)
#define COMPLAINT_LIMIT 300 // of standard error, for the message
#define TIMEOUT_MS 60000

extern char **environ;

struct process {
    struct credentials_provider base;
    char **words; // owned
};

struct child {
    pid_t pid;
    int fds[2];               // its standard output and error
    struct buffer outputs[2]; // what came through them
};

// ---- the command line

static void end_word(char ***words, size_t *count, struct buffer *word)
{
    *words = mem_realloc(*words, *count + 2, sizeof(char *));
    (*words)[(*count)++] = buffer_detach(word);
    (*words)[*count] = NULL;
}

// What a backslash keeps as it is: inside double quotes only what would mean
// something there.
static bool is_escaped(char quote, char next)
{
    return next && quote != '\'' && (!quote || strchr("\"\\$`", next));
}

char **credentials_process_split(const char *command)
{
    char **words = mem_calloc(1, sizeof(char *));
    struct buffer word;
    size_t count = 0;
    bool in_word = false;
    char quote = 0;

    buffer_init(&word, strlen(command) + 1);
    for (const char *c = command; *c; c++) {
        if (*c == '\\' && is_escaped(quote, c[1])) {
            buffer_append_char(&word, *++c);
            in_word = true;
        } else if (quote ? *c == quote : *c == '"' || *c == '\'') {
            quote = quote ? 0 : *c;
            in_word = true;
        } else if (!quote && strchr(" \t", *c)) {
            if (in_word)
                end_word(&words, &count, &word);
            in_word = false;
        } else {
            buffer_append_char(&word, *c);
            in_word = true;
        }
    }
    if (in_word)
        end_word(&words, &count, &word);
    buffer_finish(&word);
    if (!quote)
        return words;
    credentials_process_free_words(words);
    return NULL;
}

void credentials_process_free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

// ---- the child

// A process group of its own, so that what it starts can be ended with it; no
// descriptors and no blocked signals of ours.
static int spawn(char **words, const int pipes[2][2], pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    int rc;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipes[0][1], 1);
    posix_spawn_file_actions_adddup2(&files, pipes[1][1], 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
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

static bool child_start(struct child *child, char **words, struct error *err)
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
    buffer_init(&child->outputs[0], OUTPUT_LIMIT);
    buffer_init(&child->outputs[1], COMPLAINT_LIMIT);
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
    size_t room = child->outputs[i].limit - child->outputs[i].size;

    if (size < 0 && errno == EINTR)
        return;
    if (size <= 0) {
        (void)close(child->fds[i]);
        child->fds[i] = -1; // poll passes over it
        return;
    }
    if (i == 1 && (size_t)size > room)
        size = (ssize_t)room;
    buffer_append(&child->outputs[i], chunk, (size_t)size);
    explicit_bzero(chunk, sizeof(chunk));
}

static bool child_read(struct child *child,
                       const struct credentials_tools *tools, struct error *err)
{
    int64_t deadline_ms = clock_now_ms(tools->clock) + TIMEOUT_MS;

    while (child->fds[0] >= 0 || child->fds[1] >= 0) {
        struct pollfd fds[3] = {{child->fds[0], POLLIN, 0},
                                {child->fds[1], POLLIN, 0},
                                {tools->stop_fd, POLLIN, 0}};
        int64_t left_ms =
            clock_until_ms(deadline_ms, clock_now_ms(tools->clock), TIMEOUT_MS);

        if (poll(fds, 3, (int)left_ms) == 0)
            return error_set(err, ERROR_TRANSIENT, "no answer within %d s",
                             TIMEOUT_MS / 1000);
        if (fds[2].revents)
            return error_set(err, ERROR_STOPPED, "stopped");
        for (size_t i = 0; i < 2; i++)
            if (fds[i].revents)
                drain(child, i);
    }
    return true;
}

static void child_end(struct child *child, bool kill_it, int *status)
{
    if (kill_it)
        (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, status, 0) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < 2; i++)
        if (child->fds[i] >= 0)
            (void)close(child->fds[i]);
}

// ---- the provider

// The first line of what it complained about.
static const char *complaint(struct child *child)
{
    const char *text = buffer_text(&child->outputs[1]);

    if (child->outputs[1].size)
        child->outputs[1].data[strcspn(text, "\r\n")] = '\0';
    return text;
}

static bool check_version(struct bytes output, struct error *err)
{
    json_auto_t *root = json_loadb(output.data, output.size, 0, NULL);

    if (json_integer_value(json_object_get(root, "Version")) == 1)
        return true;
    return error_set(err, ERROR_INVALID,
                     "its output is not JSON with \"Version\": 1");
}

static bool conclude(struct child *child, int status,
                     struct credentials *credentials, struct error *err)
{
    struct bytes output = buffer_bytes(&child->outputs[0]);

    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return error_set(err, ERROR_TRANSIENT, "%s %d: %s",
                         WIFEXITED(status) ? "exit status" : "ended by signal",
                         WIFEXITED(status) ? WEXITSTATUS(status)
                                           : WTERMSIG(status),
                         complaint(child));
    if (!buffer_ok(&child->outputs[0]))
        return error_set(err, ERROR_INVALID, "its output is over %d bytes",
                         OUTPUT_LIMIT);
    return check_version(output, err) &&
           credentials_read_json(output, "SessionToken", credentials, err);
}

static bool fetch(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err)
{
    const struct process *process = (struct process *)provider;
    struct child child;
    int status = 0;
    bool ok;

    if (!child_start(&child, process->words, err))
        return false;
    ok = child_read(&child, tools, err);
    child_end(&child, !ok, &status);
    ok = (ok && conclude(&child, status, credentials, err)) ||
         error_wrap(err, "%s", process->words[0]);
    buffer_wipe(&child.outputs[0]);
    buffer_wipe(&child.outputs[1]);
    return ok;
}

static void destroy(struct credentials_provider *provider)
{
    struct process *process = (struct process *)provider;

    credentials_process_free_words(process->words);
    free(process);
}

static const struct credentials_provider_ops ops = {
    .name = "credential_process", .fetch = fetch, .destroy = destroy};

struct credentials_provider *credentials_process_create(const char *command,
                                                        struct error *err)
{
    char **words = credentials_process_split(command);
    struct process *process;

    if (!words || !words[0]) {
        credentials_process_free_words(words);
        error_set(err, ERROR_INVALID, "credential_process %s",
                  words ? "is empty" : "has an open quote");
        return NULL;
    }
    process = mem_calloc(1, sizeof(*process));
    process->base.ops = &ops;
    process->words = words;
    return &process->base;
}

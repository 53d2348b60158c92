#include "aws/credentials_process.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "aws/child.h"
#include "aws/credentials.h"
#include "base/error.h"
#include "base/mem.h"

#define TIMEOUT_MS 60000

struct process {
    struct credentials_provider base;
    char **words; // owned
};

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

// The first line of what it complained about.
static const char *first_line(struct buffer *complaint)
{
    const char *text = buffer_text(complaint);

    if (complaint->size)
        complaint->data[strcspn(text, "\r\n")] = '\0';
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

static bool conclude(struct child_result *result,
                     struct credentials *credentials, struct error *err)
{
    struct bytes output = buffer_bytes(&result->output);
    int status = result->status;

    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return error_set(err, ERROR_TRANSIENT, "%s %d: %s",
                         WIFEXITED(status) ? "exit status" : "ended by signal",
                         WIFEXITED(status) ? WEXITSTATUS(status)
                                           : WTERMSIG(status),
                         first_line(&result->complaint));
    if (!buffer_ok(&result->output))
        return error_set(err, ERROR_INVALID, "its output is over %zu bytes",
                         result->output.limit);
    return check_version(output, err) &&
           credentials_read_json(output, "SessionToken", credentials, err);
}

static bool fetch(struct credentials_provider *provider,
                  const struct credentials_tools *tools,
                  struct credentials *credentials, struct error *err)
{
    const struct process *process = (struct process *)provider;
    struct child_result result;
    bool ok = child_run(&(struct child_options){.words = process->words,
                                                .timeout_ms = TIMEOUT_MS,
                                                .clock = tools->clock,
                                                .stop_fd = tools->stop_fd},
                        &result, err) &&
              conclude(&result, credentials, err);

    child_result_finish(&result);
    return ok || error_wrap(err, "%s", process->words[0]);
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

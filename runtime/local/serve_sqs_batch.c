#include "local/fault.h"
#include "local/serve_sqs.h"

struct failure {
    struct bytes id;
    const struct api_error_info *info;
    const char *text;
};

static bool is_batch_id(struct bytes id)
{
    if (id.size < 1 || id.size > 80)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool check_ids(struct request *request, const struct sqs_entry *entries,
                      size_t count, struct sqs_problem *problem)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_batch_id(entries[i].id))
            return serve_sqs_problem(
                request, problem, API_INVALID_BATCH_ID,
                "A batch entry id can only contain alphanumeric "
                "characters, hyphens and underscores. It can be "
                "at most 80 letters long.");
        for (size_t j = 0; j < i; j++)
            if (bytes_equal(entries[i].id, entries[j].id))
                return serve_sqs_problem(
                    request, problem, API_BATCH_IDS_NOT_DISTINCT,
                    "Id %.*s repeated.", BYTES_ARGS(entries[i].id));
    }
    return true;
}

static size_t entry_size(const struct sqs_entry *entry)
{
    const struct sqs_attribute *attributes = entry->attributes.items;
    size_t size = entry->body.size;

    for (size_t i = 0; i < entry->attributes.count; i++)
        size += attributes[i].name.size + attributes[i].type.size +
                attributes[i].text.size + attributes[i].binary.size;
    return size;
}

static bool check_size(struct request *request, const struct sqs_entry *entries,
                       size_t count, struct sqs_problem *problem)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += entry_size(&entries[i]);
    return size <= SQS_SIZE_LIMIT ||
           serve_sqs_problem(
               request, problem, API_BATCH_TOO_LONG,
               "Batch requests cannot be longer than %d bytes. You "
               "have sent %zu bytes.",
               SQS_SIZE_LIMIT, size);
}

static bool check(struct request *request, const struct vector *entries,
                  struct sqs_problem *problem)
{
    if (!entries->count)
        return serve_sqs_problem(
            request, problem, API_EMPTY_BATCH,
            "There should be at least one %sRequestEntry in the "
            "request.",
            request->operation->name);
    if (entries->count > SQS_BATCH_LIMIT)
        return serve_sqs_problem(
            request, problem, API_TOO_MANY_ENTRIES,
            "Maximum number of entries per request are %d. You "
            "have sent %zu.",
            SQS_BATCH_LIMIT, entries->count);
    return check_ids(request, entries->items, entries->count, problem) &&
           check_size(request, entries->items, entries->count, problem);
}

// False: it failed, and `failure` says why.
static bool run_entry(struct request *request, const struct sqs_batch *batch,
                      struct queue *queue, const struct sqs_entry *entry,
                      struct failure *failure)
{
    const struct fault *fault = request_fault(request, FAULT_PARTIAL);
    struct sqs_problem problem = {0};
    struct writer before = request->writer;
    size_t size = request->writer.out->size;

    failure->id = entry->id;
    if (fault) {
        failure->info = request_fault_error(request, fault);
        failure->text = "asked for by a fault of the local server";
        return false;
    }
    writer_item(&request->writer, batch->element);
    writer_text(&request->writer, "Id", entry->id);
    if (batch->run(request, queue, entry, &problem)) {
        writer_item_end(&request->writer, batch->element);
        return true;
    }
    request->writer = before;
    request->writer.out->size = size;
    failure->info = api_error_info(problem.error);
    failure->text = problem.text;
    return false;
}

static void write_failures(struct writer *writer, const struct failure *failure,
                           size_t count)
{
    writer_list(writer, "Failed");
    for (size_t i = 0; i < count; i++, failure++) {
        writer_item(writer, "BatchResultErrorEntry");
        writer_text(writer, "Id", failure->id);
        writer_bool(writer, "SenderFault", !failure->info->receiver);
        writer_text(writer, "Code", bytes_of(failure->info->query));
        writer_text(writer, "Message", bytes_of(failure->text));
        writer_item_end(writer, "BatchResultErrorEntry");
    }
    writer_list_end(writer);
}

enum step serve_sqs_run_batch(struct request *request,
                              const struct sqs_batch *batch)
{
    const struct vector *list = &serve_sqs_input(request)->entries;
    const struct sqs_entry *entries = list->items;
    struct failure failures[SQS_BATCH_LIMIT];
    struct queue *queue = serve_sqs_queue(request);
    struct sqs_problem problem = {0};
    size_t failed = 0;

    if (!queue)
        return STEP_REPLY;
    if (!check(request, list, &problem))
        return serve_sqs_refuse(request, &problem);
    writer_list(&request->writer, "Successful");
    for (size_t i = 0; i < list->count; i++)
        failed +=
            !run_entry(request, batch, queue, &entries[i], &failures[failed]);
    writer_list_end(&request->writer);
    if (failed)
        write_failures(&request->writer, failures, failed);
    return STEP_REPLY;
}

enum step serve_sqs_run_single(struct request *request,
                               const struct sqs_batch *batch)
{
    struct queue *queue = serve_sqs_queue(request);
    struct sqs_problem problem = {0};

    if (queue &&
        !batch->run(request, queue, &serve_sqs_input(request)->entry, &problem))
        return serve_sqs_refuse(request, &problem);
    return STEP_REPLY;
}

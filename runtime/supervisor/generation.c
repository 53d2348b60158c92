#include "supervisor/supervisor_inner.h"

#include <stdlib.h>

#include "aws/session.h"
#include "base/mem.h"
#include "supervisor/settings.h"

struct generation *generation_create(struct supervisor *supervisor,
                                     struct settings *settings,
                                     struct error *err)
{
    struct generation *generation = mem_calloc(1, sizeof(*generation));

    generation->settings = settings;
    generation->session = aws_session_create(
        &(struct aws_session_options){.config = &settings->aws,
                                      .clock = supervisor->clock,
                                      .log = &supervisor->log},
        err);
    if (generation->session)
        return generation;
    settings_destroy(settings);
    free(generation);
    return NULL;
}

void generation_destroy(struct generation *generation)
{
    aws_session_destroy(generation->session);
    settings_destroy(generation->settings);
    free(generation);
}

#include "config/key_path.h"

#include "base/bytes.h"

#define PATH_LIMIT 400
#define KEY_LIMIT 64

static void write_frames(const struct key_path *path, struct buffer *out)
{
    if (path->up)
        write_frames(path->up, out);
    if (!path->key)
        buffer_printf(out, "[%zu]", path->index);
    else
        buffer_printf(out, "%s%.*s%s", out->size ? "." : "", KEY_LIMIT,
                      path->key, strlen(path->key) > KEY_LIMIT ? "..." : "");
}

char *key_path_text(const struct key_path *path)
{
    struct buffer out;

    buffer_init(&out, PATH_LIMIT);
    if (path)
        write_frames(path, &out);
    return buffer_detach(&out);
}

#include "supervisor/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    int fd;

    // An absolute path, or '@' for the abstract namespace.
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size))) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

// Half the interval the manager allows, as sd_watchdog_enabled(3) advises.
static int64_t watchdog_interval_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long value = usec ? atoll(usec) : 0;

    if (value <= 0 || (pid && atoll(pid) != getpid()))
        return 0;
    return value / 2000 > 0 ? value / 2000 : 1;
}

void notify_open(struct notify *notify)
{
    const char *path = getenv("NOTIFY_SOCKET");

    notify->fd = path ? connect_to(path) : -1;
    notify->watchdog_ms = notify->fd >= 0 ? watchdog_interval_ms() : 0;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        (void)close(notify->fd);
    notify->fd = -1;
}

void notify_send(const struct notify *notify, const char *format, ...)
{
    char text[512];
    va_list args;

    if (notify->fd < 0)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    // A manager that does not listen is no reason to stop working.
    (void)send(notify->fd, text, strlen(text), MSG_NOSIGNAL);
}

int64_t notify_monotonic_usec(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

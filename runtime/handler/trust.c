#include "handler/trust.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

enum place { PLACE_FILE, PLACE_FOLDER, PLACE_ABOVE };

#define ENTRY_SIZE 16384 // of a passwd or group entry; a longer one is refused

static bool only_member_is(const struct group *group, const char *user)
{
    for (char **member = group->gr_mem; *member; member++)
        if (strcmp(*member, user) != 0)
            return false;
    return true;
}

// A group named like the owner, with nobody else in it.
static bool group_is_owners_alone(const struct stat *status)
{
    AUTO_FREE char *memory = mem_calloc(2, ENTRY_SIZE);
    struct passwd user, *user_found = NULL;
    struct group group, *group_found = NULL;

    (void)getpwuid_r(status->st_uid, &user, memory, ENTRY_SIZE, &user_found);
    (void)getgrgid_r(status->st_gid, &group, memory + ENTRY_SIZE, ENTRY_SIZE,
                     &group_found);
    return user_found && group_found && !strcmp(group.gr_name, user.pw_name) &&
           only_member_is(&group, user.pw_name);
}

// With an access control list, the mode's group bits are its mask.
static bool has_access_list(const char *path)
{
    return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static bool others_may_write(const char *path, const struct stat *status)
{
    if (status->st_mode & S_IWOTH)
        return true;
    if (!(status->st_mode & S_IWGRP))
        return false;
    return has_access_list(path) || !group_is_owners_alone(status);
}

static bool check(const char *path, enum place place, struct error *err)
{
    const char *what = place == PLACE_FILE ? "" : "the folder ";
    struct stat status;

    if (stat(path, &status))
        return error_set(err, ERROR_INVALID, "%s%s: %s", what, path,
                         strerror(errno));
    if (place != PLACE_ABOVE && status.st_uid != 0 &&
        status.st_uid != geteuid())
        return error_set(err, ERROR_INVALID,
                         "%s%s belongs to uid %u, neither to root nor to uid "
                         "%u, which runs pollard: chown %u %s",
                         what, path, status.st_uid, geteuid(), geteuid(), path);
    if (place == PLACE_ABOVE && (status.st_mode & S_ISVTX))
        return true;
    if (others_may_write(path, &status))
        return error_set(err, ERROR_INVALID,
                         "others may write to %s%s (mode %04o): chmod go-w %s",
                         what, path, status.st_mode & 07777u, path);
    return true;
}

bool trust_check(const char *path, struct error *err)
{
    AUTO_FREE char *at = mem_strdup(path);
    enum place place = PLACE_FOLDER;
    char *slash;

    if (!check(path, PLACE_FILE, err))
        return false;
    while ((slash = strrchr(at, '/'))) {
        slash[slash == at] = '\0'; // the root keeps its slash
        if (!check(at, place, err))
            return false;
        if (slash == at)
            return true;
        place = PLACE_ABOVE;
    }
    return true;
}

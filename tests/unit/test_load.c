#include "handler/load.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "handler/host.h"
#include "test.h"

#define FIXTURE(name_) BUILD "/tests/handlers/" name_ ".so"

static void write_file(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(close(fd), 0);
}

/* The first `limit` bytes of a file. Caller frees. */
static char *read_file(const char *path, size_t limit, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *data;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    *size = (size_t)status.st_size < limit ? (size_t)status.st_size : limit;
    data = mem_calloc(1, *size);
    assert_int_equal(read(fd, data, *size), *size);
    assert_int_equal(close(fd), 0);
    return data;
}

static void copy_file(const char *from, const char *to)
{
    size_t size;
    char *data = read_file(from, SIZE_MAX, &size);

    write_file(to, data, size);
    free(data);
}

/* The fixture under a new name in a fresh folder. Caller frees both. */
static char *fresh_copy(const char *fixture, char **folder)
{
    char *path;

    *folder = test_folder_create();
    path = mem_printf("%s/handler.so", *folder);
    copy_file(fixture, path);
    return path;
}

static void assert_refused(const char *path, const char *part)
{
    struct error err = {0};

    assert_fails(load_library(path, &host_table, &err) != NULL, &err,
                 ERROR_INVALID);
    assert_contains(err.message, path);
    assert_contains(err.message, part);
}

static struct refused_case {
    const char *name, *fixture, *message;
} refused_cases[] = {
    {"no such file", FIXTURE("nowhere"), "No such file"},
    {"no entry", FIXTURE("no_entry"), "has no function pollard_handler_entry"},
    {"another major version", FIXTURE("wrong_major"),
     "is built for handler ABI 7.3, this pollard speaks 1.1"},
    {"a library that finds pollard too old", FIXTURE("refuses"),
     "returned NULL for handler ABI 1.1"},
    {"a short table", FIXTURE("short_table"), "too short for ABI 1.0"},
    {"no room for a version", FIXTURE("no_version"),
     "too short to hold its version"},
    {"an empty member", FIXTURE("empty_member"), "table without handle"},
    {"a program", "/proc/self/exe", "position-independent executable"},
    {"an undefined symbol", FIXTURE("undefined_symbol"), "nobody_defines_this"},
};

static void test_refused(void **state)
{
    const struct refused_case *c = *state;
    struct error err = {0};

    assert_fails(load_library(c->fixture, &host_table, &err) != NULL, &err,
                 ERROR_INVALID);
    assert_contains(err.message, c->message);
}

static void spoil_nothing(char *path)
{
    (void)path;
}

static void make_empty(char *path)
{
    write_file(path, "", 0);
}

static void make_text(char *path)
{
    static const char text[] =
        "INPUT(libelsewhere.so) # a linker script, which dlopen cannot take\n";

    write_file(path, text, sizeof(text) - 1);
}

static void cut_in_half(char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size / 4), 0);
}

static void cut_after_header(char *path)
{
    assert_int_equal(truncate(path, (off_t)sizeof(Elf64_Ehdr) + 3), 0);
}

static void patch(const char *path, size_t at, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(pwrite(fd, data, size, (off_t)at), size);
    assert_int_equal(close(fd), 0);
}

static void make_sparc(char *path)
{
    uint8_t endian = ELFDATA2MSB, machine[2] = {0, EM_SPARCV9};

    patch(path, EI_DATA, &endian, 1);
    patch(path, offsetof(Elf64_Ehdr, e_machine), machine, 2);
}

static void make_arm32(char *path)
{
    uint8_t class = ELFCLASS32, machine[2] = {EM_ARM, 0};

    patch(path, EI_CLASS, &class, 1);
    patch(path, offsetof(Elf64_Ehdr, e_machine), machine, 2);
}

static void make_object(char *path)
{
    Elf64_Half type = ET_REL;

    patch(path, offsetof(Elf64_Ehdr, e_type), &type, sizeof(type));
}

static void make_program(char *path)
{
    Elf64_Half type = ET_EXEC;

    patch(path, offsetof(Elf64_Ehdr, e_type), &type, sizeof(type));
}

static void make_pipe(char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
}

static void make_folder(char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void open_file_to_all(char *path)
{
    assert_int_equal(chmod(path, 0646), 0);
}

static void open_folder_to_all(char *path)
{
    *strrchr(path, '/') = '\0';
    assert_int_equal(chmod(path, 0757), 0);
    path[strlen(path)] = '/';
}

static void open_folder_like_tmp(char *path)
{
    *strrchr(path, '/') = '\0';
    assert_int_equal(chmod(path, 01777), 0);
    path[strlen(path)] = '/';
}

static struct spoilt_case {
    const char *name;
    void (*spoil)(char *path);
    const char *message; // NULL: it loads
} spoilt_cases[] = {
    {"a copy is fine, below /tmp too", spoil_nothing, NULL},
    {"an empty file", make_empty, "is empty"},
    {"text", make_text, "not an ELF file"},
    {"a library cut off", cut_in_half, "is cut off: it has"},
    {"cut off after the header", cut_after_header,
     "is cut off within its program headers"},
    {"another byte order", make_sparc,
     "is built for sparc (64 bit, big-endian"},
    {"another word size", make_arm32,
     "is built for arm (32 bit, little-endian"},
    {"an object file", make_object, "link it with gcc -shared"},
    {"a program", make_program, "is a program, not a shared object"},
    {"a pipe without a writer", make_pipe, "is not a regular file"},
    {"a folder", make_folder, "is a folder"},
    {"a file that all may write", open_file_to_all,
     "others may write to /tmp/"},
    {"a folder that all may write", open_folder_to_all,
     "others may write to the folder /tmp/"},
    {"a folder like /tmp", open_folder_like_tmp,
     "others may write to the folder /tmp/"},
};

static void test_spoilt(void **state)
{
    const struct spoilt_case *c = *state;
    struct error err = {0};
    char *folder, *path = fresh_copy(FIXTURE("good"), &folder);

    c->spoil(path);
    if (c->message)
        assert_refused(path, c->message);
    else
        assert_ok(load_library(path, &host_table, &err), &err);
    free(path);
    test_folder_remove(folder);
}

static void test_the_mend_is_in_the_message(void **state)
{
    struct error err = {0};
    char *folder, *path = fresh_copy(FIXTURE("good"), &folder), *mend;

    (void)state;
    mend = mem_printf("(mode 0757): chmod go-w %s", folder);
    open_folder_to_all(path);
    assert_refused(path, mend);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_ok(load_library(path, &host_table, &err), &err);
    free(mend);
    free(path);
    test_folder_remove(folder);
}

static void test_a_folder_above_counts_unless_sticky(void **state)
{
    struct error err = {0};
    char *top = test_folder_create();
    char *inner = mem_printf("%s/inner", top);
    char *path = mem_printf("%s/handler.so", inner);

    (void)state;
    assert_int_equal(mkdir(inner, 0755), 0);
    copy_file(FIXTURE("good"), path);
    assert_int_equal(chmod(top, 0777), 0);
    assert_refused(path, "others may write to the folder");
    assert_int_equal(chmod(top, 01777), 0);
    assert_ok(load_library(path, &host_table, &err), &err);
    free(path);
    free(inner);
    test_folder_remove(top);
}

// Only root can give files away, so only root can see these two.
static void test_somebody_elses_file_or_group(void **state)
{
    char *folder, *path;

    (void)state;
    if (geteuid() != 0)
        skip();
    path = fresh_copy(FIXTURE("good"), &folder);
    assert_int_equal(chown(path, 12345, 0), 0);
    assert_refused(path, "belongs to uid 12345, neither to root nor to uid 0");
    assert_int_equal(chown(path, 0, 12345), 0);
    assert_int_equal(chmod(path, 0664), 0);
    assert_refused(path, "others may write to");
    // root's own group has no other member: no stranger may write.
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chmod(path, 0664), 0);
    assert_non_null(load_library(path, &host_table, &(struct error){0}));
    free(path);
    test_folder_remove(folder);
}

// Root reads everything, so nobody tries it: in a child that gives its rights
// away.
static void test_an_unreadable_file(void **state)
{
    static char *folder, *path; // the child leaves without a free: no leak
    struct error err = {0};
    int status = -1;
    pid_t child;

    (void)state;
    path = fresh_copy(FIXTURE("good"), &folder);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(path, 0), 0);
    child = fork();
    if (!child) {
        bool dropped = geteuid() != 0 || !setresuid(65534, 65534, 65534);
        bool refused = !load_library(path, &host_table, &err);

        _exit(!dropped || !refused ||
              !strstr(err.message, "cannot be read: Permission denied"));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(path);
    test_folder_remove(folder);
}

static void test_a_longer_table_is_cut_to_ours(void **state)
{
    struct error err = {0};
    const struct library *library =
        load_library(FIXTURE("longer_table"), &host_table, &err);

    (void)state;
    assert_ok(library, &err);
    assert_string_equal(library->table.name, "longer_table");
    assert_int_equal(library->table.minor, POLLARD_HANDLER_MINOR + 5);
}

static void test_one_inode_is_one_library(void **state)
{
    struct error err = {0};
    char *folder, *path = fresh_copy(FIXTURE("good"), &folder);
    char *link_path = mem_printf("%s/link.so", folder);
    const struct library *first, *second;

    (void)state;
    assert_int_equal(link(path, link_path), 0);
    first = load_library(path, &host_table, &err);
    assert_ok(first, &err);
    second = load_library(link_path, &host_table, &err);
    assert_ptr_equal(first, second);
    free(link_path);
    free(path);
    test_folder_remove(folder);
}

static void test_a_new_build_in_the_old_place_is_loaded_anew(void **state)
{
    struct error err = {0};
    char *folder, *path = fresh_copy(FIXTURE("wrong_major"), &folder);
    char *next = mem_printf("%s/next.so", folder);
    const struct library *before, *after;

    (void)state;
    // A refused one is remembered by the dynamic linker too.
    assert_refused(path, "ABI 7.3");
    copy_file(FIXTURE("good"), next);
    assert_int_equal(rename(next, path), 0);
    before = load_library(path, &host_table, &err);
    assert_ok(before, &err);
    copy_file(FIXTURE("longer_table"), next);
    assert_int_equal(rename(next, path), 0);
    after = load_library(path, &host_table, &err);
    assert_ok(after, &err);
    assert_string_equal(before->table.name, "good");
    assert_string_equal(after->table.name, "longer_table");
    free(next);
    free(path);
    test_folder_remove(folder);
}

static void test_overwriting_a_loaded_library_is_noticed(void **state)
{
    struct error err = {0};
    char *folder, *path = fresh_copy(FIXTURE("good"), &folder);

    (void)state;
    assert_ok(load_library(path, &host_table, &err), &err);
    // Only its time changes: new bytes would be the ones that run.
    assert_int_equal(
        utimensat(AT_FDCWD, path,
                  (const struct timespec[]){{.tv_sec = 1}, {.tv_sec = 1}}, 0),
        0);
    assert_refused(path, "was overwritten while it is loaded");
    free(path);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_mend_is_in_the_message),
        cmocka_unit_test(test_a_folder_above_counts_unless_sticky),
        cmocka_unit_test(test_somebody_elses_file_or_group),
        cmocka_unit_test(test_an_unreadable_file),
        cmocka_unit_test(test_a_longer_table_is_cut_to_ours),
        cmocka_unit_test(test_one_inode_is_one_library),
        cmocka_unit_test(test_a_new_build_in_the_old_place_is_loaded_anew),
        cmocka_unit_test(test_overwriting_a_loaded_library_is_noticed),
    };

    return run_table("refused", refused_cases, test_refused) +
           run_table("spoilt", spoilt_cases, test_spoilt) +
           cmocka_run_group_tests_name("load", tests, NULL, NULL);
}

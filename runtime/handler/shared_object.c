#include "handler/shared_object.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define ELF_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

// The linker puts it at our own ELF header: what this machine runs.
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static const struct machine {
    unsigned number;
    const char *name;
} machines[] = {
    {EM_386, "x86"},       {EM_X86_64, "x86-64"}, {EM_AARCH64, "aarch64"},
    {EM_ARM, "arm"},       {EM_RISCV, "riscv"},   {EM_PPC64, "ppc64"},
    {EM_S390, "s390x"},    {EM_MIPS, "mips"},     {EM_LOONGARCH, "loongarch"},
    {EM_SPARCV9, "sparc"},
};

static void name_machine(const ElfW(Ehdr) * header, char *out, size_t size)
{
    bool wide = header->e_ident[EI_CLASS] == ELFCLASS64;
    bool big = header->e_ident[EI_DATA] == ELFDATA2MSB;
    // e_machine stands at the same place in every class, in the file's order.
    unsigned number = header->e_machine;
    const char *name = "unknown";

    if (header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA])
        number = (number >> 8 | number << 8) & 0xffffu;
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        if (machines[i].number == number)
            name = machines[i].name;
    (void)snprintf(out, size, "%s (%d bit, %s-endian, ELF machine %u)", name,
                   wide ? 64 : 32, big ? "big" : "little", number);
}

static bool check_machine(const ElfW(Ehdr) * header, struct error *err)
{
    char theirs[80], ours[80];

    if (header->e_machine == __ehdr_start.e_machine &&
        header->e_ident[EI_CLASS] == ELF_CLASS &&
        header->e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA])
        return true;
    name_machine(header, theirs, sizeof(theirs));
    name_machine(&__ehdr_start, ours, sizeof(ours));
    return error_set(err, ERROR_INVALID, "is built for %s, this pollard is %s",
                     theirs, ours);
}

static bool check_type(const ElfW(Ehdr) * header, struct error *err)
{
    switch (header->e_type) {
    case ET_DYN:
        return true;
    case ET_REL:
        return error_set(err, ERROR_INVALID,
                         "is an object file, not a shared object: link it "
                         "with gcc -shared");
    case ET_EXEC:
        return error_set(err, ERROR_INVALID,
                         "is a program, not a shared object");
    default:
        return error_set(err, ERROR_INVALID,
                         "is no shared object (ELF type %u)", header->e_type);
    }
}

// Every loaded segment must lie within the file.
static bool check_whole(int fd, const ElfW(Ehdr) * header, struct error *err)
{
    struct stat status;
    ElfW(Phdr) segment;

    if (fstat(fd, &status))
        return error_set(err, ERROR_INVALID, "fstat: %s", strerror(errno));
    for (unsigned i = 0; i < header->e_phnum; i++) {
        off_t at = (off_t)(header->e_phoff + i * sizeof(segment));

        if (pread(fd, &segment, sizeof(segment), at) !=
            (ssize_t)sizeof(segment))
            return error_set(err, ERROR_INVALID,
                             "is cut off within its program headers");
        if (segment.p_type != PT_LOAD)
            continue;
        if (segment.p_filesz > (ElfW(Off))status.st_size ||
            segment.p_offset > (ElfW(Off))status.st_size - segment.p_filesz)
            return error_set(err, ERROR_INVALID,
                             "is cut off: it has %lld bytes and should have "
                             "%llu at least",
                             (long long)status.st_size,
                             (unsigned long long)segment.p_offset +
                                 segment.p_filesz);
    }
    return true;
}

bool shared_object_check(int fd, struct error *err)
{
    ElfW(Ehdr) header = {0};
    ssize_t size = pread(fd, &header, sizeof(header), 0);

    if (size < 0)
        return error_set(err, ERROR_INVALID, "cannot be read: %s",
                         strerror(errno));
    if (size == 0)
        return error_set(err, ERROR_INVALID, "is empty");
    if (size < (ssize_t)sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return error_set(err, ERROR_INVALID,
                         "is no shared object (not an ELF file)");
    if (!check_machine(&header, err) || !check_type(&header, err))
        return false;
    if (header.e_phentsize != sizeof(ElfW(Phdr)))
        return error_set(err, ERROR_INVALID, "has a broken ELF header");
    return check_whole(fd, &header, err);
}

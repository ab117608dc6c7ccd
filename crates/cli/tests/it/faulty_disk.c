/*
 * A disk that fails on demand. Loaded into a program with LD_PRELOAD, it makes file operations fail
 * while the file FAULTY_DISK_CONTROL exists. That file names the fault, as in "EIO sync" or
 * "ENOSPC write". Only files whose path matches the pattern FAULTY_DISK_FILES fail.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Sets errno and returns 1 if this operation on this file must fail now. */
static int fails(const char *operation, int fd)
{
    const int before = errno;
    char fault[32] = "", link[64], path[4096] = "";
    int control = open(getenv("FAULTY_DISK_CONTROL"), O_RDONLY | O_CLOEXEC);
    if (control >= 0) {
        if (read(control, fault, sizeof fault - 1) < 0)
            abort();
        close(control);
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (!strstr(fault, operation) || readlink(link, path, sizeof path - 1) < 0
        || fnmatch(getenv("FAULTY_DISK_FILES"), path, 0) != 0) {
        errno = before;
        return 0;
    }
    errno = strstr(fault, "ENOSPC") ? ENOSPC : EIO;
    return 1;
}

#define ON_DEMAND(operation, result, name, parameters, arguments) \
    result name parameters                                        \
    {                                                             \
        result (*real) parameters = dlsym(RTLD_NEXT, #name);      \
        return fails(operation, fd) ? -1 : real arguments;        \
    }

ON_DEMAND("sync", int, fsync, (int fd), (fd))
ON_DEMAND("sync", int, fdatasync, (int fd), (fd))
ON_DEMAND("write", ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
ON_DEMAND("write", ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at),
          (fd, bytes, count, at))
ON_DEMAND("write", ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at),
          (fd, bytes, count, at))
ON_DEMAND("write", int, ftruncate, (int fd, off_t length), (fd, length))
ON_DEMAND("write", int, ftruncate64, (int fd, off64_t length), (fd, length))

/* Preloaded into a server: whatever makes bytes durable takes DELAY_MS milliseconds longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
    struct timespec delay = {DELAY_MS / 1000, DELAY_MS % 1000 * 1000000L};
    nanosleep(&delay, 0);
}

#define SLOW(name)                                               \
    int name(int fd) {                                           \
        int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name); \
        wait_for_disk();                                         \
        return real(fd);                                         \
    }

SLOW(fsync)
SLOW(fdatasync)
SLOW(syncfs)

typedef ssize_t (*pwritev2_type)(int, const struct iovec *, int, off_t, int);

#define SLOW_WRITE(name)                                                                      \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset, int flags) {     \
        pwritev2_type real = (pwritev2_type)dlsym(RTLD_NEXT, #name);                          \
        if (flags & RWF_DSYNC) wait_for_disk();                                               \
        return real(fd, parts, count, offset, flags);                                         \
    }

SLOW_WRITE(pwritev2)
SLOW_WRITE(pwritev64v2)

/* The clock of a server that a test moves: what it reads is ahead by the microseconds that stand in PARLEY_TEST_CLOCK,
   a file of eight bytes. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t zero, *ahead = &zero;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("PARLEY_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) ahead = page;
    close(file);
}

int gettimeofday(struct timeval *now, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    int64_t micros = now->tv_usec + *ahead % 1000000;
    now->tv_sec += *ahead / 1000000 + micros / 1000000;
    now->tv_usec = micros % 1000000;
    return result;
}

#pragma once
#include <sys/eventfd.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

// Names the calling thread as ps and gdb show it (15 bytes). prctl is variadic and pthread_setname_np needs _GNU_SOURCE.
static inline void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, (unsigned long)name, 0UL, 0UL, 0UL);
}

// Accepts a connection as a non-blocking descriptor that children do not inherit. Declared only under _GNU_SOURCE.
extern int accept4(int, struct sockaddr *restrict, socklen_t *restrict, int);
static inline int clinux_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Moves the calling thread into the network of a descriptor (setns with CLONE_NEWNET). Declared only under _GNU_SOURCE.
extern int setns(int, int);
static inline int clinux_enter_network(int network) {
    return setns(network, 0x40000000);
}

#pragma once
#include <libwebsockets.h>

// Closes a connection now. LWS_TO_KILL_SYNC is a macro that a change of header could make unimportable.
static inline void cws_close_now(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

// A descriptor as the union that the adopt call takes.
static inline lws_sock_file_fd_type cws_descriptor(int fd) {
    lws_sock_file_fd_type descriptor;
    descriptor.sockfd = fd;
    return descriptor;
}

// Writes bytes as they are. LWS_WRITE_RAW is a macro naming another constant.
static inline int cws_write(struct lws *wsi, void *bytes, size_t count) {
    return lws_write(wsi, (unsigned char *)bytes, count, LWS_WRITE_RAW);
}

// Constants whose macros do not import, or import without their type.
enum {
    CWS_NO_LISTEN = CONTEXT_PORT_NO_LISTEN,
    CWS_NO_LISTEN_TLS = CONTEXT_PORT_NO_LISTEN_SERVER
};
static inline unsigned long long cws_context_options(int tls) {
    return LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
           (tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0);
}

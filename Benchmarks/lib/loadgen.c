/*
 * A WebSocket load generator on one thread and one epoll, so that the generator is never the slow part of a
 * comparison: a scripted client receives some 0.2 M frames/s on a core, the servers under test send up to 2 M.
 *
 *   loadgen hold   SPEC                              connect every socket of SPEC, print "ready", hold until stdin closes
 *   loadgen fanout SPEC REQUEST HOST:PORT PUBLISHERS RATE SECONDS
 *   loadgen pairs  SPEC OUTSTANDING RATE SECONDS
 *
 * SPEC: first line "HOST PORT", then one line per socket, tab-separated:
 *   path, frame to send after the upgrade (or "-"), text that answers it (or "-"), message template (or "-"), index of the peer
 * REQUEST: a whole HTTP request. In it and in message templates the marker "@T" + 19 x '@' + 'S' + 6 x '@' is
 * replaced by the intended send time (ns) and the sender's index; nothing else changes, so lengths stay true.
 * A "%U" + 34 x '%' in a template becomes a fresh UUID (36 characters).
 *
 * RATE 0 is saturation: `fanout` keeps one request per publisher in flight, `pairs` keeps OUTSTANDING messages
 * per socket in flight (the next is sent when the peer has received one). RATE > 0 is an open loop: send times are
 * fixed in advance and latency counts from the intended time, so a stalled server cannot hide its queue.
 *
 * Output: one JSON line. Latencies in microseconds. `closed` counts sockets that the server closed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RX = 96 * 1024, TX = 64 * 1024, MARK = 28 };
enum phase { CONNECTING, UPGRADING, JOINING, READY, GONE };

struct sock {
    int fd, peer, inflight;
    enum phase phase;
    const char *path, *first, *expect, *message;
    char *rx, *tx;
    size_t rx_len, tx_len;
    long mark_at; /* where the marker stood in the last frame: the next one usually has it there too */
};
struct publisher { int fd, busy; char rx[4096]; size_t rx_len; };

static struct sock *socks;
static int nsocks, ready, gone, ep, recording;
static struct sockaddr_in server;
static char host[64];
static uint64_t received, sent, began;
static uint32_t *lat; /* histogram of 10 us buckets up to 60 s */
enum { BUCKETS = 6000000 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void die(const char *what) { fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno)); exit(1); }

static void watch(int fd, void *ptr, int op, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = ptr};
    if (epoll_ctl(ep, op, fd, &e) != 0) die("epoll_ctl");
}
static int dial(struct sockaddr_in *to, int index) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    if (fd < 0) die("socket");
    /* several loopback source addresses, so that ports never run out */
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(index % 8))};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0) die("bind");
    if (connect(fd, (struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS) die("connect");
    return fd;
}
static void drop(struct sock *s) {
    if (s->phase == GONE) return;
    if (s->phase == READY) ready--;
    s->phase = GONE;
    gone++;
    close(s->fd);
}
static void flush_tx(struct sock *s) {
    while (s->tx_len > 0) {
        ssize_t n = send(s->fd, s->tx, s->tx_len, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) { watch(s->fd, s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT); return; }
            drop(s);
            return;
        }
        memmove(s->tx, s->tx + n, s->tx_len - (size_t)n);
        s->tx_len -= (size_t)n;
    }
}
/* A masked text frame; the mask is zero, which is legal and costs nothing. */
static int send_text(struct sock *s, const char *text, size_t n) {
    if (s->tx_len + n + 8 > TX) return 0;
    unsigned char *p = (unsigned char *)s->tx + s->tx_len, *start = p;
    *p++ = 0x81;
    if (n < 126) *p++ = 0x80 | (unsigned char)n;
    else { *p++ = 0x80 | 126; *p++ = (unsigned char)(n >> 8); *p++ = (unsigned char)n; }
    memset(p, 0, 4);
    p += 4;
    memcpy(p, text, n);
    s->tx_len += (size_t)(p + n - start);
    flush_tx(s);
    return 1;
}
static void stamp(char *text, size_t n, uint64_t when, int sender) {
    char *m = memmem(text, n, "@T@@@@", 6);
    if (m) {
        char digits[32];
        snprintf(digits, sizeof digits, "%019llu", (unsigned long long)when);
        memcpy(m + 2, digits, 19);
        snprintf(digits, sizeof digits, "%06d", sender);
        memcpy(m + 22, digits, 6);
    }
    char *u = memmem(text, n, "%U%%%%", 6);
    if (u) {
        static uint64_t counter;
        char id[40];
        uint64_t r = when * 0x9E3779B97F4A7C15u ^ (uint64_t)getpid() << 32, c = ++counter;
        snprintf(id, sizeof id, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(r >> 32), (unsigned)(r >> 16) & 0xffff,
                 (unsigned)r & 0xfff, (unsigned)sender & 0xfff, (unsigned long long)(c & 0xffffffffffffu));
        memcpy(u, id, 36);
    }
}
static int send_message(int index, uint64_t when) {
    struct sock *s = &socks[index];
    if (s->phase != READY) return 0;
    static char text[8192];
    size_t n = strlen(s->message);
    memcpy(text, s->message, n);
    stamp(text, n, when, index);
    if (!send_text(s, text, n)) return 0;
    sent++;
    s->inflight++;
    return 1;
}
static void record(uint64_t when) {
    uint64_t t = now_ns();
    if (!recording || when < began) return; /* a late one of an earlier run does not count */
    received++;
    uint64_t bucket = t > when ? (t - when) / 10000 : 0;
    lat[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}
static int outstanding;
static void on_payload(struct sock *s, char *p, size_t n) {
    if (s->phase == JOINING) {
        if (memmem(p, n, s->expect, strlen(s->expect))) { s->phase = READY; ready++; }
        return;
    }
    char *m = NULL;
    if (s->mark_at + MARK <= (long)n && memcmp(p + s->mark_at, "@T", 2) == 0) m = p + s->mark_at;
    else if ((m = memmem(p, n, "@T", 2))) s->mark_at = m - p;
    if (!m || (size_t)(m - p) + MARK > n) return;
    int sender = atoi(m + 22);
    if (s->message && sender != s->peer) return; /* my own message coming back, or its acknowledgement */
    record(strtoull(m + 2, NULL, 10));
    if (s->message) {
        socks[s->peer].inflight--;
        if (outstanding && recording) send_message(s->peer, now_ns());
    }
}
static void parse_frames(struct sock *s) {
    char *p = s->rx, *end = s->rx + s->rx_len;
    while (end - p >= 2) {
        unsigned char op = (unsigned char)p[0] & 15;
        uint64_t n = (unsigned char)p[1] & 127;
        size_t head = 2;
        if (n == 126) { if (end - p < 4) break; n = (uint64_t)(unsigned char)p[2] << 8 | (unsigned char)p[3]; head = 4; }
        else if (n == 127) {
            if (end - p < 10) break;
            n = 0;
            for (int i = 2; i < 10; i++) n = n << 8 | (unsigned char)p[i];
            head = 10;
        }
        if (n + head > RX) { fprintf(stderr, "loadgen: a frame of %llu bytes\n", (unsigned long long)n); exit(1); }
        if ((uint64_t)(end - p) < head + n) break;
        if (op == 1 || op == 2) on_payload(s, p + head, n);
        else if (op == 8) { drop(s); return; }
        if (s->phase == GONE) return;
        p += head + n;
    }
    memmove(s->rx, p, (size_t)(end - p));
    s->rx_len = (size_t)(end - p);
}
static void on_socket(struct sock *s, uint32_t events) {
    if (s->phase == GONE) return;
    if (s->phase == CONNECTING && (events & EPOLLOUT)) {
        s->tx_len = (size_t)snprintf(s->tx, TX, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", s->path, host);
        s->phase = UPGRADING;
        watch(s->fd, s, EPOLL_CTL_MOD, EPOLLIN);
        flush_tx(s);
    } else if (events & EPOLLOUT) {
        watch(s->fd, s, EPOLL_CTL_MOD, EPOLLIN);
        flush_tx(s);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    for (;;) {
        ssize_t n = recv(s->fd, s->rx + s->rx_len, RX - s->rx_len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) { drop(s); return; }
        if (n < 0) return;
        s->rx_len += (size_t)n;
        if (s->phase == UPGRADING) {
            char *end = memmem(s->rx, s->rx_len, "\r\n\r\n", 4);
            if (!end) continue;
            if (strncmp(s->rx, "HTTP/1.1 101", 12) != 0) { fprintf(stderr, "loadgen: %.60s\n", s->rx); drop(s); return; }
            size_t head = (size_t)(end + 4 - s->rx);
            memmove(s->rx, s->rx + head, s->rx_len - head);
            s->rx_len -= head;
            if (s->first) { s->phase = JOINING; send_text(s, s->first, strlen(s->first)); }
            else { s->phase = READY; ready++; }
        }
        parse_frames(s);
        if (s->phase == GONE || s->rx_len < RX / 2) { if (s->phase == GONE || n < RX / 2) return; }
    }
}
static char *field(char **line) {
    char *f = strsep(line, "\t");
    if (!f) { fprintf(stderr, "loadgen: a line of the spec is too short\n"); exit(1); }
    return strcmp(f, "-") == 0 ? NULL : f;
}
static void load_spec(const char *path) {
    FILE *f = fopen(path, "r");
    int port;
    size_t cap = 0;
    char *line = NULL;
    if (!f) die(path);
    if (getline(&line, &cap, f) < 0 || sscanf(line, "%63s %d", host, &port) != 2) die("first line of the spec");
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &server.sin_addr);
    int room = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, f)) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (nsocks == room) socks = realloc(socks, sizeof *socks * (size_t)(room = room ? room * 2 : 1024));
        char *copy = strdup(line);
        struct sock *s = &socks[nsocks++];
        *s = (struct sock){.fd = -1, .rx = malloc(RX), .tx = malloc(TX)};
        s->path = field(&copy); s->first = field(&copy); s->expect = field(&copy); s->message = field(&copy);
        char *peer = field(&copy);
        s->peer = peer ? atoi(peer) : -1;
    }
    fclose(f);
}
static struct publisher *pubs;
static int npubs;
static char *request;
static size_t request_len;
static void publish(int i, uint64_t when) {
    stamp(request, request_len, when, 0);
    if (send(pubs[i].fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len) die("publish");
    pubs[i].busy = 1;
    sent++;
    /* put the marker back for the next stamp */
    char *m = memmem(request, request_len, "@T", 2);
    if (m) { memset(m + 2, '@', 19); memset(m + 22, '@', 6); }
}
static void on_publisher(struct publisher *p) {
    ssize_t n = recv(p->fd, p->rx + p->rx_len, sizeof p->rx - 1 - p->rx_len, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { fprintf(stderr, "loadgen: the server closed a publisher\n"); exit(1); }
    p->rx_len += (size_t)n;
    p->rx[p->rx_len] = 0;
    char *end = strstr(p->rx, "\r\n\r\n");
    if (!end) return;
    if (strncmp(p->rx, "HTTP/1.1 2", 10) != 0) { fprintf(stderr, "loadgen: publish answered %.200s\n", p->rx); exit(1); }
    char *cl = strcasestr(p->rx, "content-length:");
    size_t body = cl && cl < end ? (size_t)atoi(cl + 15) : 0;
    if (p->rx_len < (size_t)(end + 4 - p->rx) + body) return;
    p->rx_len = 0;
    p->busy = 0;
}
/* To the nanosecond: waiting in a loop for less than a millisecond would take the core from who is measured. */
static void turn_ns(uint64_t timeout) {
    static struct epoll_event ev[1024];
    struct timespec t = {.tv_sec = (time_t)(timeout / 1000000000u), .tv_nsec = (long)(timeout % 1000000000u)};
    int n = epoll_pwait2(ep, ev, 1024, &t, NULL);
    for (int i = 0; i < n; i++) {
        uintptr_t ptr = (uintptr_t)ev[i].data.ptr;
        if (pubs && ptr >= (uintptr_t)pubs && ptr < (uintptr_t)(pubs + npubs)) on_publisher(ev[i].data.ptr);
        else on_socket(ev[i].data.ptr, ev[i].events);
    }
}
static void turn(int timeout_ms) { turn_ns((uint64_t)timeout_ms * 1000000u); }
static void connect_all(void) {
    uint64_t limit = now_ns() + 60ull * 1000000000;
    int next = 0;
    while (ready + gone < nsocks) {
        /* at most 100 handshakes at a time: a listen queue is not what is measured */
        while (next < nsocks && next - ready - gone < 100) {
            struct sock *s = &socks[next];
            s->fd = dial(&server, next++);
            watch(s->fd, s, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
        }
        turn(100);
        if (now_ns() > limit) break;
    }
    if (ready < nsocks) { fprintf(stderr, "loadgen: only %d of %d sockets are ready\n", ready, nsocks); exit(1); }
}
static double percentile(double q) {
    uint64_t want = (uint64_t)((double)received * q), seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += lat[i]) > want) return i * 10.0;
    return 0;
}
static void report(double seconds) {
    printf("{\"sockets\": %d, \"closed\": %d, \"sent\": %llu, \"received\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, "
           "\"p50_us\": %.0f, \"p99_us\": %.0f}\n", nsocks, gone, (unsigned long long)sent, (unsigned long long)received,
           seconds, (double)received / seconds, percentile(0.50), percentile(0.99));
    fflush(stdout);
}
int main(int argc, char **argv) {
    if (argc < 3) { fprintf(stderr, "usage: see the head of loadgen.c\n"); return 2; }
    lat = calloc(BUCKETS, sizeof *lat);
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    ep = epoll_create1(0);
    load_spec(argv[2]);
    if (strcmp(argv[1], "hold") == 0) {
        connect_all();
        printf("ready\n");
        fflush(stdout);
        fcntl(0, F_SETFL, O_NONBLOCK);
        char c;
        while (read(0, &c, 1) != 0) turn(100);
        return gone ? 1 : 0;
    }
    int pairs = strcmp(argv[1], "pairs") == 0;
    if (argc != (pairs ? 6 : 8)) { fprintf(stderr, "usage: see the head of loadgen.c\n"); return 2; }
    double rate, seconds;
    connect_all();
    if (pairs) {
        outstanding = atoi(argv[3]);
        rate = atof(argv[4]);
        seconds = atof(argv[5]);
    } else {
        FILE *f = fopen(argv[3], "r");
        if (!f) die(argv[3]);
        request = malloc(65536);
        request_len = fread(request, 1, 65536, f);
        struct sockaddr_in to = server;
        npubs = atoi(argv[5]);
        pubs = calloc((size_t)npubs, sizeof *pubs);
        char *colon = strchr(argv[4], ':');
        if (!colon) die("HOST:PORT");
        to.sin_port = htons((uint16_t)atoi(colon + 1));
        for (int i = 0; i < npubs; i++) {
            pubs[i].fd = dial(&to, i);
            watch(pubs[i].fd, &pubs[i], EPOLL_CTL_ADD, EPOLLIN);
        }
        uint64_t settle = now_ns() + 300000000;
        while (now_ns() < settle) turn(10);
        rate = atof(argv[6]);
        seconds = atof(argv[7]);
    }
    recording = 1;
    uint64_t start = began = now_ns(), end = start + (uint64_t)(seconds * 1e9), due = start;
    uint64_t step = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    int next = 0;
    if (pairs && rate == 0)
        for (int k = 0; k < outstanding; k++)
            for (int i = 0; i < nsocks; i++) send_message(i, now_ns());
    if (rate > 0) outstanding = 0;
    while (now_ns() < end) {
        uint64_t wait = 10000000;
        if (rate > 0) {
            while (due <= now_ns() && due < end) {
                if (pairs) { send_message(next, due); next = (next + 1) % nsocks; due += step; }
                else {
                    int i = 0;
                    while (i < npubs && pubs[i].busy) i++;
                    if (i == npubs) break; /* every publisher waits; the intended time stands */
                    publish(i, due);
                    due += step;
                }
            }
            uint64_t t = now_ns();
            wait = due > t ? due - t : 0;
        } else if (!pairs) {
            for (int i = 0; i < npubs; i++) if (!pubs[i].busy) publish(i, now_ns());
        }
        turn_ns(wait);
    }
    double took = (double)(now_ns() - start) / 1e9;
    if (rate > 0) { /* what is still under way counts, with its latency */
        uint64_t limit = now_ns() + 5ull * 1000000000, want = pairs ? sent : sent * (uint64_t)nsocks;
        while (received < want && now_ns() < limit) turn(10);
    }
    report(took);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * shop_client.c: what curl is too polite for.
 *
 *   shop_client raw PORT     send standard input as it is, show what comes back
 *                            until the server closes; give up after 30 s
 *   shop_client drip PORT    the same, one byte each 50 ms
 *   shop_client leave PORT   the same, but leave without looking
 *   shop_client load PORT CONNECTIONS ORDERS
 *                            place orders over as many connections at once,
 *                            ORDERS on each (0: until the server closes), and
 *                            count the answers
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64

typedef struct {
    int port;
    int orders;
    unsigned seed;
    long created;    /* 201 */
    long declined;   /* 402 */
    long sold_out;   /* 409 */
    long busy;       /* 503 */
    long other;      /* any other answer */
    long unanswered; /* sent, and closed without a byte */
    long broken;     /* sent, and closed within the answer */
} customer_t;

static int connect_to(int port)
{
    const struct timeval patience = { 30, 0 };
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0
        || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* 0: the server does not want more. */
static int send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        bytes += n;
        len -= (size_t)n;
    }
    return 1;
}

/* --- raw, drip, leave ---------------------------------------------------- */

static int talk(const char *how, int port)
{
    size_t piece = strcmp(how, "drip") == 0 ? 1 : 4096;
    char buf[4096];
    ssize_t n;
    int fd = connect_to(port);

    if (fd < 0) {
        perror("connect");
        return 1;
    }
    while ((n = read(STDIN_FILENO, buf, piece)) > 0) {
        if (!send_all(fd, buf, (size_t)n))
            break;
        if (piece == 1)
            usleep(50000);
    }
    if (strcmp(how, "leave") == 0) {
        close(fd);
        return 0;
    }
    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    if (n < 0 && errno != ECONNRESET) {
        perror("recv");
        return 1;
    }
    close(fd);
    return 0;
}

/* --- load ---------------------------------------------------------------- */

/* Read one answer to its end. The code; 0: closed before; -1: within. */
static int read_answer(int fd)
{
    char buf[8192];
    size_t len = 0;
    const char *body, *field;
    ssize_t n;

    for (;;) {
        buf[len] = '\0';
        body = strstr(buf, "\r\n\r\n");
        field = strstr(buf, "Content-Length: ");
        if (body && field
            && (size_t)(body + 4 - buf) + strtoul(field + 16, NULL, 10) == len)
            return atoi(buf + strlen("HTTP/1.1 "));
        if (len == sizeof(buf) - 1)
            return -1;
        n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return len ? -1 : 0;
        len += (size_t)n;
    }
}

static int place_order(customer_t *customer, int fd)
{
    char body[96], text[256];
    int item = 1 + (int)((unsigned)rand_r(&customer->seed) % 100);
    int quantity = 1 + (int)((unsigned)rand_r(&customer->seed) % 5);
    int fail = rand_r(&customer->seed) % 10 == 0;
    int len;

    snprintf(body, sizeof(body), "{\"item\":%d,\"quantity\":%d,\"fail\":%s}",
             item, quantity, fail ? "true" : "false");
    len = snprintf(text, sizeof(text),
                   "POST /orders HTTP/1.1\r\nHost: shop\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   (int)strlen(body), body);
    if (!send_all(fd, text, (size_t)len))
        return 0;
    return read_answer(fd);
}

static void *shop_around(void *baton)
{
    customer_t *customer = baton;
    int fd = connect_to(customer->port);
    int i, code;

    for (i = 0; fd >= 0 && (customer->orders == 0 || i < customer->orders);
         i++) {
        code = place_order(customer, fd);
        *(code == 201   ? &customer->created
          : code == 402 ? &customer->declined
          : code == 409 ? &customer->sold_out
          : code == 503 ? &customer->busy
          : code == 0   ? &customer->unanswered
          : code < 0    ? &customer->broken
                        : &customer->other) += 1;
        if (code <= 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static int load(int port, int connections, int orders)
{
    customer_t customers[MAX_CONNECTIONS], sum;
    pthread_t threads[MAX_CONNECTIONS];
    int i;

    memset(customers, 0, sizeof(customers));
    memset(&sum, 0, sizeof(sum));
    for (i = 0; i < connections; i++) {
        customers[i].port = port;
        customers[i].orders = orders;
        customers[i].seed = (unsigned)(i + 1);
        if (pthread_create(&threads[i], NULL, shop_around, &customers[i])) {
            perror("pthread_create");
            return 1;
        }
    }
    for (i = 0; i < connections; i++) {
        pthread_join(threads[i], NULL);
        sum.created += customers[i].created;
        sum.declined += customers[i].declined;
        sum.sold_out += customers[i].sold_out;
        sum.busy += customers[i].busy;
        sum.other += customers[i].other;
        sum.unanswered += customers[i].unanswered;
        sum.broken += customers[i].broken;
    }
    printf("created=%ld declined=%ld sold_out=%ld busy=%ld other=%ld "
           "unanswered=%ld broken=%ld\n",
           sum.created, sum.declined, sum.sold_out, sum.busy, sum.other,
           sum.unanswered, sum.broken);
    return 0;
}

int main(int argc, char **argv)
{
    int port = argc > 2 ? atoi(argv[2]) : 0;
    int connections = argc > 3 ? atoi(argv[3]) : 0;

    signal(SIGPIPE, SIG_IGN);
    alarm(120); /* nothing here takes that long */
    if (argc == 3 && port > 0
        && (strcmp(argv[1], "raw") == 0 || strcmp(argv[1], "drip") == 0
            || strcmp(argv[1], "leave") == 0))
        return talk(argv[1], port);
    if (argc == 5 && strcmp(argv[1], "load") == 0 && port > 0 && connections > 0
        && connections <= MAX_CONNECTIONS)
        return load(port, connections, atoi(argv[4]));
    fputs("usage: shop_client raw|drip|leave PORT\n"
          "       shop_client load PORT CONNECTIONS ORDERS\n",
          stderr);
    return 2;
}

/* An independent judge: a Modbus server on libmodbus. Usage: server tcp PORT | server rtu DEVICE UNIT.
 * Prints "ready" (tcp: with the port) when it listens. Registers: holding[i] = 3*i+1, input[i] = 5*i+2,
 * coils[i] = i % 3 == 0, discrete[i] = i % 5 == 0. Serves one connection after the other until stdin closes. */
#include <errno.h>
#include <modbus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#define N 4096

static int readable(int fd) {
    struct pollfd polled[2] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(polled, 2, -1) < 0) return 0;
    return !polled[1].revents;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    int tcp = strcmp(argv[1], "tcp") == 0;
    modbus_t *ctx = tcp ? modbus_new_tcp("127.0.0.1", 0) : modbus_new_rtu(argv[2], 115200, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(N, N, N, N);
    if (!ctx || !map) return 3;
    for (int i = 0; i < N; i++) {
        map->tab_registers[i] = 3 * i + 1;
        map->tab_input_registers[i] = 5 * i + 2;
        map->tab_bits[i] = i % 3 == 0;
        map->tab_input_bits[i] = i % 5 == 0;
    }
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int listener = -1;
    if (tcp) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        listener = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4)) return 4;
        getsockname(listener, (struct sockaddr *)&address, &size);
        printf("ready %d\n", ntohs(address.sin_port));
    } else {
        modbus_set_slave(ctx, atoi(argv[3]));
        if (modbus_connect(ctx)) return 5;
        printf("ready 0\n");
    }
    fflush(stdout);
    do {
        if (tcp) {
            if (!readable(listener)) break;
            if (modbus_tcp_accept(ctx, &listener) < 0) return 6;
        }
        while (readable(modbus_get_socket(ctx))) {
            int size = modbus_receive(ctx, query);
            if (size > 0) modbus_reply(ctx, query, size, map);
            else if (size < 0 && tcp) break;
        }
        if (tcp) modbus_close(ctx);
    } while (tcp && poll(&(struct pollfd){0, POLLIN, 0}, 1, 0) == 0);
    return 0;
}

/* A board that is nothing but libmodbus, unit 17: holding registers 100 to 299 hold 1000 to 1199, input
 * registers 0 to 9 hold 2000 to 2009, of the coils 5 to 24 each third is on. `modbus_server rtu TTY` or
 * `modbus_server tcp PORT`. */
#include <modbus/modbus.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIT 17

static modbus_mapping_t *make_mapping(void)
{
    modbus_mapping_t *map = modbus_mapping_new_start_address(5, 20, 0, 0, 100, 200, 0, 10);
    if (!map)
        exit(2);
    for (int i = 0; i < 200; i++)
        map->tab_registers[i] = (uint16_t)(1000 + i);
    for (int i = 0; i < 10; i++)
        map->tab_input_registers[i] = (uint16_t)(2000 + i);
    for (int i = 0; i < 20; i++)
        map->tab_bits[i] = i % 3 == 0;
    return map;
}

static void serve(modbus_t *modbus, modbus_mapping_t *map)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int n;
    while ((n = modbus_receive(modbus, query)) >= 0)
        if (n > 0 && query[modbus_get_header_length(modbus) - 1] == UNIT)
            modbus_reply(modbus, query, n, map);
}

static int serve_tcp(int port, modbus_mapping_t *map)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    modbus_t *modbus = modbus_new_tcp("127.0.0.1", port);
    int listener = modbus ? modbus_tcp_listen(modbus, 1) : -1;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 2;
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (modbus_tcp_accept(modbus, &listener) >= 0) {
        serve(modbus, map);
        modbus_close(modbus);
    }
    return 0;
}

static int serve_rtu(const char *tty, modbus_mapping_t *map)
{
    modbus_t *modbus = modbus_new_rtu(tty, 19200, 'N', 8, 1);
    if (!modbus || modbus_set_slave(modbus, UNIT) != 0 || modbus_connect(modbus) != 0)
        return 2;
    printf("ready\n");
    fflush(stdout);
    while (1)
        serve(modbus, map); /* a damaged request ends serve, not the board */
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    modbus_mapping_t *map = make_mapping();
    return strcmp(argv[1], "tcp") == 0 ? serve_tcp(atoi(argv[2]), map) : serve_rtu(argv[2], map);
}

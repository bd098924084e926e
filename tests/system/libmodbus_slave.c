/* A Modbus slave by libmodbus, for tests: `slave rtu DEVICE` (unit 17) or `slave tcp PORT`.
 * 200 of each: coil n = n odd, discrete n = n even, holding n = 3 n, input n = 5 n. */

#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 17, EACH = 200 };

int main(int argc, char **argv)
{
    uint8_t query[MODBUS_MAX_ADU_LENGTH];
    int is_tcp = argc == 3 && strcmp(argv[1], "tcp") == 0;
    int listening = -1;
    modbus_t *line;
    modbus_mapping_t *map = modbus_mapping_new(EACH, EACH, EACH, EACH);

    if (argc != 3 || map == NULL)
        return 2;
    for (int at = 0; at < EACH; at++) {
        map->tab_bits[at] = at % 2;
        map->tab_input_bits[at] = at % 2 == 0;
        map->tab_registers[at] = (uint16_t)(3 * at);
        map->tab_input_registers[at] = (uint16_t)(5 * at);
    }
    line = is_tcp ? modbus_new_tcp("127.0.0.1", atoi(argv[2]))
                  : modbus_new_rtu(argv[2], 115200, 'N', 8, 1);
    if (line == NULL || modbus_set_slave(line, UNIT) != 0)
        return 3;
    if (is_tcp)
        listening = modbus_tcp_listen(line, 1);
    if (is_tcp ? listening < 0 : modbus_connect(line) != 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 4;
    }
    puts("ready");
    fflush(stdout);
    if (is_tcp && modbus_tcp_accept(line, &listening) < 0)
        return 5;
    for (;;) {
        int size = modbus_receive(line, query);
        if (size > 0)
            modbus_reply(line, query, size, map);
        else if (size < 0 && is_tcp)
            return 0;
    }
}

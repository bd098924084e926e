/* The floor: libmodbus reads blocks, converts, and prints one line a device and poll. No broker.
 * libmodbus HOST:PORT|TTY DEVICES PERIOD_MS U16 S32 F32     (how many points of each type) */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK_MAX 125

static int poll_device(modbus_t *bus, int unit, const int counts[3])
{
    static uint16_t words[1024];
    int total = counts[0] + 2 * counts[1] + 2 * counts[2];
    modbus_set_slave(bus, unit);
    for (int at = 0; at < total; at += BLOCK_MAX) {
        int left = total - at < BLOCK_MAX ? total - at : BLOCK_MAX;
        if (modbus_read_registers(bus, at, left, words + at) != left)
            return -1;
    }
    const uint16_t *word = words;
    printf("%d", unit);
    for (int i = 0; i < counts[0]; i++, word++)
        printf(" %.1f", *word * 0.1);
    for (int i = 0; i < counts[1]; i++, word += 2)
        printf(" %.3f", (int32_t)((uint32_t)word[0] << 16 | word[1]) * 0.001);
    for (int i = 0; i < counts[2]; i++, word += 2)
        printf(" %.7g", modbus_get_float_abcd(word));
    putchar('\n');
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    char *colon = strrchr(argv[1], ':');
    modbus_t *bus;
    if (colon) {
        *colon = '\0';
        bus = modbus_new_tcp(argv[1], atoi(colon + 1));
    } else {
        bus = modbus_new_rtu(argv[1], 115200, 'N', 8, 1);
    }
    int devices = atoi(argv[2]), period_ms = atoi(argv[3]);
    int counts[3] = {atoi(argv[4]), atoi(argv[5]), atoi(argv[6])};
    if (!bus || modbus_connect(bus) != 0)
        return 1;
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (;;) {
        for (int unit = 1; unit <= devices; unit++)
            if (poll_device(bus, unit, counts) != 0)
                perror("poll");
        due.tv_nsec += period_ms % 1000 * 1000000L;
        due.tv_sec += period_ms / 1000 + due.tv_nsec / 1000000000L;
        due.tv_nsec %= 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
}

/* A master on libmodbus: reads the result block and its mirror COUNT times each and counts blocks that are not whole.
 * Every word of the block that is looked at has to say the same number. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>

static int whole(const uint16_t *w) {
    static const int same[] = {2, 4, 5, 8, 9, 10, 11, 15, 18, 19};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (w[same[i]] != w[3]) return 0;
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    modbus_t *m = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    if (!m || modbus_set_slave(m, 1) || modbus_connect(m)) {
        fprintf(stderr, "connect: %s\n", modbus_strerror(errno));
        return 1;
    }
    uint16_t w[34];
    long reads = 0, torn = 0, errors = 0, changes = 0;
    int last = -1;
    for (int i = 0; i < atoi(argv[2]); i++)
        for (int mirror = 0; mirror < 2; mirror++) {
            int got = mirror ? modbus_read_registers(m, 1000, 34, w) : modbus_read_input_registers(m, 0, 34, w);
            reads++;
            if (got != 34) { errors++; continue; }
            if (!whole(w)) torn++;
            if (w[3] != last) changes++;
            last = w[3];
        }
    printf("reads=%ld torn=%ld errors=%ld changes=%ld\n", reads, torn, errors, changes);
    modbus_close(m);
    modbus_free(m);
    return 0;
}

/* A PLC that is a Modbus RTU slave, on libmodbus: rtu_slave DEVICE BAUD UNIT LOG RESULT_AT ANSWER_AT
 *
 * Its log is the judge: one line for each thing that reached it, with its own CLOCK_MONOTONIC in ns:
 *   write ADDRESS COUNT WORD... | coil ADDRESS VALUE | read ADDRESS COUNT ANSWERED_WORD... | other FUNCTION
 * Its program runs before each answer: the register behind the answer block copies the one behind the result block, and
 * ANSWER_AT + 3..4 (the encoder) counts the reads it has answered, so that each answer differs from all others.
 * Orders on stdin:
 *   late N US     answer every Nth request that much later (0: none)      set ADDRESS WORD
 *   mute N        leave the next N requests without an answer
 */
#include <errno.h>
#include <inttypes.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 1024, RESULT_WORDS = 8, ANSWER_WORDS = 5 };

static FILE *book;

static void note_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    fprintf(book, "%" PRId64 " ", (int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int result_at = atoi(argv[5]), answer_at = atoi(argv[6]);
    book = fopen(argv[4], "w");
    modbus_t *bus = modbus_new_rtu(argv[1], atoi(argv[2]), 'N', 8, 1);
    modbus_mapping_t *memory = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    if (!book || !memory || !bus || modbus_set_slave(bus, atoi(argv[3])) || modbus_connect(bus)) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    uint16_t *words = memory->tab_registers;
    long every = 0, late_us = 0, mute = 0, requests = 0;
    uint32_t reads = 0;
    char order[128];
    size_t filled = 0;
    for (;;) {
        fd_set set;
        int wire = modbus_get_socket(bus);
        FD_ZERO(&set);
        FD_SET(0, &set);
        FD_SET(wire, &set);
        if (select(wire + 1, &set, NULL, NULL, NULL) < 0) return 1;
        if (FD_ISSET(0, &set)) {
            if (read(0, order + filled, 1) != 1) return 0;
            if (order[filled] != '\n') {
                if (filled < sizeof order - 1) filled++;
                continue;
            }
            order[filled] = 0;
            filled = 0;
            long one = 0, two = 0;
            char name[16] = "";
            sscanf(order, "%15s %ld %ld", name, &one, &two);
            if (!strcmp(name, "late")) every = one, late_us = two;
            else if (!strcmp(name, "mute")) mute = one;
            else if (!strcmp(name, "set") && one >= 0 && one < SIZE) words[one] = (uint16_t)two;
            continue;
        }
        uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];
        int length = modbus_receive(bus, request);
        if (length <= 0) {
            modbus_flush(bus);
            continue;
        }
        const uint8_t *pdu = request + 1;
        unsigned function = pdu[0], address = (unsigned)pdu[1] << 8 | pdu[2], third = (unsigned)pdu[3] << 8 | pdu[4];
        words[answer_at + ANSWER_WORDS] = words[result_at + RESULT_WORDS];
        note_time();
        if (function == 16) {
            fprintf(book, "write %u %u", address, third);
            for (unsigned i = 0; i < third; i++) fprintf(book, " %u", (unsigned)pdu[6 + 2 * i] << 8 | pdu[7 + 2 * i]);
        } else if (function == 5) {
            fprintf(book, "coil %u %u", address, third == 0xFF00);
        } else if (function == 3) {
            reads++;
            words[answer_at + 3] = (uint16_t)(reads >> 16);
            words[answer_at + 4] = (uint16_t)reads;
            words[answer_at + 1]++; /* heartbeat */
            fprintf(book, "read %u %u", address, third);
            for (unsigned i = 0; i < third && address + i < SIZE; i++) fprintf(book, " %u", words[address + i]);
        } else fprintf(book, "other %u", function);
        fprintf(book, "\n");
        fflush(book);
        requests++;
        if (mute > 0) {
            mute--;
            continue;
        }
        if (every && requests % every == 0) usleep((useconds_t)late_us);
        modbus_reply(bus, request, length, memory);
    }
}

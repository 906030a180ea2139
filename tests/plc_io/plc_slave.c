/* A PLC that is a Modbus TCP slave, on libmodbus: plc_slave ADDRESS PORT LOG RESULT_AT ANSWER_AT
 *
 * Its log is the judge: one line for each thing that reached it, with its own CLOCK_MONOTONIC in ns.
 *   open | close | coil ADDRESS VALUE | write ADDRESS COUNT WORD... | read ADDRESS COUNT | frozen | awake | restart
 * Its program runs after each request: plc_hb counts, and with `ack 1` a whole block with RESULT_VALID is acknowledged.
 * Orders on stdin:
 *   delay US        wait before each answer     freeze MS       stand still, reading nothing
 *   set ADDR WORD   a register of its own       ack 0|1         acknowledge by ack_seq
 *   refuse CODE     answer with an exception (0: no more)       drop     close the connection
 *   late US         answer the next request only, this much later
 *   restart         forget all registers and coils              coil ADDR VALUE a coil of its own
 *   coils           log the first 64 coils as `coils VALUE...`  quit
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

enum { SIZE = 1024, STATUS = 5, SEQ_END = 7, RESULT_VALID = 1 << 3 };

static FILE *book;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void note(const char *what) {
    fprintf(book, "%" PRId64 " %s\n", now_ns(), what);
    fflush(book);
}

static void note_request(const uint8_t *pdu) {
    unsigned function = pdu[0], address = (unsigned)pdu[1] << 8 | pdu[2], third = (unsigned)pdu[3] << 8 | pdu[4];
    fprintf(book, "%" PRId64 " ", now_ns());
    if (function == 5) fprintf(book, "coil %u %u", address, third == 0xFF00);
    else if (function == 16) {
        fprintf(book, "write %u %u", address, third);
        for (unsigned i = 0; i < third; i++) fprintf(book, " %u", (unsigned)pdu[6 + 2 * i] << 8 | pdu[7 + 2 * i]);
    } else if (function == 3) fprintf(book, "read %u %u", address, third);
    else fprintf(book, "other %u %u %u", function, address, third);
    fprintf(book, "\n");
    fflush(book);
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    int result_at = atoi(argv[4]), answer_at = atoi(argv[5]);
    book = fopen(argv[3], "w");
    modbus_t *bus = modbus_new_tcp(argv[1], atoi(argv[2]));
    modbus_mapping_t *memory = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    int listener = bus ? modbus_tcp_listen(bus, 4) : -1;
    if (!book || !memory || listener < 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    uint16_t *words = memory->tab_registers;
    long delay_us = 0, late_us = 0;
    int acknowledges = 0, refuses = 0, peer = -1;
    char order[128];
    size_t filled = 0;
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(0, &set);
        FD_SET(listener, &set);
        if (peer >= 0) FD_SET(peer, &set);
        if (select((peer > listener ? peer : listener) + 1, &set, NULL, NULL, NULL) < 0) return 1;
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
            if (!strcmp(name, "delay")) delay_us = one;
            else if (!strcmp(name, "late")) late_us = one;
            else if (!strcmp(name, "set") && one >= 0 && one < SIZE) words[one] = (uint16_t)two;
            else if (!strcmp(name, "ack")) acknowledges = (int)one;
            else if (!strcmp(name, "refuse")) refuses = (int)one;
            else if (!strcmp(name, "freeze")) {
                note("frozen");
                usleep((useconds_t)(one * 1000));
                note("awake");
            } else if (!strcmp(name, "restart")) {
                memset(words, 0, SIZE * sizeof *words);
                memset(memory->tab_bits, 0, SIZE);
                note("restart");
            } else if (!strcmp(name, "coil") && one >= 0 && one < SIZE) {
                memory->tab_bits[one] = (uint8_t)two;
            } else if (!strcmp(name, "coils")) {
                fprintf(book, "%" PRId64 " coils", now_ns());
                for (int i = 0; i < 64; i++) fprintf(book, " %u", memory->tab_bits[i]);
                fprintf(book, "\n");
                fflush(book);
            } else if (!strcmp(name, "drop") && peer >= 0) {
                close(peer);
                peer = -1;
                note("close");
            } else if (!strcmp(name, "quit")) return 0;
            continue;
        }
        if (peer >= 0 && FD_ISSET(peer, &set)) {
            uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
            modbus_set_socket(bus, peer);
            int length = modbus_receive(bus, request);
            if (length == 0) continue;
            if (length < 0) {
                close(peer);
                peer = -1;
                note("close");
                continue;
            }
            note_request(request + modbus_get_header_length(bus));
            if (delay_us) usleep((useconds_t)delay_us);
            if (late_us) usleep((useconds_t)late_us);
            late_us = 0;
            if (refuses) modbus_reply_exception(bus, request, (unsigned)refuses);
            else modbus_reply(bus, request, length, memory);
            uint16_t *block = words + result_at, *answer = words + answer_at;
            answer[1]++;
            if (acknowledges && block[0] == block[SEQ_END] && block[STATUS] & RESULT_VALID) answer[0] = block[0];
            continue;
        }
        if (FD_ISSET(listener, &set)) { /* a new connection takes the place of the old one */
            int fresh = modbus_tcp_accept(bus, &listener);
            if (fresh < 0) continue;
            if (peer >= 0) {
                close(peer);
                note("close");
            }
            peer = fresh;
            note("open");
        }
    }
}

/* The trigger lines. Each datagram at the socket FOLDER/SERIAL.line0 is one pulse: its rising edge now, its falling one
 * later. One byte: a pulse on Line0 of DEFAULT_WIDTH_US. Five bytes: the line's number, the width in us (u32).
 */
#include "sensor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_WIDTH_US 1000u
#define PULSE_BYTES 5

/* A socket path must stay below 108 bytes, a folder need not: go through the folder's own handle. */
static bool line0_address(const struct camera *camera, int folder, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s.line0", folder, camera->serial);
    return length > 0 && (size_t)length < sizeof address->sun_path;
}

/* ---- under the lock ---- */

static void plan_edge(struct camera *camera, struct edge planned)
{
    unsigned at = camera->edge_count;
    if (camera->edge_count == EDGES_MAX)
        return;
    for (; at > 0 && camera->edges[at - 1].at_ns > planned.at_ns; at--)
        camera->edges[at] = camera->edges[at - 1];
    camera->edges[at] = planned;
    camera->edge_count++;
}

/* A debounced line is seen to change when it has been steady for so long; a shorter pulse is none. */
static void pulse(struct camera *camera, uint32_t line, uint32_t width_us)
{
    const double debounce_us = camera->set.now.line[line].debounce_us;
    if (width_us < debounce_us)
        return;
    const uint64_t seen_ns = monotonic_ns() + span_ns(debounce_us);
    if (debounce_us > 0)
        plan_edge(camera, (struct edge){seen_ns, line, true});
    else
        edge(camera, line, true);
    plan_edge(camera, (struct edge){seen_ns + width_us * 1000ull, line, false});
}

static void take_pulse(struct camera *camera, const uint8_t *bytes, size_t size)
{
    uint32_t width_us = DEFAULT_WIDTH_US;
    if (size >= PULSE_BYTES)
        memcpy(&width_us, bytes + 1, sizeof width_us);
    const uint32_t line = size >= PULSE_BYTES ? bytes[0] : 0;
    if (line < LINES)
        pulse(camera, line, width_us);
}

/* Let the edges happen whose time has come. Returns when the next one is; UINT64_MAX: there is none. */
static uint64_t let_happen(struct camera *camera)
{
    while (camera->edge_count && camera->edges[0].at_ns <= monotonic_ns()) {
        const struct edge first = camera->edges[0];
        memmove(camera->edges, camera->edges + 1, --camera->edge_count * sizeof *camera->edges);
        edge(camera, first.line, first.rising);
    }
    return camera->edge_count ? camera->edges[0].at_ns : UINT64_MAX;
}

/* ---- the thread ---- */

static int wait_for(struct pollfd *wakes, uint64_t until_ns)
{
    const uint64_t now_ns = monotonic_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    const struct timespec left = {.tv_sec = (time_t)(left_ns / SECOND_NS), .tv_nsec = (long)(left_ns % SECOND_NS)};
    return ppoll(wakes, 2, until_ns == UINT64_MAX ? NULL : &left, NULL);
}

static void *watch_lines(void *argument)
{
    struct camera *camera = argument;
    struct pollfd wakes[2] = {{.fd = camera->line0, .events = POLLIN}, {.fd = camera->line0_stop, .events = POLLIN}};
    uint64_t until_ns = UINT64_MAX;
    uint8_t bytes[64];
    for (;;) {
        if (wait_for(wakes, until_ns) < 0 && errno != EINTR)
            return NULL;
        if (wakes[1].revents)
            return NULL;
        ssize_t size = wakes[0].revents ? recv(camera->line0, bytes, sizeof bytes, MSG_DONTWAIT) : -1;
        pthread_mutex_lock(&camera->lock);
        if (size >= 0)
            take_pulse(camera, bytes, (size_t)size);
        until_ns = let_happen(camera);
        pthread_mutex_unlock(&camera->lock);
    }
}

/* Without its lines the camera still works by software; a folder that cannot be written is no reason to fail. */
void lines_open(struct camera *camera)
{
    int folder = open(camera->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address;
    char name[SERIAL_MAX + 8];
    snprintf(name, sizeof name, "%s.line0", camera->serial);
    camera->edge_count = 0;
    camera->line0 = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    camera->line0_stop = eventfd(0, EFD_CLOEXEC);
    unlinkat(folder, name, 0); /* left by a process that was killed: the scene's lock says that nobody uses it */
    bool ready = folder >= 0 && camera->line0 >= 0 && camera->line0_stop >= 0 &&
                 line0_address(camera, folder, &address) &&
                 bind(camera->line0, (struct sockaddr *)&address, sizeof address) == 0 &&
                 pthread_create(&camera->line0_thread, NULL, watch_lines, camera) == 0;
    if (folder >= 0)
        close(folder);
    if (ready)
        return;
    if (camera->line0 >= 0)
        close(camera->line0);
    if (camera->line0_stop >= 0)
        close(camera->line0_stop);
    camera->line0 = camera->line0_stop = -1;
}

void lines_close(struct camera *camera)
{
    char path[sizeof camera->folder + SERIAL_MAX + 8];
    if (camera->line0 < 0)
        return;
    uint64_t one = 1;
    if (write(camera->line0_stop, &one, sizeof one) == sizeof one)
        pthread_join(camera->line0_thread, NULL);
    snprintf(path, sizeof path, "%s/%s.line0", camera->folder, camera->serial);
    unlink(path);
    close(camera->line0);
    close(camera->line0_stop);
    camera->line0 = camera->line0_stop = -1;
}

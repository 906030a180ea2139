/* The simulated camera's life: made, opened, unplugged, closed; and its clock.
 *
 * One mutex per camera guards everything in it. Threads: the consumer's, one that begins and ends exposures, one that
 * listens on the trigger lines.
 */
#include "sensor.h"

#include "genapi.h"
#include "pixels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t span_ns(double us)
{
    return (uint64_t)(us * 1000.0);
}

_Noreturn void hang(void)
{
    for (;;)
        pause();
}

bool wait_until(struct camera *camera, uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / SECOND_NS), .tv_nsec = (long)(at_ns % SECOND_NS)};
    return pthread_cond_timedwait(&camera->changed, &camera->lock, &at) != ETIMEDOUT;
}

uint64_t device_clock(const struct camera *camera, uint64_t at_ns)
{
    const double drift = (double)(int64_t)(at_ns - camera->opened_ns) * camera->set.drift_ppm * 1e-6;
    return at_ns + (uint64_t)camera->set.clock_offset_ns + (uint64_t)camera->jumped_ns + (uint64_t)(int64_t)drift;
}

struct camera *camera_new(const char *serial)
{
    struct camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return NULL;
    snprintf(camera->serial, sizeof camera->serial, "%s", serial);
    snprintf(camera->id, sizeof camera->id, "OKNGSIM_%s", camera->serial);
    camera->device = (struct module){DEVICE, camera};
    camera->remote = (struct module){REMOTE, camera};
    camera->stream.module = (struct module){STREAM, camera};
    camera->stream.event = (struct module){EVENT, camera};
    camera->scene.handle = camera->line0 = camera->line0_stop = -1;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&camera->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&camera->lock, NULL);
    return camera;
}

void camera_free(struct camera *camera)
{
    camera_close(camera);
    pthread_cond_destroy(&camera->changed);
    pthread_mutex_destroy(&camera->lock);
    free(camera);
}

static uint32_t clamped(uint32_t value, uint32_t low, uint32_t high, uint32_t step)
{
    value = value < low ? low : value > high ? high : value;
    return value - value % step;
}

static void power_up(struct camera *camera)
{
    const struct scene_head *head = camera->scene.head;
    const struct settings factory = {
        .width = clamped(head->width, 16, WIDTH_MAX, 4),
        .height = clamped(head->height, 16, HEIGHT_MAX, 2),
        .pixel_format = head->format == 1 ? PFNC_RGB8 : PFNC_MONO8,
        .frame_rate_enable = 1,
        .burst_frames = 1,
        .exposure_us = head->reference_us >= 10 && head->reference_us <= 1e6 ? head->reference_us : 1000.0,
        .frame_rate_hz = 30.0,
    };
    camera->set = (struct registers){
        .timestamps = 1,
        .clock_offset_ns = (int64_t)(3600 * SECOND_NS), /* another zero than the host's */
    };
    user_sets_open(camera, &factory);
    camera->opened_ns = monotonic_ns();
    camera->jumped_ns = 0;
    camera->lost = camera->acquiring = false;
    camera->frame = 0;
    exposures_reset(camera);
}

/* One process at a time, as with a real camera. Another one that only looks (`camera_free_to_open`) is soon gone. */
static bool hold(int handle)
{
    for (int tries = 0; tries < 10; tries++) {
        if (flock(handle, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return false;
}

static gc_error open_locked(struct camera *camera)
{
    if (camera->open)
        return GC_RESOURCE_IN_USE;
    bool mapped = camera->test_pattern ? scene_test_pattern(&camera->scene)
                                       : scene_open(&camera->scene, camera->scene_path);
    if (!mapped)
        return GC_IO;
    if (camera->scene.handle >= 0 && !hold(camera->scene.handle)) {
        scene_close(&camera->scene);
        return GC_RESOURCE_IN_USE;
    }
    power_up(camera);
    camera->open = true;
    return GC_SUCCESS;
}

gc_error camera_open(struct camera *camera)
{
    pthread_mutex_lock(&camera->lock);
    gc_error result = open_locked(camera);
    if (result == GC_SUCCESS && !camera->test_pattern)
        lines_open(camera);
    pthread_mutex_unlock(&camera->lock);
    return result;
}

void camera_close(struct camera *camera)
{
    stream_close(camera);
    lines_close(camera); /* its thread takes the lock: not under it */
    pthread_mutex_lock(&camera->lock);
    if (camera->open) {
        scene_close(&camera->scene); /* lets go of the file's lock, too */
        exposures_reset(camera);
        for (unsigned i = 0; i < SHOTS; i++) {
            free(camera->shots[i].image);
            camera->shots[i] = (struct shot){0};
        }
        camera->open = camera->lost = false;
    }
    pthread_mutex_unlock(&camera->lock);
}

bool camera_lost(struct camera *camera)
{
    if (camera->open && scene_flag(&camera->scene.head->unplugged))
        camera->lost = true;
    return camera->lost;
}

bool camera_is_lost(struct camera *camera)
{
    pthread_mutex_lock(&camera->lock);
    const bool lost = camera_lost(camera);
    pthread_mutex_unlock(&camera->lock);
    return lost;
}

bool camera_free_to_open(struct camera *camera)
{
    pthread_mutex_lock(&camera->lock);
    const bool is_open = camera->open;
    pthread_mutex_unlock(&camera->lock);
    if (is_open || camera->test_pattern)
        return !is_open;
    int handle = open(camera->scene_path, O_RDONLY | O_CLOEXEC);
    bool is_free = handle >= 0 && flock(handle, LOCK_EX | LOCK_NB) == 0;
    if (handle >= 0)
        close(handle);
    return is_free;
}

/* The scene file: mapped, checked, its faults and counters. `render.c` makes pixels of it. */
#include "scene.h"

#include "genapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(offsetof(struct scene_head, lock) == 12, "scene head");
_Static_assert(offsetof(struct scene_head, origin) == 32, "scene head");
_Static_assert(offsetof(struct scene_head, encoder) == 48, "scene head");
_Static_assert(offsetof(struct scene_head, background) == 64, "scene head");
_Static_assert(offsetof(struct scene_head, reference_us) == 72, "scene head");
_Static_assert(offsetof(struct scene_head, drop_next) == 128, "scene head");
_Static_assert(offsetof(struct scene_head, line0_missed) == 156, "scene head");
_Static_assert(offsetof(struct scene_head, plans) == PLANS_AT, "scene head");
_Static_assert(sizeof(struct plan) == 32 && MISHAP_KINDS <= PLANS_ROOM, "plans");

/* A scene may grow while it is mapped, so more is mapped than the file has; what is beyond its end is never touched. */
#define MAPPED_BYTES (SCENE_PIXELS_AT + (size_t)WIDTH_MAX * HEIGHT_MAX * 3u)

static bool is_scene(const struct scene *scene)
{
    const struct scene_head *head = scene->head;
    return memcmp(head->magic, "OKNGSCEN", 8) == 0 && head->version == 1;
}

uint64_t scene_pixel_room(const struct scene *scene)
{
    struct stat status;
    uint64_t bytes = scene->bytes;
    if (scene->handle >= 0) {
        if (fstat(scene->handle, &status) != 0)
            return 0;
        bytes = (uint64_t)status.st_size < bytes ? (uint64_t)status.st_size : bytes;
    }
    return bytes > SCENE_PIXELS_AT ? bytes - SCENE_PIXELS_AT : 0;
}

bool scene_open(struct scene *scene, const char *path)
{
    struct stat status;
    memset(scene, 0, sizeof *scene);
    scene->handle = open(path, O_RDWR | O_CLOEXEC);
    if (scene->handle < 0)
        return false;
    if (fstat(scene->handle, &status) == 0 && status.st_size > (off_t)SCENE_PIXELS_AT) {
        scene->bytes = (size_t)status.st_size > MAPPED_BYTES ? (size_t)status.st_size : MAPPED_BYTES;
        scene->head = mmap(NULL, scene->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, scene->handle, 0);
        if (scene->head != MAP_FAILED && is_scene(scene))
            return true;
        if (scene->head == MAP_FAILED)
            scene->head = NULL;
    }
    scene_close(scene);
    errno = EINVAL;
    return false;
}

bool scene_test_pattern(struct scene *scene)
{
    const uint32_t width = 1280, height = 1024;
    memset(scene, 0, sizeof *scene);
    scene->handle = -1;
    scene->bytes = SCENE_PIXELS_AT + (size_t)width * height;
    scene->head = mmap(NULL, scene->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (scene->head == MAP_FAILED) {
        scene->head = NULL;
        return false;
    }
    struct scene_head *head = scene->head;
    memcpy(head->magic, "OKNGSCEN", 8);
    head->version = 1;
    head->width = head->stride = width;
    head->height = height;
    head->noise = 2;
    head->reference_us = 1000.0;
    uint8_t *pixel = (uint8_t *)head + SCENE_PIXELS_AT;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) /* a ramp crossed by a grid every 64 pixels */
            *pixel++ = (x % 64 == 0 || y % 64 == 0) ? 250 : (uint8_t)(x * 200 / width + 20);
    return true;
}

void scene_close(struct scene *scene)
{
    if (scene->head)
        munmap(scene->head, scene->bytes);
    if (scene->handle >= 0)
        close(scene->handle);
    free(scene->grain);
    free(scene->samples);
    memset(scene, 0, sizeof *scene);
    scene->handle = -1;
}

uint32_t scene_flag(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

bool scene_take(uint32_t *counter)
{
    uint32_t found = scene_flag(counter);
    while (found)
        if (__atomic_compare_exchange_n(counter, &found, found - 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return true;
    return false;
}

void scene_count(uint32_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_ACQ_REL);
}

bool scene_mishap(struct scene *scene, unsigned kind, int64_t *value)
{
    struct plan *plan = &scene->head->plans[kind];
    uint32_t times = scene_flag(&plan->times);
    if (!times)
        return false;
    if (plan->wait > 1) {
        plan->wait--;
        return false;
    }
    plan->wait = plan->every;
    if (value)
        *value = plan->value;
    scene_count(&plan->done);
    if (times != FOREVER) /* unless the world has planned anew meanwhile */
        __atomic_compare_exchange_n(&plan->times, &times, times - 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return true;
}

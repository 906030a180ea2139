/* Turns the scene file into sensor pixels: centred, moved by the belt, converted, brightened, grained. */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

_Static_assert(offsetof(struct scene_head, lock) == 12, "scene head");
_Static_assert(offsetof(struct scene_head, origin) == 32, "scene head");
_Static_assert(offsetof(struct scene_head, encoder) == 48, "scene head");
_Static_assert(offsetof(struct scene_head, background) == 64, "scene head");
_Static_assert(offsetof(struct scene_head, reference_us) == 72, "scene head");
_Static_assert(offsetof(struct scene_head, drop_next) == 128, "scene head");
_Static_assert(offsetof(struct scene_head, line0_missed) == 156, "scene head");

#define GRAIN_LENGTH 65536u
#define LONGEST_ROW (4096u * 3u)
/* A scene may grow while it is mapped, so more is mapped than the file has; what is beyond its end is never touched. */
#define MAPPED_BYTES (SCENE_PIXELS_AT + 4096u * 4096u * 3u)
#define TORN_TRIES 200 /* times 0.1 ms: then the picture is taken as it is, as a camera would */

static bool is_scene(const struct scene *scene)
{
    const struct scene_head *head = scene->head;
    return memcmp(head->magic, "OKNGSCEN", 8) == 0 && head->version == 1;
}

/* Bytes of pixels the file holds now. */
static uint64_t pixel_room(const struct scene *scene)
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

size_t view_bytes(uint32_t width, uint32_t height, uint32_t pixel_format)
{
    return (size_t)width * height * ((pixel_format >> 16 & 0xff) / 8); /* PFNC: bits per pixel in bits 16-23 */
}

/* What the lock covers, copied at once, with the geometry checked against the size of the file. */
struct picture {
    const uint8_t *pixels;
    int64_t width, height, stride, origin;
    uint32_t channels, background, noise;
    double px_per_count, reference_us;
    uint64_t id;
};

static struct picture picture_of(const struct scene *scene)
{
    const struct scene_head *head = scene->head;
    struct picture picture = {
        .pixels = (const uint8_t *)head + SCENE_PIXELS_AT,
        .width = head->width,
        .height = head->height,
        .stride = head->stride,
        .origin = head->origin,
        .channels = head->format == 1 ? 3 : 1,
        .background = head->background > 255 ? 255 : head->background,
        .noise = head->noise,
        .px_per_count = head->px_per_count,
        .reference_us = head->reference_us,
        .id = head->id,
    };
    bool fits = picture.stride >= picture.width * picture.channels &&
                (uint64_t)picture.stride * (uint64_t)picture.height <= pixel_room(scene);
    if (!fits)
        picture.width = picture.height = 0; /* torn or wrong: background only */
    return picture;
}

static uint8_t grey(const uint8_t *rgb)
{
    return (uint8_t)((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8);
}

/* One row of pixels, `count` of them from `source`, into the wanted format. y, x: position in the view (Bayer). */
static void convert(const uint8_t *source, uint32_t channels, uint8_t *out, uint32_t format, size_t count, uint32_t x,
                    uint32_t y)
{
    if (format == PFNC_RGB8) {
        if (channels == 3)
            memcpy(out, source, count * 3);
        else
            for (size_t i = 0; i < count; i++)
                out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = source[i];
    } else if (channels == 1) {
        memcpy(out, source, count); /* a grey scene is grey behind every colour filter, too */
    } else if (format == PFNC_MONO8) {
        for (size_t i = 0; i < count; i++)
            out[i] = grey(source + 3 * i);
    } else { /* BayerRG8: rows R G R G, G B G B */
        for (size_t i = 0; i < count; i++)
            out[i] = source[3 * i + ((x + i) & 1) + (y & 1)];
    }
}

/* Where the belt has carried the picture to, in pixels; far away counts as out of sight. */
static int64_t shift_of(const struct picture *picture, int64_t encoder)
{
    double shift = (double)(encoder - picture->origin) * picture->px_per_count;
    if (shift > 1e6)
        return 1000000;
    return shift < -1e6 ? -1000000 : llround(shift);
}

static void draw(const struct picture *picture, const struct view *view, uint8_t *out)
{
    const uint32_t depth = view->pixel_format == PFNC_RGB8 ? 3 : 1;
    const int64_t width = view->width, height = view->height;
    const int64_t left =
        (width - picture->width) / 2 + shift_of(picture, view->encoder) - (int64_t)view->offset_x;
    const int64_t top = (height - picture->height) / 2 - (int64_t)view->offset_y;
    const int64_t from = left > 0 ? left : 0;
    const int64_t to = left + picture->width < width ? left + picture->width : width;
    for (int64_t y = 0; y < height; y++, out += width * depth) {
        bool inside = y >= top && y < top + picture->height && from < to;
        if (!inside) {
            memset(out, (int)picture->background, (size_t)(width * depth));
            continue;
        }
        const uint8_t *row = picture->pixels + (y - top) * picture->stride + (from - left) * picture->channels;
        memset(out, (int)picture->background, (size_t)(from * depth));
        convert(row, picture->channels, out + from * depth, view->pixel_format, (size_t)(to - from), (uint32_t)from,
                (uint32_t)y);
        memset(out + to * depth, (int)picture->background, (size_t)((width - to) * depth));
    }
}

static void brighten(uint8_t *out, size_t bytes, double factor)
{
    uint8_t tone[256];
    for (int level = 0; level < 256; level++)
        tone[level] = (uint8_t)fmin(255.0, level * factor + 0.5);
    for (size_t i = 0; i < bytes; i++)
        out[i] = tone[out[i]];
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A table of uniform noise is drawn once; each row then reads it from a place of its own. Fast, and looks random. */
static bool make_grain(struct scene *scene, int amplitude)
{
    if (scene->grain && scene->grain_amplitude == amplitude)
        return true;
    if (!scene->grain)
        scene->grain = malloc(GRAIN_LENGTH + LONGEST_ROW);
    if (!scene->grain)
        return false;
    uint64_t state = 1;
    for (size_t i = 0; i < GRAIN_LENGTH + LONGEST_ROW; i++)
        scene->grain[i] = (int8_t)((int)(next_random(&state) % (uint64_t)(2 * amplitude + 1)) - amplitude);
    scene->grain_amplitude = amplitude;
    return true;
}

static void add_grain(struct scene *scene, uint8_t *out, const struct view *view, int amplitude, uint64_t seed)
{
    const size_t row = (size_t)view->width * (view->pixel_format == PFNC_RGB8 ? 3 : 1);
    if (amplitude < 1 || !make_grain(scene, amplitude))
        return;
    for (uint32_t y = 0; y < view->height; y++, out += row) {
        const int8_t *grain = scene->grain + next_random(&seed) % GRAIN_LENGTH;
        for (size_t i = 0; i < row; i++) {
            int level = out[i] + grain[i];
            out[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
}

void scene_render(struct scene *scene, const struct view *view, uint8_t *out)
{
    struct picture picture;
    for (int tries = 0;; tries++) {
        uint32_t before = scene_flag(&scene->head->lock);
        picture = picture_of(scene);
        if (!(before & 1))
            draw(&picture, view, out);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && scene_flag(&scene->head->lock) == before)
            break;
        if (tries == TORN_TRIES) {
            draw(&picture, view, out);
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    double gain = picture.reference_us > 0 ? pow(10.0, view->gain_db / 20.0) : 1.0;
    double factor = picture.reference_us > 0 ? view->exposure_us / picture.reference_us * gain : 1.0;
    if (fabs(factor - 1.0) > 1e-6)
        brighten(out, view_bytes(view->width, view->height, view->pixel_format), factor);
    add_grain(scene, out, view, (int)fmin(127.0, picture.noise * gain), view->seed ^ picture.id << 32);
}

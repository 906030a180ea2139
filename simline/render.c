/* Turns the scene into sensor pixels: centred, moved by the belt, brightened, grained, packed as they are sent. */
#include "genapi.h"
#include "pixels.h"
#include "scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GRAIN_LENGTH 65536u
#define LONGEST_ROW (WIDTH_MAX * 3u)
#define GRAIN_TABLE ((size_t)GRAIN_LENGTH + LONGEST_ROW)
#define TORN_TRIES 200 /* times 0.1 ms: then the picture is taken as it is, as a camera would */

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
                (uint64_t)picture.stride * (uint64_t)picture.height <= scene_pixel_room(scene);
    if (!fits)
        picture.width = picture.height = 0; /* torn or wrong: background only */
    return picture;
}

static uint8_t grey(const uint8_t *rgb)
{
    return (uint8_t)((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8);
}

/* One row of pixels, `count` of them from `source`, into the sensor's samples. y, x: position in the view (Bayer). */
static void convert(const uint8_t *source, uint32_t channels, uint8_t *out, const struct pixel_format *format,
                    size_t count, uint32_t x, uint32_t y)
{
    if (format->kind == SENSOR_COLOUR) {
        if (channels == 3)
            memcpy(out, source, count * 3);
        else
            for (size_t i = 0; i < count; i++)
                out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = source[i];
    } else if (channels == 1) {
        memcpy(out, source, count); /* a grey scene is grey behind every colour filter, too */
    } else if (format->kind == SENSOR_GREY) {
        for (size_t i = 0; i < count; i++)
            out[i] = grey(source + 3 * i);
    } else { /* the filter's rows R G R G, G B G B, moved by its phase */
        for (size_t i = 0; i < count; i++)
            out[i] = source[3 * i + ((x + i + format->phase_x) & 1) + ((y + format->phase_y) & 1)];
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

static void draw(const struct picture *picture, const struct view *view, const struct pixel_format *format,
                 uint8_t *out)
{
    const uint32_t depth = format->kind == SENSOR_COLOUR ? 3 : 1;
    const int64_t width = view->width, height = view->height;
    const int64_t left =
        (width - picture->width) / 2 + shift_of(picture, view->encoder) - (int64_t)view->offset_x;
    const int64_t top =
        ((int64_t)view->whole_height - picture->height) / 2 - (int64_t)view->offset_y - (int64_t)view->line;
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
        convert(row, picture->channels, out + from * depth, format, (size_t)(to - from), (uint32_t)from, (uint32_t)y);
        memset(out + to * depth, (int)picture->background, (size_t)((width - to) * depth));
    }
}

/* How the sensor turns light into levels. */
struct response {
    double factor, black_level;
    int noise;
    uint64_t seed;
};

static void brighten(uint8_t *out, size_t bytes, const struct response *response)
{
    uint8_t tone[256];
    for (int level = 0; level < 256; level++)
        tone[level] = (uint8_t)fmin(255.0, level * response->factor + response->black_level + 0.5);
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

/* A table of uniform noise is drawn once; each row then reads it from a place of its own. Fast, and looks random.
 * A second table of bytes behind it has the bits below the eighth. */
static bool make_grain(struct scene *scene, int amplitude)
{
    if (scene->grain && scene->grain_amplitude == amplitude)
        return true;
    if (!scene->grain)
        scene->grain = malloc(2 * GRAIN_TABLE);
    if (!scene->grain)
        return false;
    uint64_t state = 1;
    for (size_t i = 0; i < GRAIN_TABLE; i++)
        scene->grain[i] = (int8_t)((int)(next_random(&state) % (uint64_t)(2 * amplitude + 1)) - amplitude);
    for (size_t i = GRAIN_TABLE; i < 2 * GRAIN_TABLE; i++)
        scene->grain[i] = (int8_t)((int)(next_random(&state) & 0xff) - 128);
    scene->grain_amplitude = amplitude;
    return true;
}

static bool has_grain(struct scene *scene, const struct response *response)
{
    return response->noise >= 1 && make_grain(scene, response->noise);
}

static void add_grain(struct scene *scene, uint8_t *out, size_t row, uint32_t height, const struct response *response)
{
    uint64_t seed = response->seed;
    if (!has_grain(scene, response))
        return;
    for (uint32_t y = 0; y < height; y++, out += row) {
        const int8_t *grain = scene->grain + next_random(&seed) % GRAIN_LENGTH;
        for (size_t i = 0; i < row; i++) {
            int level = out[i] + grain[i];
            out[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
}

/* Samples of 8 bits become 16 bits (level x 257, so that white stays white), then bright, grained and packed. The low
 * bits follow from the light; the same seed gives the same bits in every format of a depth. */
static void send_wide(struct scene *scene, const struct view *view, const struct pixel_format *format,
                      const struct response *response, uint8_t *out)
{
    uint16_t tone[256], row[WIDTH_MAX];
    const uint8_t *samples = scene->samples;
    const bool grained = has_grain(scene, response);
    uint64_t seed = response->seed;
    for (int level = 0; level < 256; level++)
        tone[level] = (uint16_t)fmin(65535.0, (level * response->factor + response->black_level) * 257.0 + 0.5);
    for (uint32_t y = 0; y < view->height; y++, samples += view->width) {
        const int8_t *grain = grained ? scene->grain + next_random(&seed) % GRAIN_LENGTH : NULL;
        for (uint32_t i = 0; i < view->width; i++) {
            int level = tone[samples[i]] + (grain ? grain[i] * 257 + grain[GRAIN_TABLE + i] : 0);
            row[i] = (uint16_t)(level < 0 ? 0 : level > 65535 ? 65535 : level);
        }
        out += pack_row(format, row, view->width, out);
    }
}

static uint8_t *samples_for(struct scene *scene, size_t bytes)
{
    if (bytes > scene->samples_room) {
        free(scene->samples);
        scene->samples = malloc(bytes);
        scene->samples_room = scene->samples ? bytes : 0;
    }
    return scene->samples;
}

/* The scene as the sensor's samples; again when the world wrote meanwhile. */
static struct picture look(struct scene *scene, const struct view *view, const struct pixel_format *format,
                           uint8_t *samples)
{
    for (int tries = 0;; tries++) {
        const uint32_t before = scene_flag(&scene->head->lock);
        const struct picture picture = picture_of(scene);
        if (!(before & 1) || tries == TORN_TRIES)
            draw(&picture, view, format, samples);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((!(before & 1) && scene_flag(&scene->head->lock) == before) || tries == TORN_TRIES)
            return picture;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static double mean_of(const uint8_t *samples, size_t count, const struct response *response)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += fmin(255.0, samples[i] * response->factor + response->black_level);
    return count ? sum / (double)count : 0.0;
}

double scene_render(struct scene *scene, const struct view *view, uint8_t *out, bool mean_wanted)
{
    const struct pixel_format *format = pixel_format_of(view->pixel_format);
    const size_t row = samples_row(format, view->width), bytes = row * view->height;
    uint8_t *samples = sent_as_sampled(format) ? out : samples_for(scene, bytes);
    if (!samples) { /* no memory: a picture without light */
        memset(out, 0, view_bytes(view->width, view->height, view->pixel_format));
        return 0.0;
    }
    const struct picture picture = look(scene, view, format, samples);
    const double gain = picture.reference_us > 0 ? pow(10.0, view->gain_db / 20.0) : 1.0;
    const double exposed = picture.reference_us > 0 ? view->exposure_us / picture.reference_us * gain : 1.0;
    const struct response response = {
        .factor = exposed * view->light,
        .black_level = view->black_level,
        .noise = (int)fmin(127.0, picture.noise * gain),
        .seed = view->seed ^ picture.id << 32,
    };
    const double mean = mean_wanted ? mean_of(samples, bytes, &response) : 0.0;
    if (format->depth > 8) {
        send_wide(scene, view, format, &response, out);
        return mean;
    }
    if (fabs(response.factor - 1.0) > 1e-6 || response.black_level > 0)
        brighten(samples, bytes, &response);
    add_grain(scene, samples, row, view->height, &response);
    const size_t sent = view_bytes(view->width, 1, view->pixel_format);
    if (samples != out)
        for (uint32_t y = 0; y < view->height; y++)
            colour_row(format, samples + y * row, view->width, out + y * sent);
    return mean;
}

/* The scene a simulated camera looks at: a memory-mapped file the simulated world writes (`simline/scene.py`). */
#ifndef OKNG_SCENE_H
#define OKNG_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mishap the world has planned (`simline/mishaps.py`). */
struct plan {
    uint32_t times, wait, every, done;
    int64_t value;
    uint64_t reserved;
};
#define PLANS_ROOM 32

/* Head of the file, little-endian, 4096 bytes with the padding; the pixels follow. */
struct scene_head {
    char magic[8]; /* "OKNGSCEN" */
    uint32_t version;
    uint32_t lock; /* odd while the world writes */
    uint32_t width, height, stride;
    uint32_t format;     /* 0 Mono8, 1 RGB8 */
    int64_t origin;      /* belt counts at which the picture is centred */
    double px_per_count; /* 0: the picture does not move */
    int64_t encoder;     /* live belt counts; not covered by the lock */
    uint64_t id;
    uint32_t background, noise; /* grey levels; noise 0: none */
    double reference_us;        /* exposure at which the picture is as drawn; 0: exposure and gain change nothing */
    uint8_t reserved[48];
    /* Faults from outside and counters for the judge. */
    uint32_t drop_next, incomplete_next, freeze, unplugged, repeat_next, late_us;
    uint32_t trigger_seen, line0_missed;
    uint32_t missed;    /* triggers of any source the camera could not take */
    uint32_t clockless; /* 1: the camera has no timestamps and no TimestampLatch */
    uint8_t reserved_too[88];
    struct plan plans[PLANS_ROOM];
};
#define SCENE_PIXELS_AT 4096u

struct scene {
    struct scene_head *head;
    size_t bytes; /* size of the mapping */
    int handle;   /* open file; -1 for the built-in test pattern */
    int8_t *grain; /* one table of noise, made anew when the amplitude changes */
    int grain_amplitude;
    uint8_t *samples; /* what the sensor sees, before it is made into a format with other bytes */
    size_t samples_room;
};

/* What part of the scene is wanted, and how bright. */
struct view {
    uint32_t width, height, offset_x, offset_y;
    uint32_t whole_height, line; /* of how many lines in all this view is a strip, and its first one */
    uint32_t pixel_format;       /* a PFNC number of pixels.h */
    int64_t encoder;             /* belt counts at the start of the exposure */
    double exposure_us, gain_db;
    double light;       /* share of the light that counts; 1: all */
    double black_level; /* added to each sample, in levels of 8 bits */
    uint64_t seed;      /* the same seed and scene give the same noise */
};

/* Map the file. False, with errno set, when it cannot be opened or is no scene. */
bool scene_open(struct scene *scene, const char *path);
/* A still test pattern in memory, for a camera without a world. False: no memory. */
bool scene_test_pattern(struct scene *scene);
void scene_close(struct scene *scene);
/* Bytes of pixels the file holds now: it may grow. */
uint64_t scene_pixel_room(const struct scene *scene);

/* Write the view into out (view_bytes). Without motion the picture is centred in the view; the rest is background.
 * Returns the mean level of the sensor's samples, 0..255, where it is asked for, else 0. */
double scene_render(struct scene *scene, const struct view *view, uint8_t *out, bool mean_wanted);

/* Faults and counters: other processes touch them at any time. */
uint32_t scene_flag(const uint32_t *word);
bool scene_take(uint32_t *counter); /* true, and one less, when it was not 0 */
void scene_count(uint32_t *counter);
/* One occasion for a planned mishap (`enum mishap`): true when it is due. value may be NULL. */
bool scene_mishap(struct scene *scene, unsigned kind, int64_t *value);

#endif

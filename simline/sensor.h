/* One simulated camera: its registers, its exposures, its stream of buffers. Knows nothing of GenTL's calls. */
#ifndef OKNG_SENSOR_H
#define OKNG_SENSOR_H

#include "gentl.h"
#include "scene.h"

#include <pthread.h>
#include <stdbool.h>

#define BUFFERS_MAX 256
#define SERIAL_MAX 48

/* Every GenTL handle points to one of these, so that a call can see what it was given. */
enum module_kind { SYSTEM = 1, INTERFACE, DEVICE, REMOTE, STREAM, EVENT };
struct camera;
struct module {
    enum module_kind kind;
    struct camera *camera; /* NULL for SYSTEM and INTERFACE */
};

enum buffer_state { UNQUEUED, QUEUED, DELIVERED };
struct buffer {
    uint8_t *bytes;
    size_t size, filled;
    void *user;
    bool own; /* allocated here */
    enum buffer_state state;
    bool incomplete, fresh;
    uint64_t frame, device_ns;
    bool stamped;
    uint32_t width, height, offset_x, offset_y, pixel_format;
};

/* Buffers in order. Bounded: it holds each announced buffer at most once. */
struct line_up {
    struct buffer *at[BUFFERS_MAX];
    unsigned count;
};

struct stream {
    struct module module, event;
    bool open, event_on, killed, grabbing;
    struct buffer *announced[BUFFERS_MAX];
    unsigned announced_count;
    struct line_up input, output;
    uint64_t delivered, underrun, started;
    pthread_t readout;
};

/* What the consumer can set. Written and read under the camera's lock. */
struct registers {
    uint32_t width, height, offset_x, offset_y, pixel_format;
    uint32_t acquisition_mode, trigger_selector, trigger_mode, trigger_source, trigger_activation;
    uint32_t locked, timestamps;
    double exposure_us, frame_rate_hz, gain_db, drift_ppm;
    int64_t clock_offset_ns;
    uint64_t latched_ns;
};

/* An exposure under way, or over and not yet read out. Its pixels are in `image` from the start. */
struct exposure {
    bool busy;
    uint64_t started_ns, ends_ns;
    bool dropped, incomplete;
    uint32_t late_us;
};

struct camera {
    struct module device, remote;
    struct stream stream;
    struct camera *next;
    char serial[SERIAL_MAX], id[SERIAL_MAX + 8];
    char scene_path[4096], folder[4096];
    bool test_pattern; /* no world: the built-in picture */
    bool present;      /* its scene file was there at the last look */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open, lost, acquiring;
    struct scene scene;
    struct registers set;
    struct exposure exposure;
    uint64_t opened_ns, frame;

    uint8_t *image; /* pixels of the last exposure */
    size_t image_bytes;
    bool has_image;
    uint64_t image_frame, image_ns;

    int line0, line0_stop; /* socket, eventfd; -1: none */
    pthread_t line0_thread;
};

uint64_t monotonic_ns(void);

struct camera *camera_new(const char *serial);
void camera_free(struct camera *camera);

/* GC_SUCCESS, GC_RESOURCE_IN_USE (another process has it) or GC_IO (no scene). Registers get their defaults. */
gc_error camera_open(struct camera *camera);
void camera_close(struct camera *camera);
/* True from the moment the world unplugs it until it is closed and opened again. */
bool camera_lost(struct camera *camera);
/* True when nobody holds it open, in this process or another. */
bool camera_free_to_open(struct camera *camera);

gc_error camera_read(struct camera *camera, uint64_t address, void *out, size_t size);
gc_error camera_write(struct camera *camera, uint64_t address, const void *data, size_t size);
size_t camera_payload(const struct camera *camera);

/* The stream: all take the camera's lock themselves. */
gc_error stream_announce(struct camera *camera, void *bytes, size_t size, void *user, struct buffer **out);
gc_error stream_revoke(struct camera *camera, struct buffer *buffer, void **bytes, void **user);
gc_error stream_queue(struct camera *camera, struct buffer *buffer);
gc_error stream_flush(struct camera *camera, int32_t operation);
gc_error stream_start(struct camera *camera);
void stream_stop(struct camera *camera);
void stream_close(struct camera *camera);
/* The next delivered buffer; GC_TIMEOUT, or GC_ABORT after a kill. timeout_ms UINT64_MAX waits for ever. */
gc_error stream_next(struct camera *camera, uint64_t timeout_ms, struct buffer **out);
bool stream_has(const struct camera *camera, const struct buffer *buffer);

#endif
